import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ProblemList } from '../../src/config/problems.js';
import { readVariables } from '../../src/config/variables.js';
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

  it.each(['.env', 'config/.env'])(
    'is not looked up in a %s that cannot be read, and that is reported',
    async (path) => {
      const root = projectWith(deployYml());
      // A link in a circle: permissions would not stop root, as who these tests may run.
      symlinkSync('.env', join(root, path));
      expect(await problemsOf(root)).toEqual([
        `${path}: cannot be read: too many symbolic links (ELOOP); check its permissions: ls -ld ${join(root, path)}`,
      ]);
    },
  );

  it('may stand inside of text, in braces, and be escaped', async () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: this is the file's own syntax
    const root = projectWith(deployYml('registry: { username: "a-${NAME}_$NAME", password: "pa$$$$word$$NAME$1" }'));
    const { registry } = await load(root, { env: { NAME: 'x' } });
    expect(registry?.username).toBe('a-x_x');
    expect(registry?.password?.reveal()).toBe('pa$$word$NAME$1');
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
      'config/deploy.yml:3: $NAME is not set (for registry.username); cp config/.env.example config/.env, and set NAME there or in the environment',
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

  it('is reported as not set only, not also as a wrong value', async () => {
    const root = projectWith('app: $APP\nenvironments: { test: { droplet: $ID } }\n');
    expect((await problemsOf(root)).map((problem) => problem.split(';')[0])).toEqual([
      'config/deploy.yml:1: $APP is not set (for app)',
      'config/deploy.yml:2: $ID is not set (for environments.test.droplet)',
    ]);
  });

  it('cannot come from an encrypted config/.env', async () => {
    const root = projectWith(deployYml(), { 'config/.env': Buffer.from('\0GITCRYPT\0rubbish') });
    expect(await problemsOf(root)).toEqual(['config/.env: is encrypted by git-crypt; git-crypt unlock']);
  });

  it('is refused where docker compose would read another value, with a form that both read', async () => {
    const at = async (text: string, path = 'config/.env') => {
      const root = projectWith(deployYml(REGISTRY), { [path]: text });
      return await problemsOf(root, { env: { NAME: 'me' } });
    };
    const problem = (remedy: string, path = 'config/.env') => [
      `${path}:2: docker compose and dotenv read different values of PASSWORD; ${remedy}`,
    ];
    const single = problem('put single quotes around the value');
    expect(await at('# x\nPASSWORD=dckr_pat_abc#def\n')).toEqual(single);
    expect(await at('# x\nPASSWORD=pa$$word\n')).toEqual(single);
    expect(await at('# x\nPASSWORD="quo\\"ted"\n')).toEqual(single);
    expect(await at("# x\nPASSWORD='it\\'s'\n")).toEqual(problem('put double quotes around the value'));
    expect(await at('# x\nPASSWORD=pa#word\n', '.env')).toEqual(problem('put single quotes around the value', '.env'));
    expect((await at(`# x\nPASSWORD="\\"'\\\\"\n`))[0]).toContain('set it in the environment instead');
    for (const form of ["'dckr_pat_abc#def'", '"dckr_pat_abc#def"', "'pa$word'", 'plain # comment', "'a\\b'"]) {
      expect(await at(`# x\nPASSWORD=${form}\r\n`), form).toEqual([]);
    }
  });

  it('may be refused in lines that do-deploy does not need', async () => {
    const files = { 'config/.env': 'NAME=me\nPASSWORD=secret\nOTHER=a#b\n', '.env': 'MAIL_NAME="$APP_NAME"\n' };
    expect(await problemsOf(projectWith(deployYml(REGISTRY), files))).toEqual([]);
  });

  it('is looked up in a .env of the app that compose could not read, up to the line where that ends', async () => {
    const at = async (text: string) =>
      await problemsOf(projectWith(deployYml(REGISTRY), { '.env': text }), { env: { NAME: 'me' } });
    expect(await at('PASSWORD=secret\nnot a variable\n')).toEqual([]);
    expect(await at('not a variable\nPASSWORD=secret\n')).toEqual([
      "config/deploy.yml:3: $PASSWORD is not set (for registry.password); set PASSWORD in the environment, or in config/.env (which is not uploaded); .env is only read up to line 1: a variable's name contains a space",
    ]);
  });

  it('that is empty is to be set where it stands', async () => {
    const root = projectWith(deployYml(REGISTRY), { 'config/.env': 'NAME=me\nPASSWORD=\n' });
    expect(await problemsOf(root)).toEqual([
      'config/deploy.yml:3: $PASSWORD is empty (for registry.password); write its value in config/.env:2',
    ]);
  });
});

describe("a file of do-deploy's own variables", () => {
  it.each<[content: string | Buffer, problem: string]>([
    ['A=b\nC="d\n', 'config/.env:2: a quote is not closed; close the value with "'],
    [Buffer.from('\ufeffDO_TOKEN=x\n', 'utf16le'), 'config/.env:1: the file is UTF-16; save it as UTF-8'],
    [Buffer.from([0x41, 0x3d, 0x0a, 0xe4, 0x0a]), 'config/.env:2: the file is not UTF-8 text; save it as UTF-8'],
    [Buffer.from('A=b\nC=\0'), 'config/.env:2: the file is not UTF-8 text; save it as UTF-8'],
    ['A=b\n'.repeat(300_000), 'config/.env: is larger than 1 MiB; check that it is the right file'],
  ])('%.20j is a problem', async (content, problem) => {
    expect(await problemsOf(projectWith(deployYml(), { 'config/.env': content }))).toEqual([problem]);
  });

  it('may begin with a byte order mark, and have Windows line ends', async () => {
    const root = projectWith(deployYml(REGISTRY), { 'config/.env': '\ufeffNAME=me\r\nPASSWORD="two\r\nlines"\r\n' });
    expect((await load(root)).registry?.username).toBe('me');
    expect((await load(root)).registry?.password?.reveal()).toBe('two\nlines');
  });

  it('names the place of the token, once', async () => {
    const at = async (text: string) =>
      await problemsOf(projectWith(deployYml(), { 'config/.env': text }), { env: { DO_TOKEN: undefined } });
    expect(await at('DO_TOKEN=\n')).toEqual([
      'config/.env:1: DO_TOKEN is empty; create a token at https://cloud.digitalocean.com/account/api/tokens, and write it there',
    ]);
    expect(await at('A=b\nDIGITALOCEAN_ACCESS_TOKEN=dop v1\n')).toEqual([
      'config/.env:2: DIGITALOCEAN_ACCESS_TOKEN contains a space, a line break or another character that no token has; copy it again',
    ]);
    expect(await at('DO_TOKEN=dop_v1\nDIGITALOCEAN_API_URL=http://elsewhere.example\n')).toEqual([
      'config/.env:2: DIGITALOCEAN_API_URL must be an https:// address (http:// only for this machine); for example https://api.digitalocean.com/v2',
    ]);
  });
});

it('a variable that a hook does not get is named with the setting that passes it on', () => {
  const root = createProject({});
  const problems = new ProblemList();
  const inHook = readVariables(root, { DO_DEPLOY_EVENT: 'post_deploy' }, problems);
  expect(inHook.howToSet('DO_TOKEN')).toContain('add DO_TOKEN to hooks.secrets');
  expect(readVariables(root, {}, problems).howToSet('DO_TOKEN')).toContain('set DO_TOKEN in the environment');
});
