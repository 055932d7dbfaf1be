/**
 * Which of the project's files travel, and how; what never does.
 * biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is the files' own syntax
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, linkSync, mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { RESERVED_NAMES } from '../../src/config/file-names.js';
import type { FileTree } from '../../src/config/file-tree.js';
import { ProblemList } from '../../src/config/problems.js';
import { collectFiles } from '../../src/config/source-files.js';
import { COMPOSE, createProject, deployYml, load, problemsOf } from './project-folder.js';

function projectWith(entries: string[], files: Record<string, string | Buffer> = {}, ...lines: string[]): string {
  const yaml = deployYml(`files: ${JSON.stringify(entries)}`, ...lines);
  return createProject({ ...COMPOSE, 'config/deploy.yml': yaml, ...files });
}

async function modesOf(root: string): Promise<Record<string, string>> {
  const { files } = await load(root);
  const own = files.filter(({ path }) => !['compose/docker-compose.yml', 'scripts/start-up.sh'].includes(path));
  return Object.fromEntries(own.map(({ path, mode }) => [path, mode.toString(8)]));
}

describe('names', () => {
  it('may have any character but control characters and backslashes', async () => {
    const names = [
      'app/[id]/page.tsx',
      '(shop)/a b.css',
      'größe.txt',
      'a~',
      '-rf',
      "it's",
      '$HOME',
      '`x`',
      '"q"',
      '日本',
      '{x}.js',
      'a*b',
    ];
    const root = projectWith(['www/'], Object.fromEntries(names.map((name) => [`www/${name}`, name])));
    const { files } = await load(root);
    for (const name of names) {
      const file = files.find(({ path }) => path === `www/${name}`);
      expect(readFileSync(file?.localPath ?? '', 'utf8'), name).toBe(name);
    }
  });

  it('may be listed as they are, also with braces', async () => {
    const root = projectWith(['www/a b.css', 'www/[id].tsx', 'www/{x}.js', '-rf', '..a/'], {
      'www/a b.css': '',
      'www/[id].tsx': '',
      'www/{x}.js': '',
      '-rf': '',
      '..a/b': '',
    });
    expect(Object.keys(await modesOf(root))).toEqual(['www/a b.css', 'www/[id].tsx', 'www/{x}.js', '-rf', '..a/b']);
  });

  it('with control characters are refused, and not printed', async () => {
    const root = projectWith(['www/'], { 'www/a\x1b]52;c;x\x07': '', 'www/b\nc': '' });
    expect(await problemsOf(root)).toEqual([
      'config/deploy.yml:3: www/a\\u001b]52;c;x\\u0007 has a control character (0x1b) in its name; rename it',
      'config/deploy.yml:3: www/b\\nc has a control character (0x0a) in its name; rename it',
    ]);
    expect(await problemsOf(projectWith(['www/a\tb']))).toEqual([
      'config/deploy.yml:3: www/a\\tb has a control character (0x09) in its name; rename it',
    ]);
  });

  it('that are not UTF-8 are refused', async () => {
    const root = projectWith(['www/'], { 'www/a': '' });
    writeFileSync(Buffer.concat([Buffer.from(join(root, 'www/b')), Buffer.from([0xff])]), '');
    expect(await problemsOf(root)).toEqual([
      'config/deploy.yml:3: www/b\ufffd has a name that is not valid UTF-8; rename it',
    ]);
  });

  it.each(RESERVED_NAMES)('that do-deploy uses in a release are refused: %s', async (name) => {
    const problem = `config/deploy.yml:3: ${name} has a name that do-deploy itself uses in a release (${name}); rename it`;
    expect(await problemsOf(projectWith([name], { [name]: '' }))).toEqual([problem]);
    expect(await problemsOf(projectWith([`./${name}`], { [name]: '' }))).toEqual([problem.replace(name, `./${name}`)]);
    const inFolder = await problemsOf(projectWith([`${name}/`], { [`${name}/a`]: '' }));
    expect(inFolder).toEqual([problem.replace(`3: ${name}`, `3: ${name}/`)]);
    expect(await problemsOf(projectWith(['./'], { [name]: '' }))).toEqual([problem]);
    expect(await modesOf(projectWith(['www/'], { [`www/${name}`]: '' }))).toEqual({ [`www/${name}`]: '644' });
  });

  it('that a list on the droplet holds have no blanks and no patterns', async () => {
    const refused = (path: string) => `${path} has a blank, a pattern or a leading - in its name; rename it`;
    const root = createProject({
      'compose/a b.yml': '',
      'config/.env.a*': '',
      'config/deploy.yml': deployYml('compose: ["compose/a b.yml"]', 'files: ["config/.env.a*"]'),
    });
    expect((await problemsOf(root)).map((problem) => problem.split(': ')[1])).toEqual([
      refused('compose/a b.yml'),
      refused('config/.env.a*'),
    ]);
  });
});

describe('modes', () => {
  it('are those that the files have here, never wider', async () => {
    const modes = { open: 0o777, group: 0o664, plain: 0o644, own: 0o600, script: 0o750, sticky: 0o6755, read: 0o444 };
    const root = projectWith(['www/'], Object.fromEntries(Object.keys(modes).map((name) => [`www/${name}`, ''])));
    for (const [name, mode] of Object.entries(modes)) chmodSync(join(root, 'www', name), mode);
    expect(await modesOf(root)).toEqual({
      'www/group': '644',
      'www/open': '755',
      'www/own': '600',
      'www/plain': '644',
      'www/read': '444',
      'www/script': '750',
      'www/sticky': '755',
    });
  });

  it('of env files and keys are for their owner', async () => {
    const root = projectWith(['www/'], { 'www/.env': '', 'www/a.env': '', 'www/tls.key': '', 'www/acme.json': '{}' });
    for (const name of ['.env', 'a.env', 'tls.key']) chmodSync(join(root, 'www', name), 0o777);
    chmodSync(join(root, 'www/a.env'), 0o400);
    chmodSync(join(root, 'www/acme.json'), 0o600);
    expect(await modesOf(root)).toEqual({
      'www/.env': '600',
      'www/a.env': '400',
      'www/acme.json': '600',
      'www/tls.key': '600',
    });
  });
});

describe('what cannot be sent is refused by its path', () => {
  it('a named pipe, a socket and a device', async () => {
    const root = projectWith(['www/'], { 'www/a': '' });
    execFileSync('mkfifo', [join(root, 'www/pipe')]);
    const server = createServer().listen(join(root, 'www/socket'));
    onTestFinished(() => void server.close());
    const message = (path: string, kind: string) =>
      `config/deploy.yml:3: www/${path} is ${kind}, which cannot be sent; remove it, or list the files beside it`;
    expect(await problemsOf(root)).toEqual([message('pipe', 'a named pipe'), message('socket', 'a socket')]);
  });

  it('a link in a circle, or to nowhere, also as an optional file', async () => {
    const root = projectWith(['www/', 'alone?'], { 'www/a': '' });
    symlinkSync('round', join(root, 'www/round'));
    symlinkSync('nowhere', join(root, 'alone'));
    expect(await problemsOf(root)).toEqual([
      'config/deploy.yml:3: www/round cannot be read: too many symbolic links (ELOOP); check its permissions: ls -ld www/round',
      'config/deploy.yml:3: alone is a link that leads nowhere; remove it, or create what it points to',
    ]);
  });

  it("a link into git's own folder", async () => {
    const root = projectWith(['www/'], { '.git/config': 'token', 'www/a': '' });
    symlinkSync('../.git', join(root, 'www/repository'));
    expect(await problemsOf(root)).toEqual([
      "config/deploy.yml:3: www/repository is a link into git's own folder; remove it",
    ]);
  });

  it('an env file that compose could not read, with its line and without its text', async () => {
    const files = { 'config/.env.test': 'A=b\nKEY=-----BEGIN PRIVATE KEY-----\nMIIEsecret/\n', 'app.env': 'a?secret' };
    expect(await problemsOf(projectWith(['config/.env.test', 'app.env'], files))).toEqual([
      'config/.env.test:2: a key of several lines is not in quotes; put double quotes around all of it',
    ]);
    const utf16 = Buffer.from('\ufeffA=b\n', 'utf16le');
    expect(await problemsOf(projectWith(['app.env'], { 'app.env': utf16 }))).toEqual([
      'app.env:1: the file is UTF-16; save it as UTF-8',
    ]);
    expect(await problemsOf(projectWith(['.env.a'], { '.env.a': 'A=${B:?set it}\nC=${D}\n' }))).toEqual([]);
  });

  it('an env file of more than 1 MiB', async () => {
    const root = projectWith(['app.env'], { 'app.env': 'A=b\n' });
    truncateSync(join(root, 'app.env'), 2 * 1024 * 1024);
    expect(await problemsOf(root)).toEqual([
      'config/deploy.yml:3: app.env is larger than 1 MiB; check that it is the right file',
    ]);
  });

  it('names of a tree that lead out of their folder, as a git tree made by hand may have', () => {
    const names: Record<string, string[]> = { www: ['..', '.', '', 'a/../../b', 'ok'] };
    const tree: FileTree = {
      where: ' in v1',
      find: (path) => {
        if (path === 'www') return { kind: 'folder', real: 'www' };
        return path.startsWith('scripts') ? undefined : { kind: 'file', real: path, executable: false };
      },
      list: (folder) => names[folder] ?? [],
      read: (paths) => paths.map((path) => ({ content: Buffer.from(path) })),
    };
    const problems = new ProblemList();
    const entries = { compose: [{ entry: 'c.yml', place: 'x:1' }], files: [{ entry: 'www/', place: 'x:2' }] };
    const { files } = collectFiles({ root: '/', environment: 'test', hasFile: true, tree }, entries, problems);
    expect(files.map(({ path }) => path)).toEqual(['c.yml', 'www/ok', 'scripts/start-up.sh']);
    expect(problems.toError('x').problems.map(({ message }) => message)).toEqual(
      ['..', '.', '', 'a/../../b'].map((name) => `www contains the name "${name}"`),
    );
  });
});

describe("do-deploy's own secrets never travel", () => {
  const OWN = { 'config/.env': 'DO_TOKEN=dop_v1_secret\n' };

  it.each(['scripts/start-up.sh', 'compose/docker-compose.yml', 'ops/prepare.sh'])('as %s', async (path) => {
    const root = projectWith([], { ...OWN, 'scripts/x': '', 'ops/x': '' }, 'prepare: ops/prepare.sh?');
    execFileSync('rm', ['-f', join(root, path)]);
    symlinkSync('../config/.env', join(root, path));
    expect(await problemsOf(root)).toEqual([
      expect.stringContaining(`${path} is the same file as config/.env, which holds do-deploy's own secrets`),
    ]);
  });

  it('as a start-up script that is a link out of the project, a folder or a pipe', async () => {
    const root = projectWith([]);
    mkdirSync(join(root, 'scripts'));
    symlinkSync('/proc/self/environ', join(root, 'scripts/start-up.sh'));
    expect(await problemsOf(root)).toEqual([
      'scripts/start-up.sh: scripts/start-up.sh is a link to a place outside the project; put the file itself there',
    ]);
    const folder = projectWith([], { 'scripts/start-up.sh/x': '' });
    expect((await problemsOf(folder))[0]).toContain('scripts/start-up.sh is a folder');
  });

  it('as an env file that compose, but not dotenv, finds them in', async () => {
    const root = projectWith(['.env'], { '.env': 'A="x"DO_TOKEN=dop_v1_secret\n' });
    expect((await problemsOf(root))[0]).toContain(".env holds do-deploy's own secrets");
  });

  it('as the SSH key that is named in the configuration', async () => {
    const key = '-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END OPENSSH PRIVATE KEY-----\n';
    const files = { 'keys/deploy': key, 'keys/app': key.replace('x', 'y'), 'www/a': '' };
    const root = projectWith(['keys/', 'www/'], files, 'ssh: { key: keys/deploy }');
    symlinkSync('../keys/deploy', join(root, 'www/linked'));
    linkSync(join(root, 'keys/deploy'), join(root, 'www/twin'));
    expect(Object.keys(await modesOf(root))).toEqual(['keys/app', 'www/a']);
    const listed = projectWith(['keys/deploy'], files, 'ssh: { key: keys/deploy }');
    expect(await problemsOf(listed)).toEqual([
      'config/deploy.yml:3: keys/deploy is the SSH key that do-deploy logs in with and is never uploaded; give the app a key of its own',
    ]);
  });
});

describe('sizes', () => {
  it('a file of 3 GiB is collected without being read', async () => {
    const root = projectWith(['www/'], { 'www/big': '' });
    truncateSync(join(root, 'www/big'), 3 * 1024 ** 3);
    const before = process.memoryUsage.rss();
    expect(await modesOf(root)).toEqual({ 'www/big': '644' });
    expect(process.memoryUsage.rss() - before).toBeLessThan(500 * 1024 ** 2);
  });

  it('20,000 files are collected', async () => {
    const root = projectWith(['www/']);
    mkdirSync(join(root, 'www'));
    for (let index = 0; index < 20_000; index += 1) writeFileSync(join(root, `www/${index}`), '');
    expect((await load(root)).files).toHaveLength(20_002);
  });
});

describe('shared:', () => {
  it('names files and folders that are not sent', async () => {
    const root = projectWith([], {}, 'shared: [data/, ./var//uploads/, .htpasswd, data/]');
    expect((await load(root)).shared).toEqual(['.htpasswd', 'data/', 'var/uploads/']);
  });

  it.each([
    ['../data/', 'is outside the project'],
    ['/srv/data/', 'is outside the project'],
    ['./', 'is the whole release'],
    ['release.json', 'has a name that do-deploy itself uses'],
    ['compose/', 'cannot be shared: compose/docker-compose.yml is sent with each release'],
    ['compose/docker-compose.yml/x', 'cannot be shared: compose/docker-compose.yml is sent with each release'],
    ['scripts/', 'cannot be shared: scripts/start-up.sh is sent with each release'],
  ])('%s is refused', async (entry, message) => {
    const [problem, ...others] = await problemsOf(projectWith([], {}, `shared: [${entry}]`));
    expect(problem).toContain(message);
    expect(others).toEqual([]);
  });
});
