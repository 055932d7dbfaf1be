import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { COMPOSE, createProject, deployYml, load, problemsOf } from './project-folder.js';

const REGISTRY = 'registry: { username: $NAME, password: "$PASSWORD" }';

function projectWith(yaml: string, files: Record<string, string | Buffer> = {}) {
  return createProject({ ...COMPOSE, 'config/deploy.yml': yaml, ...files });
}

describe('$NAME in a value', () => {
  it('is looked up in the environment, then config/.env, then .env', async () => {
    const root = projectWith(deployYml(REGISTRY), {
      'config/.env': 'NAME=second\nPASSWORD=second-word\n',
      '.env': 'NAME=third\nPASSWORD=third-word\nIMAGE=v3\n',
    });
    expect((await load(root)).registry?.username).toBe('second');
    expect((await load(root, { env: { NAME: 'first' } })).registry?.username).toBe('first');
    expect((await load(root, { env: { NAME: '' } })).registry?.username).toBe('second');
  });

  it.each(['.env', 'config/.env'])('is not looked up in a folder named %s, which may be a virtualenv', async (path) => {
    const root = projectWith(deployYml(REGISTRY), { [`${path}/bin/python`]: '' });
    expect((await load(root, { env: { NAME: 'me', PASSWORD: 'a-word' } })).registry?.username).toBe('me');
  });

  it.each(['.env', 'config/.env'])('is not looked up in a %s that can not be read, and that is told', async (path) => {
    const root = projectWith(deployYml());
    // A link in a circle: permissions would not stop root, as who these tests may run.
    symlinkSync('.env', join(root, path));
    expect(await problemsOf(root)).toEqual([
      `${path}: can't be read: ELOOP; look at its permissions: ls -ld ${join(root, path)}`,
    ]);
  });

  it('may stand inside of text, in braces, and be escaped', async () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: this is the file's own syntax
    const root = projectWith(deployYml('registry: { username: "a-${NAME}_$NAME", password: "pa$$$$word$$NAME$1" }'));
    const { registry } = await load(root, { env: { NAME: 'x' } });
    expect(registry?.username).toBe('a-x_x');
    expect(registry?.password.reveal()).toBe('pa$$word$NAME$1');
  });

  it('is not looked up again in what it gave', async () => {
    const root = projectWith(deployYml(REGISTRY));
    expect((await load(root, { env: { NAME: '$PASSWORD', PASSWORD: 'p$$w' } })).registry).toMatchObject({
      username: '$PASSWORD',
    });
  });

  it('gives numbers where numbers are wanted', async () => {
    const yaml = 'app: shop\nssh: { port: $PORT }\nenvironments: { test: { droplet: $ID } }\n';
    const settings = await load(projectWith(yaml), { env: { PORT: '2222', ID: '3164494' } });
    expect([settings.ssh.port, settings.target]).toEqual([2222, { kind: 'droplet', id: 3164494 }]);
  });

  it('is a problem when it is not set or empty, with its line', async () => {
    const root = projectWith(deployYml(REGISTRY));
    expect(await problemsOf(root, { env: { PASSWORD: '' } })).toEqual([
      'config/deploy.yml:3: $NAME is not set (for registry.username); set NAME in the environment, or in config/.env (which is not uploaded)',
      'config/deploy.yml:3: $PASSWORD is empty (for registry.password); set PASSWORD in the environment, or in config/.env (which is not uploaded)',
    ]);
  });

  it('points to the example of config/.env, where there is one', async () => {
    const root = projectWith(deployYml(REGISTRY), { 'config/.env.example': 'NAME=\n' });
    expect(await problemsOf(root, { env: { PASSWORD: 'secret' } })).toEqual([
      'config/deploy.yml:3: $NAME is not set (for registry.username); cp config/.env.example config/.env, and set NAME there, or in the environment',
    ]);
  });

  it('does not matter in other environments, nor where the environment has a value of its own', async () => {
    const yaml = `
app: shop
image_tag: $TAG
compose: [$COMPOSE]
ssh: { user: $SSH_USER }
environments:
  test: { droplet: 1, image_tag: v1, compose: [compose/docker-compose.yml], ssh: { user: root } }
  production: { load_balancer: $LOAD_BALANCER, ssh: { port: $PORT } }
`;
    const root = projectWith(yaml);
    expect(await problemsOf(root)).toEqual([]);
    expect(await problemsOf(root, { environment: 'production' })).toHaveLength(5);
  });

  it('is told as not set only, not also as a wrong value', async () => {
    const root = projectWith('app: $APP\nenvironments: { test: { droplet: $ID } }\n');
    expect((await problemsOf(root)).map((problem) => problem.split(';')[0])).toEqual([
      'config/deploy.yml:1: $APP is not set (for app)',
      'config/deploy.yml:2: $ID is not set (for environments.test.droplet)',
    ]);
  });

  it('can not come from an encrypted config/.env', async () => {
    const root = projectWith(deployYml(), { 'config/.env': Buffer.from('\0GITCRYPT\0rubbish') });
    expect(await problemsOf(root)).toEqual(['config/.env: is encrypted by git-crypt; git-crypt unlock']);
  });
});
