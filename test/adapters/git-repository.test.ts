import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openRepository } from '../../src/adapters/git/repository.js';
import { GIT_ENV, GitProject } from '../support/git-project.js';

describe('a repository', () => {
  it('is not found outside a repository, in a bare one, and inside .git', () => {
    const plain = new GitProject({ a: '' }, { init: false });
    expect(openRepository(plain.root, GIT_ENV)).toBeUndefined();
    const project = new GitProject({ a: '' });
    const noGit = { ...GIT_ENV, PATH: plain.root };
    expect(openRepository(plain.root, noGit)).toBeUndefined();
    mkdirSync(join(project.root, 'below'));
    for (const folder of ['', 'below']) {
      expect(() => openRepository(join(project.root, folder), noGit)).toThrow(
        `${project.root} is a git repository, but git is not installed.`,
      );
    }
    expect(openRepository(join(project.root, '.git'), GIT_ENV)).toBeUndefined();
    mkdirSync(join(plain.root, 'bare'));
    plain.git('init', '--quiet', '--bare', 'bare');
    expect(openRepository(join(plain.root, 'bare'), GIT_ENV)).toBeUndefined();
  });

  it('is the one around the folder, also when a git hook of another one runs do-deploy', () => {
    const project = new GitProject({ a: '' });
    const commit = project.commit('v1');
    const env = { ...GIT_ENV, GIT_DIR: '/nowhere', GIT_INDEX_FILE: '/nowhere/index', GIT_WORK_TREE: '/' };
    expect(openRepository(project.root, env)?.head()).toEqual({ commit, branch: 'main' });
  });

  it("that git refuses to read is an error with git's own message, not a missing repository", () => {
    const project = new GitProject({ a: '', '.git/config': '[core\n' });
    expect(() => openRepository(project.root, GIT_ENV)).toThrow(/^git rev-parse failed: fatal: bad config line 1/);
  });

  it('has a HEAD with or without a commit, on a branch or detached', () => {
    const project = new GitProject({ a: '' });
    expect(project.repository.head()).toEqual({ branch: 'main' });
    const commit = project.commit();
    project.git('checkout', '--quiet', '--detach');
    expect(project.repository.head()).toEqual({ commit });
  });

  it('resolves names only as tags, and hashes only as commits', () => {
    const project = new GitProject({ a: '' });
    const commit = project.commit('v1');
    project.git('tag', 'light');
    project.git('tag', 'tree', 'HEAD^{tree}');
    project.git('branch', 'v2');
    const { repository } = project;
    expect(repository.commitOfTag('v1')).toBe(commit);
    expect(repository.commitOfTag('light')).toBe(commit);
    for (const name of ['v2', 'main', 'HEAD', '-rf', '--all', 'v1^{tree}~1']) {
      expect(repository.commitOfTag(name), name).toBeUndefined();
    }
    expect(() => repository.commitOfTag('tree')).toThrow(/^git rev-parse failed/);
    expect(repository.commitsLike(commit.slice(0, 7))).toEqual([commit]);
    expect(repository.commitsLike(project.git('rev-parse', 'HEAD^{tree}').slice(0, 7))).toEqual([]);
    expect(repository.commitsLike('0123456789')).toEqual([]);
  });

  it('lists the commits between two commits, and takes nothing else for a commit', () => {
    const project = new GitProject();
    const [first, second, third] = ['one', 'two', 'three'].map((name) => {
      project.write({ [name]: name }).git('add', '--all');
      project.git('commit', '--quiet', '--message', `Add ${name}`);
      return project.git('rev-parse', 'HEAD');
    });
    const repository = project.repository;
    expect(repository.commitsBetween(first ?? '', third ?? '', 1)).toEqual({
      total: 2,
      newest: [{ commit: third, subject: 'Add three' }],
    });
    expect(repository.commitsBetween(third ?? '', second ?? '', 5)).toEqual({ total: 0, newest: [] });
    for (const commit of ['f'.repeat(40), '--output=/tmp/x', 'main', '']) {
      expect(repository.commitsBetween(commit, third ?? '', 5)).toBeUndefined();
    }
  });

  it('finds a branch here and at remotes, and checks which commits it contains', () => {
    const project = new GitProject({ a: '' });
    const first = project.commit();
    project.git('update-ref', 'refs/remotes/origin/main', first);
    project.git('update-ref', 'refs/remotes/origin/feature/main', first);
    project.git('branch', 'mainly');
    const second = project.commit();
    const { repository } = project;
    expect(repository.branchesNamed('main')).toEqual(['refs/heads/main', 'refs/remotes/origin/main']);
    expect(repository.branchesNamed('feature/main')).toEqual(['refs/remotes/origin/feature/main']);
    expect(repository.branchesNamed('none')).toEqual([]);
    expect(repository.isContained(first, 'refs/heads/main')).toBe(true);
    expect(repository.isContained(second, 'refs/remotes/origin/main')).toBe(false);
    expect(() => repository.isContained('0'.repeat(40), 'refs/heads/main')).toThrow(/^git merge-base failed/);
  });

  it('lists changes of every kind, with their exact names', () => {
    const project = new GitProject({ '.gitignore': 'ignored\n', 'a b': '1', c: '1', gone: '1' });
    project.commit();
    expect(project.repository.changes()).toEqual([]);
    project.write({ 'a b': '2', c: '2', 'new/ü\n': '', ignored: '' }).remove('gone');
    project.git('add', 'c', 'gone');
    expect(project.repository.changes()).toEqual([
      { path: 'a b', kind: 'unstaged' },
      { path: 'c', kind: 'staged' },
      { path: 'gone', kind: 'staged' },
      { path: 'new/ü\n', kind: 'untracked' },
    ]);
    expect(project.repository.untrackedPaths()).toEqual(['new/ü\n']);
    expect(project.repository.trackedPaths()).toEqual(['.gitignore', 'a b', 'c']);
  });

  it('reports an unfinished merge as a conflict', () => {
    const project = new GitProject({ a: '1' });
    project.commit();
    project.git('switch', '--quiet', '--create', 'other');
    project.write({ a: '2' }).commit();
    project.git('switch', '--quiet', 'main');
    project.write({ a: '3' }).commit();
    expect(() => project.git('merge', 'other')).toThrow();
    expect(project.repository.changes()).toEqual([{ path: 'a', kind: 'conflict' }]);
  });

  it('lists a tag of a tag with its commit, and a tag without a date with that of its commit', () => {
    const project = new GitProject({ a: '1' });
    const first = project.commit('v1');
    project.git('tag', '--annotate', '--message', 'nested', 'v1-nested', 'v1');
    project.git('tag', '--annotate', '--message', 'nested twice', 'v1-twice', 'v1-nested');
    // Old versions of git and some importers made such tags.
    const text = `object ${first}\ntype commit\ntag old\n\nimported\n`;
    const object = execFileSync('git', ['hash-object', '-t', 'tag', '-w', '--stdin'], {
      cwd: project.root,
      env: GIT_ENV,
      input: text,
      encoding: 'utf8',
    }).trim();
    project.git('update-ref', 'refs/tags/old', object);
    const tags = new Map(project.repository.tags().map((tag) => [tag.name, tag]));
    for (const name of ['v1', 'v1-nested', 'v1-twice', 'old']) expect(tags.get(name)?.commit, name).toBe(first);
    const committed = project.git('log', '--max-count=1', '--format=%cI', first);
    expect(Date.parse(tags.get('old')?.at ?? '')).toBe(Date.parse(committed));
    expect([...tags.keys()].at(-1), 'it is the oldest').toBe('old');
  });

  it('lists tags by date, newest first, with the commit that they point to', () => {
    const project = new GitProject({ a: '1' });
    const first = project.commit('v1');
    const second = project.write({ a: '2' }).commit('v2');
    project.git('tag', '--annotate', '--message', 'late: a "quoted" word', 'v1-again', first);
    project.git('tag', 'light', first);
    project.git('tag', 'tree', 'HEAD^{tree}');
    expect(project.repository.tags().map(({ name, commit, subject }) => [name, commit, subject])).toEqual([
      ['v1-again', first, 'late: a "quoted" word'],
      ['v2', second, 'version v2'],
      ['v1', first, 'version v1'],
      ['light', first, 'up to v1'],
    ]);
    expect(project.repository.tags()[0]?.at).toMatch(/^2026-11-21T07:\d\d:00(Z|\+00:00)$/);
  });
});
