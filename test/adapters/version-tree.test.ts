/** The files of a release at a commit, from real repositories. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { VersionTree } from '../../src/adapters/git/version-tree.js';
import { ProblemList } from '../../src/config/problems.js';
import { collectFiles } from '../../src/config/source-files.js';
import { GitProject } from '../support/git-project.js';

/** Collects the files at a version: `path mode content` of each, and the problems as a user reads them. */
function collect(project: GitProject, name: string, files: string[], folder = '') {
  const root = join(project.root, folder);
  const repository = project.repositoryAt(folder);
  const commit = project.git('rev-parse', `${name}^{commit}`);
  const tree = new VersionTree(root, repository, { name, commit });
  const problems = new ProblemList();
  const entriesOf = (entries: string[]) => entries.map((entry) => ({ entry, place: 'config/deploy.yml:1' }));
  const release = collectFiles(
    { root, environment: 'test', hasFile: true, tree },
    { compose: entriesOf(['compose.yml']), files: entriesOf(files) },
    problems,
  );
  const own = release.files.filter(({ path }) => path !== 'compose.yml' && path !== 'scripts/start-up.sh');
  return {
    files: own.map(({ path, mode, localPath, content }) => {
      const text = (content ?? readFileSync(localPath)).toString('utf8').trim();
      return `${path} ${mode.toString(8)} ${text}${localPath === undefined ? '' : ' (local)'}`;
    }),
    problems: problems.isEmpty
      ? []
      : problems.toError('x').problems.map(({ message, remedy }) => `${message}; ${remedy}`),
    all: release.files,
  };
}

/** Two versions, v1 and v2; the working tree is at v2. */
function project(): GitProject {
  const made = new GitProject({
    '.gitignore': '.env*\nsecrets/\n',
    'compose.yml': 'v1\n',
    'nginx/nginx.conf': 'v1\n',
    'nginx/gone.conf': 'v1\n',
    'nginx/run.sh*': 'v1\n',
    '.env.test': 'SECRET=here\n',
  });
  made.commit('v1');
  made.remove('nginx/gone.conf').write({ 'compose.yml': 'v2\n', 'nginx/nginx.conf': 'v2\n', 'nginx/new.conf': 'v2\n' });
  made.commit('v2');
  return made;
}

