import { chmodSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { COMPOSE, createProject, deployYml, load, problemsOf } from './project-folder.js';

type Files = Record<string, string | Buffer>;

function projectWith(entries: string[], files: Files = {}): string {
  return createProject({ ...COMPOSE, 'config/deploy.yml': deployYml(`files: ${JSON.stringify(entries)}`), ...files });
}

/** `path mode`, without the compose file and the start-up script, which are always there. */
async function filesOf(root: string): Promise<string[]> {
  const { files } = await load(root);
  return files
    .filter(({ path }) => path !== 'compose/docker-compose.yml' && path !== 'scripts/start-up.sh')
    .map(({ path, mode }) => `${path} ${mode.toString(8)}`);
}

describe('the files of a release', () => {
  it('are files and whole folders, each once', async () => {
    const root = projectWith(['./config/a.conf', 'config/nginx/', 'config/nginx/x/y'], {
      'config/a.conf': '',
      'config/nginx/nginx.conf': '',
      'config/nginx/x/y': '',
      'config/nginx/.git/HEAD': '',
    });
    expect(await filesOf(root)).toEqual(['config/a.conf 644', 'config/nginx/nginx.conf 644', 'config/nginx/x/y 644']);
  });

  it('are private when they are env files or keys, and executable when they are here', async () => {
    const root = projectWith(['config/'], {
      'config/.env.test': '',
      'config/app.env': '',
      'config/.env.example': '',
      'config/tls.key': '',
      'config/tls.pem': '',
      'config/id_ed25519': '-----BEGIN OPENSSH PRIVATE KEY-----\n',
      'config/script.sh*': '',
      'config/plain.txt': '',
    });
    expect((await filesOf(root)).sort()).toEqual([
      'config/.env.example 644',
      'config/.env.test 600',
      'config/app.env 600',
      'config/deploy.yml 644',
      'config/id_ed25519 600',
      'config/plain.txt 644',
      'config/script.sh 700',
      'config/tls.key 600',
      'config/tls.pem 600',
    ]);
  });

  it('that are env files fill in compose variables when they are listed by name, in their order', async () => {
    const root = projectWith(['config/.env.test', 'config/.env.common', 'config/more/'], {
      'config/.env.common': '',
      'config/.env.test': '',
      'config/more/.env': '',
    });
    expect((await load(root)).envFiles).toEqual(['config/.env.test', 'config/.env.common']);
  });

  it('may be optional, and may name the environment', async () => {
    const root = projectWith(['config/.env.{environment}', 'config/none?', 'config/nofolder/?'], {
      'config/.env.test': '',
    });
    expect(await filesOf(root)).toEqual(['config/.env.test 600']);
  });

  it("never hold do-deploy's own variables", async () => {
    const files = { 'config/.env': 'DO_TOKEN=x\n', '.env': 'export DO_TOKEN=x\n', 'config/a': '' };
    expect(await filesOf(projectWith(['config/'], files))).toEqual(['config/a 644', 'config/deploy.yml 644']);
    expect(await problemsOf(projectWith(['config/.env', '.env'], files))).toEqual([
      "config/deploy.yml:3: config/.env holds do-deploy's own secrets and is never uploaded; move what the app needs to config/.env.test, and list that",
      "config/deploy.yml:3: .env holds do-deploy's own secrets and is never uploaded; move what the app needs to config/.env.test, and list that",
    ]);
    expect(await filesOf(projectWith(['.env'], { '.env': 'APP_NAME=shop\n' }))).toEqual(['.env 600']);
  });

  it("never hold do-deploy's own variables under another name", async () => {
    const files = { 'config/.env': 'DO_TOKEN=x\n', '.env': 'DOCKER_PASSWORD=x\n', 'config/nginx/a': '' };
    const withLinks = (...entries: string[]) => {
      const root = projectWith(entries, files);
      symlinkSync('.env', join(root, 'config/.env.test'));
      symlinkSync('..', join(root, 'config/nginx/loop'));
      symlinkSync('../../.env', join(root, 'config/nginx/app.env'));
      linkSync(join(root, 'config/.env'), join(root, 'config/nginx/twin.env'));
      return root;
    };
    expect(await filesOf(withLinks('config/nginx/'))).toEqual([
      'config/nginx/a 644',
      'config/nginx/loop/deploy.yml 644',
    ]);
    const listed = withLinks('config/.env.{environment}', 'config/nginx/loop/.env', 'config/nginx/app.env');
    const remedy = 'move what the app needs to config/.env.test, and list that';
    const problem = (path: string, own: string) =>
      `config/deploy.yml:3: ${path} is the same file as ${own}, which holds do-deploy's own secrets and is never uploaded; ${remedy}`;
    expect(await problemsOf(listed)).toEqual([
      problem('config/.env.test', 'config/.env'),
      problem('config/nginx/loop/.env', 'config/.env'),
      problem('config/nginx/app.env', '.env'),
    ]);
  });

  it.each(['DO_TOKEN', 'DIGITALOCEAN_ACCESS_TOKEN', 'SSH_PRIVATE_KEY', 'DOCKER_PASSWORD'])(
    'hold no .env with %s in it',
    async (name) => {
      const text = `APP_NAME=shop\nexport ${name} = "x"\n`;
      expect((await problemsOf(projectWith(['.env'], { '.env': text }))).join()).toContain(
        ".env holds do-deploy's own secrets",
      );
      expect(await filesOf(projectWith(['.env'], { '.env': `APP_${name}=x\n` }))).toEqual(['.env 600']);
    },
  );

  it('follow links inside the project, and refuse others', async () => {
    const root = projectWith(['config/linked/'], { 'real/a': '', 'config/linked/own': '' });
    const outside = createProject({ secret: '' });
    symlinkSync(join(root, 'real'), join(root, 'config/linked/inside'));
    symlinkSync(join(root, 'config/linked'), join(root, 'real/round-and-round'));
    expect(await filesOf(root)).toEqual(['config/linked/inside/a 644', 'config/linked/own 644']);
    symlinkSync(join(outside, 'secret'), join(root, 'config/linked/outside'));
    symlinkSync('/proc/self/environ', join(root, 'config/linked/environ'));
    symlinkSync('nowhere', join(root, 'config/linked/broken'));
    const problem = (path: string, message: string) => `config/deploy.yml:3: config/linked/${path} ${message}`;
    const isOutside = 'is a link to a place outside the project; put the file itself there, or remove the link';
    expect(await problemsOf(root)).toEqual([
      problem('broken', 'is a link that leads nowhere; remove it, or create what it points to'),
      problem('environ', isOutside),
      problem('outside', isOutside),
    ]);
  });

  it('hold the script that prepares a release, found like every other file', async () => {
    const settings = (...lines: string[]) =>
      createProject({ ...COMPOSE, 'config/deploy.yml': deployYml(...lines), 'ops/p.sh*': '' });
    expect(await load(settings('files: []', 'prepare: ops/p.sh'))).toMatchObject({
      prepare: 'ops/p.sh',
      files: expect.arrayContaining([expect.objectContaining({ path: 'ops/p.sh', mode: 0o700 })]),
    });
    expect((await load(settings('files: []', 'prepare: ops/none.sh?'))).prepare).toBeUndefined();
    expect(await problemsOf(settings('files: []', 'prepare: ops/none.sh'))).toEqual([
      'config/deploy.yml:4: ops/none.sh does not exist; create it, or write ops/none.sh? if it is optional',
    ]);
  });

  it.each([
    [['config/none'], 'config/none does not exist; create it, or write config/none? if it is optional'],
    [['config/.env.{environment}'], 'config/.env.test does not exist; cp config/.env.test.example config/.env.test'],
    [['config/nginx'], 'config/nginx is a folder; write config/nginx/'],
    [['config/a/'], 'config/a is a file; write config/a'],
    [['/etc/passwd'], '/etc/passwd is outside the project; copy it into the project, and write its path from there'],
    [['../a'], '../a is outside the project; copy it into the project, and write its path from there'],
    [
      ['config/../../a'],
      'config/../../a is outside the project; copy it into the project, and write its path from there',
    ],
    [['config/{env}'], 'config/{env} does not exist: unknown placeholder {env}; the only placeholder is {environment}'],
    [
      ['config/.{env}?'],
      'config/.{env} does not exist: unknown placeholder {env}; the only placeholder is {environment}',
    ],
    [['config/.env.locked'], 'config/.env.locked is encrypted by git-crypt; git-crypt unlock'],
    [['config/.env.sops'], 'config/.env.sops is encrypted by SOPS; sops decrypt --in-place config/.env.sops'],
  ])('%j is a problem', async (entries, problem) => {
    const root = projectWith(entries, {
      'config/.env.test.example': '',
      'config/nginx/x': '',
      'config/a': '',
      'config/.env.locked': Buffer.from('\0GITCRYPT\0\x01\x02'),
      'config/.env.sops': 'A=ENC[AES256_GCM,data:x]\nsops_version=3.9.0\n',
    });
    expect(await problemsOf(root)).toEqual([`config/deploy.yml:3: ${problem}`]);
  });

  it('cannot be a link to a place outside the project', async () => {
    const root = projectWith(['config/link']);
    symlinkSync(join(createProject({ secret: '' }), 'secret'), join(root, 'config/link'));
    expect(await problemsOf(root)).toEqual([
      'config/deploy.yml:3: config/link is a link to a place outside the project; put the file itself there',
    ]);
  });

  it("hold do-deploy's start-up script, or the project's own", async () => {
    const root = projectWith([]);
    const startUp = async () => (await load(root)).files.find(({ path }) => path === 'scripts/start-up.sh');
    const packaged = fileURLToPath(new URL('../../scripts/start-up.sh', import.meta.url));
    expect(await startUp()).toEqual({ path: 'scripts/start-up.sh', localPath: packaged, mode: 0o755 });
    mkdirSync(join(root, 'scripts'));
    writeFileSync(join(root, 'scripts/start-up.sh'), '#!/bin/sh\n');
    chmodSync(join(root, 'scripts/start-up.sh'), 0o644);
    expect(await startUp()).toEqual({
      path: 'scripts/start-up.sh',
      localPath: join(root, 'scripts/start-up.sh'),
      mode: 0o755,
    });
  });

  it('hold every compose file, and a compose file is no folder', async () => {
    const root = createProject({
      'compose/a.yml': '',
      'config/deploy.yml': deployYml('compose: [compose/a.yml, compose/]'),
    });
    expect(await problemsOf(root)).toEqual(['config/deploy.yml:3: compose is a folder; name the compose file in it']);
  });
});
