/** Contents of committed files, read by git itself into a private folder. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { openRepository } from '../../src/adapters/git/repository.js';
import { GIT_ENV, GitProject } from '../support/git-project.js';

/** A folder for temporary files of this test alone. */
function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'do-deploy-tmp-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Redirects os.tmpdir() of this process to a folder of the test. */
function redirectTemporaryFiles(): string {
  const folder = temporaryFolder();
  vi.stubEnv('TMPDIR', folder);
  onTestFinished(() => void vi.unstubAllEnvs());
  return folder;
}

/** An executable shell script. */
function script(path: string, text: string): string {
  writeFileSync(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  return path;
}

const read = (project: GitProject, ...paths: string[]) =>
  project.repository.readFiles('HEAD', paths).map((content) => content.toString('latin1'));

/** A commit whose tree is written by hand, with names that git would not accept from a working tree. */
function commitTree(project: GitProject, ...names: (string | Buffer)[]): string {
  const object = (type: string, input: Buffer | string) =>
    execFileSync('git', ['hash-object', '-t', type, '-w', '--stdin', '--literally'], {
      cwd: project.root,
      env: GIT_ENV,
      input,
      encoding: 'utf8',
    }).trim();
  const blob = object('blob', 'content');
  const inner = names.map((name) =>
    Buffer.concat([Buffer.from('100644 '), Buffer.from(name), Buffer.from([0]), Buffer.from(blob, 'hex')]),
  );
  const folder = Buffer.concat([
    Buffer.from('40000 folder\0'),
    Buffer.from(object('tree', Buffer.concat(inner)), 'hex'),
  ]);
  return project.git('commit-tree', '-m', 'by hand', object('tree', folder));
}

describe('files of a commit', () => {
  it('have the content that a checkout would write, with line ends as they are in git', () => {
    const project = new GitProject({
      '.gitattributes': '*.txt text=auto\n*.bat text eol=crlf\n*.id ident\n',
      'a.txt': 'a\nb\n',
      'a.bat': 'a\nb\n',
      'a.id': '$Id$\n',
      empty: '',
    });
    project.commit();
    project.git('config', 'core.autocrlf', 'true');
    // The attributes are those of the commit.
    project.remove('.gitattributes');
    const [text, batch, ident, empty] = read(project, 'a.txt', 'a.bat', 'a.id', 'empty');
    expect([text, batch, empty]).toEqual(['a\nb\n', 'a\r\nb\r\n', '']);
    expect(ident).toMatch(/^\$Id: [0-9a-f]{40} \$\n$/);
  });

  it('are read whatever their names are, links as their targets', () => {
    const names = ['a b', 'ü', 'line\nbreak', 'tab\there', '"quoted"', '-rf', ':(top)x', '*', 'A', '[id]/(shop)/a~'];
    const project = new GitProject(Object.fromEntries(names.map((name) => [`${name}/f`, name])));
    project.link('to passwd', '/etc/passwd').write({ a: 'lower case' });
    project.commit();
    const paths = [...names.map((name) => `${name}/f`), 'to passwd', 'a'];
    expect(project.repository.readFiles('HEAD', paths).map(String)).toEqual([...names, '/etc/passwd', 'lower case']);
    expect(project.repository.entriesAt('HEAD').map(({ path }) => path)).toEqual(expect.arrayContaining(paths));
  });

  it('are read from the whole commit, however the working tree and its index are set up', () => {
    const project = new GitProject({ 'deep/a': 'a', b: 'b' });
    project.commit();
    project.git('sparse-checkout', 'set', '--no-cone', '/b');
    project.git('config', 'core.splitIndex', 'true');
    project.git('config', 'core.fsmonitor', script(join(project.root, '.git/monitor'), 'touch ../monitored'));
    script(join(project.root, '.git/hooks/post-index-change'), `touch ${project.root}/hooked`);
    const files = () => readdirSync(join(project.root, '.git')).sort();
    const before = { files: files(), index: statSync(join(project.root, '.git/index')).mtimeMs };
    expect(read(project, 'deep/a', 'b')).toEqual(['a', 'b']);
    expect({ files: files(), index: statSync(join(project.root, '.git/index')).mtimeMs }).toEqual(before);
    expect(existsSync(join(project.root, 'hooked')), 'no hook has run').toBe(false);
  });

  it('are read below the project only, and in a linked worktree', () => {
    const project = new GitProject({ 'shop/a': 'shop', a: 'root' });
    project.commit();
    project.git('worktree', 'add', '--quiet', '--detach', 'linked');
    for (const folder of ['shop', 'linked/shop']) {
      const repository = project.repositoryAt(folder);
      expect(repository.entriesAt('HEAD')).toEqual([{ path: 'a', mode: '100644' }]);
      expect(repository.readFiles('HEAD', ['a']).map(String), folder).toEqual(['shop']);
    }
  });

  it('are refused when the commit holds a path that leads out of its folder', () => {
    const project = new GitProject({ a: '' });
    project.commit();
    for (const name of ['..', '.', '.git', '.GIT']) {
      const commit = commitTree(project, name);
      expect(() => project.repository.entriesAt(commit), name).toThrow(/contains the path ".*", which is not allowed/);
      expect(() => project.repository.readFiles(commit, [`folder/${name}`]), name).toThrow(/^git /);
    }
  });

  it('are an error when git cannot read them, with its own message in plain characters', () => {
    const project = new GitProject({ '.gitattributes': 'a filter=locked\n', a: 'x' });
    project.commit();
    project.git('config', 'filter.locked.smudge', `printf 'the key is \\033[31mmissing' >&2; exit 1`);
    project.git('config', 'filter.locked.required', 'true');
    expect(() => read(project, 'a')).toThrow(/^git checkout-index failed: the key is missing/);
    expect(() => read(project, 'none')).toThrow(/^git checkout-index failed: .*none is not in the cache/);
    expect(() => project.repository.readFiles('0'.repeat(40), ['a'])).toThrow(/^git read-tree failed/);
  });

  it('are not fetched from a remote: a partial clone is named as such', () => {
    const source = new GitProject({ a: 'one' });
    const commit = source.commit();
    source.write({ a: 'two' }).commit();
    source.git('config', 'uploadpack.allowFilter', 'true');
    const clone = new GitProject({}, { init: false });
    clone.git('clone', '--quiet', '--filter=blob:none', `file://${source.root}`, 'clone');
    const repository = clone.repositoryAt('clone');
    const failure = (() => {
      try {
        return repository.readFiles(commit, ['a']);
      } catch (error) {
        return error;
      }
    })();
    expect(failure).toMatchObject({ code: 'git-failed', hint: expect.stringContaining('git fetch --refetch') });
    // Otherwise git packs in the background afterwards, and replaces packs while they are read.
    execFileSync('git', ['fetch', '--quiet', '--refetch', '--no-filter', '--no-auto-maintenance'], {
      cwd: join(clone.root, 'clone'),
      env: GIT_ENV,
    });
    expect(repository.readFiles(commit, ['a']).map(String)).toEqual(['one']);
  });
});

describe('the private folder', () => {
  it('is readable by the user alone while git writes to it, and removed afterwards, also after a failure', () => {
    const project = new GitProject({ '.gitattributes': 'a filter=watch\n', a: 'x' });
    project.commit();
    const temporary = redirectTemporaryFiles();
    const seen = join(project.root, '.git/seen');
    const smudge = (more: string) =>
      project.git('config', 'filter.watch.smudge', `stat -c '%a %n' ${temporary}/* >${seen}; cat; ${more}`);
    project.git('config', 'filter.watch.required', 'true');
    smudge('true');
    expect(read(project, 'a')).toEqual(['x']);
    expect(execFileSync('cat', [seen], { encoding: 'utf8' })).toMatch(/^700 .*\/do-deploy-version-\w+\n$/);
    expect(readdirSync(temporary)).toEqual([]);
    smudge('exit 1');
    expect(() => read(project, 'a')).toThrow(/^git checkout-index failed/);
    expect(readdirSync(temporary)).toEqual([]);
  });

  it('is removed when a signal ends the process meanwhile, and the signal still ends it', () => {
    const temporary = temporaryFolder();
    const project = new GitProject({ '.gitattributes': 'a filter=stop\n', a: 'x' });
    project.commit();
    const program = join(temporary, 'program.mjs');
    const root = new URL('../..', import.meta.url).href;
    writeFileSync(
      program,
      `import { openRepository } from '${root}src/adapters/git/repository.ts';
       setInterval(() => {}, 1000);
       const [file] = openRepository(${JSON.stringify(project.root)}, process.env).readFiles('HEAD', ['a']);
       process.stdout.write(file);`,
    );
    const folder = join(temporary, 'tmp');
    mkdirSync(folder);
    for (const signal of ['TERM', 'INT', 'HUP']) {
      project.git('config', 'filter.stop.smudge', `kill -${signal} $DEPLOYER; cat`);
      const { stdout, signal: endedBy } = spawnSync(
        '/bin/sh',
        ['-c', 'export DEPLOYER=$$; exec node --import "$1" "$0"', program, `${root}bench/typescript.mjs`],
        {
          env: { ...GIT_ENV, TMPDIR: folder },
          encoding: 'utf8',
        },
      );
      expect({ stdout, endedBy }).toEqual({ stdout: 'x', endedBy: `SIG${signal}` });
      expect(readdirSync(folder)).toEqual([]);
    }
  });

  it('is a clear error when it cannot be created', () => {
    const project = new GitProject({ a: '' });
    project.commit();
    vi.stubEnv('TMPDIR', join(project.root, 'nowhere'));
    onTestFinished(() => void vi.unstubAllEnvs());
    expect(() => read(project, 'a')).toThrow(`Cannot create a temporary folder in ${project.root}/nowhere`);
  });
});

describe('the environment of git', () => {
  it('points at no other repository, whatever the environment of do-deploy says', () => {
    const project = new GitProject({ a: 'mine' });
    project.commit();
    const other = new GitProject({ a: 'other' });
    other.commit();
    const env = {
      ...GIT_ENV,
      GIT_DIR: join(other.root, '.git'),
      GIT_COMMON_DIR: join(other.root, '.git'),
      GIT_OBJECT_DIRECTORY: join(other.root, '.git/objects'),
      GIT_INDEX_FILE: '/nowhere/index',
      GIT_WORK_TREE: '/',
      GIT_PREFIX: 'x/',
      GIT_NAMESPACE: 'x',
      GIT_LITERAL_PATHSPECS: '1',
      GIT_CONFIG_PARAMETERS: "'core.bare=true'",
    };
    const repository = openRepository(project.root, env);
    expect(repository?.readFiles('HEAD', ['a']).map(String)).toEqual(['mine']);
    project.write({ a: 'changed' });
    repository?.stageEverything();
    expect(repository?.changes()).toEqual([{ path: 'a', kind: 'staged' }]);
  });

  it('runs the hooks of a repository for a commit only', () => {
    const project = new GitProject({ a: '' });
    project.commit();
    script(join(project.root, '.git/hooks/pre-commit'), 'echo "tests fail" >&2; exit 1');
    project.write({ a: 'x' });
    const { repository } = project;
    repository.stageEverything();
    expect(() => repository.commit('x')).toThrow('git commit failed: tests fail');
  });
});