describe('the files of a version', () => {
  it('come from its commit; files that git ignores come from the folder', () => {
    const made = project().write({ 'nginx/nginx.conf': 'changed here\n', 'nginx/secrets/x.txt': 'here\n' });
    const before = made.git('status', '--porcelain');
    expect(collect(made, 'v1', ['.env.{environment}', 'nginx/'])).toMatchObject({
      files: [
        '.env.test 600 SECRET=here (local)',
        'nginx/gone.conf 644 v1',
        'nginx/nginx.conf 644 v1',
        'nginx/run.sh 755 v1',
        'nginx/secrets/x.txt 644 here (local)',
      ],
      problems: [],
    });
    expect(made.git('status', '--porcelain'), 'the working tree is unchanged').toBe(before);
  });

  it("never include do-deploy's own variables under another name", () => {
    const made = project().write({ 'config/.env': 'DO_TOKEN=x\n' }).link('config/.env.linked', '.env');
    made.link('nginx/loop', '../config').commit('v3');
    expect(collect(made, 'v3', ['nginx/']).files.join()).not.toContain('DO_TOKEN');
    expect(collect(made, 'v3', ['config/.env.linked']).problems[0]).toContain('is the same file as config/.env');
  });

  it('exclude files that git tracks now but did not track then, also staged ones', () => {
    const made = project().write({ 'nginx/staged.conf': 'x\n', 'nginx/deep/new': 'x\n' });
    made.git('add', '--all');
    expect(collect(made, 'v1', ['nginx/']).files.map((line) => line.split(' ')[0])).toEqual([
      'nginx/gone.conf',
      'nginx/nginx.conf',
      'nginx/run.sh',
    ]);
    expect(collect(made, 'v1', ['nginx/new.conf', 'nginx/deep/', 'nginx/new.conf?'])).toMatchObject({
      files: [],
      problems: [
        'nginx/new.conf does not exist in v1; deploy a version that has it, or write nginx/new.conf? if it is optional',
        'nginx/deep does not exist in v1; deploy a version that has it, or write nginx/deep/? if it is optional',
      ],
    });
  });

  it('include a folder that no longer exists in the working tree', () => {
    const made = project().remove('nginx').remove('compose.yml');
    expect(collect(made, 'v1', ['nginx/']).files).toHaveLength(3);
    made.write({ nginx: 'a file today\n' });
    expect(collect(made, 'v1', ['nginx/']).files).toHaveLength(3);
  });

  it('are byte-exact, in any number', () => {
    const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, index) => (index * 7) % 256));
    const many = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`pages/${index}.html`, `<${index}>\n`]));
    const made = new GitProject({ 'compose.yml': '', 'data/blob': bytes, 'data/empty': '', ...many });
    made.commit('v1');
    const { all } = collect(made, 'v1', ['data/', 'pages/']);
    const hash = (content: Buffer | undefined) =>
      createHash('sha256')
        .update(content ?? '')
        .digest('hex');
    expect(hash(all.find(({ path }) => path === 'data/blob')?.content)).toBe(hash(bytes));
    expect(all.find(({ path }) => path === 'data/empty')?.content).toEqual(Buffer.alloc(0));
    expect(all.filter(({ path }) => path.startsWith('pages/')).map(({ content }) => content?.toString())).toEqual(
      Object.keys(many)
        .sort()
        .map((name) => many[name]),
    );
  });

  it('have paths relative to the project, also when it is not the root of the repository', () => {
    const made = new GitProject({ 'shop/compose.yml': '', 'shop/a': 'v1\n', 'other/a': 'not ours\n' });
    made.commit('v1');
    made.write({ 'shop/a': 'v2\n' });
    expect(collect(made, 'v1', ['a'], 'shop')).toMatchObject({ files: ['a 644 v1'], problems: [] });
  });

  it('follow links as they are in the commit', () => {
    const made = new GitProject({
      'compose.yml': '',
      '.gitignore': 'secrets/\n',
      'real/a': 'v1\n',
      'secrets/key.pem': 'k\n',
    });
    made.link('config/file', '../real/a').link('config/folder', '../real').link('config/secret', '../secrets/key.pem');
    made.link('config/outside', '../../elsewhere').link('config/broken', 'nowhere').link('config/round', '../config');
    made.commit('v1');
    // In the working tree they lead elsewhere today.
    made.remove('config').write({ 'real/a': 'v2\n', 'config/file': 'v2\n' });
    made.commit('v2');
    expect(collect(made, 'v1', ['config/'])).toMatchObject({
      files: ['config/file 644 v1', 'config/folder/a 644 v1', 'config/secret 644 k (local)'],
      problems: [
        'config/broken is a link that leads nowhere in v1; remove it, or create what it points to',
        'config/outside is a link to a place outside the project; put the file itself there, or remove the link',
      ],
    });
    expect(collect(made, 'v1', ['config/outside']).problems).toEqual([
      'config/outside is a link to a place outside the project; put the file itself there',
    ]);
  });

  it('do not leave the project through a link that git does not track', () => {
    const made = project();
    const outside = mkdtempSync(join(tmpdir(), 'do-deploy-outside-'));
    onTestFinished(() => rmSync(outside, { recursive: true, force: true }));
    writeFileSync(join(outside, 'passwd'), 'x\n');
    made.link('secrets/file', join(outside, 'passwd')).link('secrets/folder', outside);
    expect(collect(made, 'v1', ['secrets/'])).toMatchObject({
      files: [],
      problems: [expect.stringMatching(/^secrets\/file is a link to a place outside/), expect.anything()],
    });
    expect(collect(made, 'v1', ['secrets/folder/passwd']).problems).toEqual([
      'secrets/folder/passwd is a link to a place outside the project; put the file itself there',
    ]);
  });

  it('are no pipes, sockets or names that the system refuses: each is named, whether or not it was listed', () => {
    const made = project().write({ 'secrets/key': 'k\n' });
    execFileSync('mkfifo', [join(made.root, 'secrets/pipe')]);
    const pipe = 'secrets/pipe is a named pipe, which cannot be sent; remove it, or list the files beside it';
    expect(collect(made, 'v1', ['secrets/'])).toMatchObject({ files: ['secrets/key 644 k (local)'], problems: [pipe] });
    expect(collect(made, 'v1', ['secrets/pipe']).problems).toEqual([pipe]);
    const long = `secrets/${'x'.repeat(300)}`;
    expect(collect(made, 'v1', [long]).problems).toEqual([
      `${long} cannot be read: its name is too long (ENAMETOOLONG); check its permissions: ls -ld ${long}`,
    ]);
  });

  it.skipIf(process.getuid?.() === 0)('are not taken silently from a folder that cannot be read', () => {
    const made = project().write({ 'secrets/key': 'k\n' });
    chmodSync(join(made.root, 'secrets'), 0);
    onTestFinished(() => chmodSync(join(made.root, 'secrets'), 0o700));
    expect(collect(made, 'v1', ['secrets/']).problems[0]).toMatch(/^secrets cannot be read: permission denied/);
  });

  it('cannot be in a submodule, nor be Git LFS pointers: the problem names the way out', () => {
    const made = new GitProject({ 'compose.yml': '' });
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 12345\n`;
    made.write({ 'data/big.bin': pointer });
    made.git('add', '--all');
    made.git('update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},vendor/theme`);
    made.git('commit', '--quiet', '--message', 'x');
    made.git('tag', 'v1');
    made.write({ 'vendor/theme/a': 'x' });
    expect(collect(made, 'v1', ['vendor/', 'vendor/theme/a', 'data/']).problems).toEqual([
      'vendor/theme is in the submodule vendor/theme, which is not part of this repository; check out v1 with its submodules, then deploy with --working-tree',
      'vendor/theme/a is in the submodule vendor/theme, which is not part of this repository; check out v1 with its submodules, then deploy with --working-tree',
      'data/big.bin is in Git LFS: git holds only a pointer to it; check that version out, and deploy with --working-tree',
    ]);
  });

  it('are decrypted by the filter that git-crypt configured, and refused without it', () => {
    const made = new GitProject({
      'compose.yml': '',
      '.gitattributes': 'secret.key filter=git-crypt\n',
      'secret.key': Buffer.from('\0GITCRYPT\0\x01\x02'),
    });
    made.commit('v1');
    expect(collect(made, 'v1', ['secret.key']).problems).toEqual([
      'secret.key is encrypted by git-crypt; git-crypt unlock',
    ]);
    const smudge = join(made.root, '.git/smudge');
    writeFileSync(smudge, '#!/bin/sh\ncat >/dev/null\necho in the clear\n');
    chmodSync(smudge, 0o755);
    made.git('config', 'filter.git-crypt.smudge', smudge);
    made.git('config', 'filter.git-crypt.required', 'true');
    expect(collect(made, 'v1', ['secret.key'])).toMatchObject({ files: ['secret.key 600 in the clear'], problems: [] });
  });

  it("include the version's own start-up script, or the one that comes with do-deploy", () => {
    const made = new GitProject({ 'compose.yml': '' });
    made.commit('v1');
    made.write({ 'scripts/start-up.sh': 'v2\n' });
    made.commit('v2');
    made.write({ 'scripts/start-up.sh': 'changed here\n' });
    const startUp = (version: string) =>
      collect(made, version, []).all.find(({ path }) => path === 'scripts/start-up.sh');
    expect(startUp('v2')).toEqual({ path: 'scripts/start-up.sh', mode: 0o755, content: Buffer.from('v2\n') });
    expect(startUp('v1')?.localPath).toMatch(/scripts\/start-up\.sh$/);
    expect(startUp('v1')?.localPath).not.toContain(made.root);
  });
});
