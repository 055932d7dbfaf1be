/** Finding, checking and tagging versions, on real repositories. */
import { describe, expect, it } from 'vitest';
import type { SourceFile } from '../../../src/config/settings.js';
import { performTag, planTag } from '../../../src/deploy/release/git-tag.js';
import { describeVersion, findVersion } from '../../../src/deploy/release/version.js';
import { checkPolicy } from '../../../src/deploy/release/version-policy.js';
import { GitProject } from '../../support/git-project.js';

const filesOf = (project: GitProject, ...paths: string[]): SourceFile[] =>
  paths.map((path) => ({ path, mode: 0o644, localPath: `${project.root}/${path}` }));

describe('the version', () => {
  it('is the tag or commit that RELEASE names; any other RELEASE is an image tag with the local files', () => {
    const project = new GitProject({ a: '1' });
    const first = project.commit('v1');
    const second = project.write({ a: '2' }).commit();
    // A tag takes precedence over a commit of the same name.
    project.git('tag', second.slice(0, 7), first);
    const { repository } = project;
    const find = (release?: string) => findVersion(repository, release);
    expect(find('v1')).toEqual({ from: 'commit', commit: first, name: 'v1' });
    expect(find(second.slice(0, 7))).toMatchObject({ commit: first });
    expect(find(second.slice(0, 8))).toEqual({ from: 'commit', commit: second, name: second.slice(0, 8) });
    expect(find(first.toUpperCase())).toMatchObject({ from: 'commit', commit: first });
    for (const name of [undefined, 'latest', 'main', 'HEAD', 'v9', '20261121']) {
      expect(find(name), name).toEqual({ from: 'working-tree', commit: second });
    }
  });

  it('is refused when several commits start with the hash', () => {
    const { repository } = new GitProject({ a: '' });
    const two = Object.assign(Object.create(repository) as typeof repository, {
      commitOfTag: () => undefined,
      commitsLike: () => ['abcdef01', 'abcdef02'],
    });
    expect(() => findVersion(two, 'abcdef0')).toThrow('abcdef0 is ambiguous: 2 commits start with it.');
  });

  it('is a plain folder outside git, and where git tracks nothing', () => {
    expect(findVersion(undefined, 'v1')).toEqual({ from: 'folder' });
    const project = new GitProject({ '.gitignore': 'sandbox/\n', 'sandbox/a': '' });
    project.commit('v1');
    expect(findVersion(project.repositoryAt('sandbox'), 'v1')).toEqual({ from: 'folder' });
  });

  it('is refused when the commit does not contain the folder: the local files are another version', () => {
    const project = new GitProject({ 'other/a': '' });
    const first = project.commit('v1');
    project.write({ 'shop/a': '' }).commit('v2');
    const shop = project.repositoryAt('shop');
    const hint = expect.stringContaining('--working-tree');
    for (const name of ['v1', first.slice(0, 8)]) {
      expect(() => findVersion(shop, name)).toThrow(expect.objectContaining({ code: 'not-in-version', hint }));
    }
    expect(() => findVersion(shop, 'v1')).toThrow(
      `v1 (commit ${first.slice(0, 7)}) does not contain this project's folder.`,
    );
    expect(findVersion(shop, undefined)).toMatchObject({ from: 'working-tree' });
    expect(findVersion(shop, 'v2')).toMatchObject({ from: 'commit' });
  });

  it('reports its commit, and whether the files sent differ from it', () => {
    const project = new GitProject({ '.gitignore': '.env\n', a: '1', '.env': 'S=1', new: '' });
    project.git('add', '.gitignore', 'a');
    project.git('commit', '--quiet', '--message', 'x');
    const commit = project.git('rev-parse', 'HEAD');
    const here = (release: string | undefined, ...paths: string[]) => {
      const { repository } = project;
      return describeVersion(findVersion(repository, release), repository, release, filesOf(project, ...paths));
    };
    const short = commit.slice(0, 7);
    expect(here(undefined, 'a', '.env')).toEqual({ commit: { commit } });
    expect(here(undefined, 'a', 'new'), 'an untracked file').toEqual({ commit: { commit, dirty: true } });
    expect(here('v9', 'a')).toEqual({
      commit: { commit },
      notice: `v9 only sets IMAGE_TAG; the files come from the working tree (commit ${short}).`,
    });
    project.git('tag', 'v1');
    expect(here('v1', '.env')).toEqual({
      commit: { commit },
      notice: `The files come from v1 (commit ${short}); ignored files come from the working tree.`,
    });
    expect(here('v1', '.env', 'new')).toEqual({
      commit: { commit, dirty: true },
      notice: `The files come from v1 (commit ${short}); ignored files come from the working tree. Not in git, taken from the working tree: new.`,
    });
    project.write({ a: '2' });
    expect(here('v1', '.env'), 'the working tree is not sent').toMatchObject({ commit: { commit } });
    expect(here('v9', 'a')).toEqual({
      commit: { commit, dirty: true },
      notice: `v9 only sets IMAGE_TAG; the files come from the working tree (commit ${short}, with uncommitted changes).`,
    });
  });
});

describe('require_clean', () => {
  const policy = { environment: 'production', requireClean: true };
  const check = (project: GitProject, release?: string) =>
    checkPolicy(policy, project.repository, findVersion(project.repository, release));

  it('allows a clean working tree, with or without ignored files, and refuses any change', () => {
    const project = new GitProject({ '.gitignore': '.env\n', '.env': '', a: '1' });
    project.commit('v1');
    check(project);
    check(project, 'v1');
    project.write({ new: '' });
    expect(() => check(project)).toThrow(
      'production may only be deployed from a clean working tree. Uncommitted: new.',
    );
    project.remove('new').write({ a: '2' });
    expect(() => check(project, 'v1')).toThrow(expect.objectContaining({ code: 'not-clean', source: 'user' }));
  });

  it('requires a repository; without the setting none is required', () => {
    expect(() => checkPolicy(policy, undefined, { from: 'folder' })).toThrow(
      'production has require_clean, but the project is not in a git repository.',
    );
    checkPolicy({ environment: 'production', requireClean: false }, undefined, { from: 'folder' });
  });
});

describe('deploy_from: main', () => {
  const policy = { environment: 'production', requireClean: false, deployFrom: 'main' };
  const check = (project: GitProject, release?: string) =>
    checkPolicy(policy, project.repository, findVersion(project.repository, release));
  /** v1 is on main, v2 on the branch feature, which is checked out. */
  const branched = () => {
    const project = new GitProject({ a: '1' });
    project.commit('v1');
    project.git('switch', '--quiet', '--create', 'feature');
    project.write({ a: '2' }).commit('v2');
    return project;
  };

  it('allows main, and names the branch that it refuses', () => {
    const project = branched();
    expect(() => check(project)).toThrow(
      expect.objectContaining({
        code: 'wrong-branch',
        message: 'production may only be deployed from main, and this is feature.',
        hint: 'git switch main',
      }),
    );
    project.git('switch', '--quiet', 'main');
    check(project);
  });

  it('checks whether main contains a RELEASE that is in git, whatever is checked out', () => {
    const project = branched();
    check(project, 'v1');
    const commit = project.git('rev-parse', '--short=7', 'v2^{commit}');
    const refused = `production may only be deployed from main, and v2 (commit ${commit}) is not on it.`;
    expect(() => check(project, 'v2')).toThrow(refused);
    project.git('switch', '--quiet', 'main');
    expect(() => check(project, 'v2')).toThrow(refused);
    project.git('merge', '--quiet', 'feature');
    check(project, 'v2');
  });

  it('checks a detached HEAD too, as in CI, where only the remote may have main', () => {
    const project = branched();
    project.git('update-ref', 'refs/remotes/origin/main', 'main');
    project.git('checkout', '--quiet', '--detach', 'v1');
    project.git('branch', '--quiet', '--delete', '--force', 'main', 'feature');
    check(project);
    check(project, 'v1');
    check(project, 'latest');
    expect(() => check(project, 'v2')).toThrow(/is not on it\.$/);
    project.git('checkout', '--quiet', 'v2');
    expect(() => check(project)).toThrow(/and commit [0-9a-f]{7} is not on it\.$/);
    project.git('update-ref', '-d', 'refs/remotes/origin/main');
    expect(() => check(project)).toThrow(
      expect.objectContaining({
        message: 'production may only be deployed from main, and this clone has no branch main.',
        hint: expect.stringContaining('git fetch origin main:refs/remotes/origin/main'),
      }),
    );
  });

  it('hints that a shallow clone may lack the commit', () => {
    const project = branched();
    project.git('switch', '--quiet', 'main');
    project.write({ b: '1' }).commit('v3');
    const clone = new GitProject({}, { init: false });
    clone.git('clone', '--quiet', '--depth=1', `file://${project.root}`, 'shop');
    clone.git('-C', 'shop', 'fetch', '--quiet', '--depth=1', 'origin', 'tag', 'v1');
    const repository = clone.repositoryAt('shop');
    const version = findVersion(repository, 'v1');
    expect(version).toMatchObject({ from: 'commit', name: 'v1' });
    expect(() => checkPolicy(policy, repository, version)).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('git fetch --unshallow') }),
    );
  });
});

describe('a tag', () => {
  const NOTHING = { all: false, allowEmpty: false };
  const tagIt = (project: GitProject, options = NOTHING) => {
    const plan = planTag(project.repository, 'v1', options);
    return { plan, tagged: performTag(project.repository, plan) };
  };
  const log = (project: GitProject) => project.git('log', '--format=%s', '--name-only').split('\n').filter(Boolean);

  it('is annotated, and points to HEAD when there is nothing to commit', () => {
    const project = new GitProject({ '.gitignore': 'x\n', x: '' });
    const commit = project.commit();
    expect(tagIt(project)).toEqual({
      plan: { name: 'v1', commits: [], stage: false, empty: false },
      tagged: { name: 'v1', commit },
    });
    expect(project.git('cat-file', '-t', 'v1')).toBe('tag');
    expect(project.git('tag', '--list', '--format=%(contents)')).toBe('version v1');
  });

  it('commits what is staged, and nothing else', () => {
    const project = new GitProject({ a: '1', b: '1' });
    project.commit();
    project.write({ a: '2' });
    project.git('add', 'a');
    const { plan, tagged } = tagIt(project);
    expect(plan.commits).toEqual(['a']);
    expect(log(project).slice(0, 2)).toEqual(['version v1', 'a']);
    expect(tagged.commit).toBe(project.git('rev-parse', 'HEAD'));
  });

  it('is refused while changes are not staged, and commits them with --all', () => {
    const project = new GitProject({ a: '1' });
    project.commit();
    project.write({ a: '2', new: '' });
    expect(() => planTag(project.repository, 'v1', NOTHING)).toThrow(
      expect.objectContaining({
        code: 'unstaged-changes',
        message: 'Some changes are not staged: a, new.',
        hint: 'Stage what belongs to v1 with git add and stash the rest, or commit everything: do-deploy tag v1 --all',
      }),
    );
    expect(tagIt(project, { all: true, allowEmpty: true }).plan).toMatchObject({ commits: ['a', 'new'], empty: false });
    expect(log(project).slice(0, 3)).toEqual(['version v1', 'a', 'new']);
    expect(project.git('status', '--porcelain')).toBe('');
  });

  it('makes an empty commit when there is nothing to commit and --allow-empty is given', () => {
    const project = new GitProject({ a: '1' });
    const before = project.commit();
    const { tagged } = tagIt(project, { all: false, allowEmpty: true });
    expect(project.git('rev-parse', `${tagged.commit}^`)).toBe(before);
    expect(log(project)[0]).toBe('version v1');
  });

  it('is refused when it exists, when its name is invalid in git or for an image, and when there is no commit', () => {
    const project = new GitProject({});
    const plan = (name: string) => planTag(project.repository, name, NOTHING);
    expect(() => plan('v1')).toThrow('There is no commit to tag yet.');
    const commit = project.write({ a: '' }).commit('v1');
    expect(() => plan('v1')).toThrow(`The tag v1 already exists, at commit ${commit.slice(0, 7)}.`);
    for (const name of [
      '-d',
      '--delete',
      'a b',
      'a/b',
      'a..b',
      'v1.lock',
      'v1.',
      '.a',
      'a~1',
      'a^',
      'a:b',
      '',
      '@{u}',
    ]) {
      expect(() => plan(name), name).toThrow(`"${name}" is not a valid name for a version.`);
    }
    for (const name of ['HEAD', 'head', 'FETCH_HEAD', 'ORIG_HEAD']) {
      expect(() => plan(name), name).toThrow(`"${name}" is not a valid name for a version: git reserves it.`);
    }
    expect(plan('v1-HEAD').name).toBe('v1-HEAD');
  });

  it('is refused in a folder that git does not know: the repository around it is another project', () => {
    const project = new GitProject({ '.gitignore': 'shop/\n', 'shop/compose.yml': '' });
    project.commit();
    const plan = (folder: string, all: boolean) =>
      planTag(project.repositoryAt(folder), 'v1', { all, allowEmpty: true });
    for (const all of [false, true]) {
      expect(() => plan('shop', all)).toThrow(expect.objectContaining({ code: 'no-repository' }));
    }
    project.write({ 'new/compose.yml': '' });
    expect(plan('new', true).commits, 'it becomes part of the repository').toEqual(['new/compose.yml']);
  });

  it('does not commit onto a detached HEAD or during a merge', () => {
    const project = new GitProject({ a: '1' });
    project.commit();
    project.git('checkout', '--quiet', '--detach');
    project.write({ a: '2' });
    expect(() => planTag(project.repository, 'v1', { all: true, allowEmpty: false })).toThrow(/^HEAD is detached/);
    project.git('checkout', '--quiet', 'a');
    expect(tagIt(project).plan.commits, 'tagging alone is allowed').toEqual([]);
    project.git('switch', '--quiet', '--create', 'other', 'main');
    project.write({ a: '3' }).commit();
    project.git('switch', '--quiet', 'main');
    project.write({ a: '4' }).commit();
    expect(() => project.git('merge', 'other')).toThrow();
    expect(() => planTag(project.repository, 'v2', { all: true, allowEmpty: false })).toThrow(
      'A merge has unresolved conflicts: a.',
    );
  });

  it('reports what git prints when it cannot commit', () => {
    const project = new GitProject({ a: '1' });
    project.write({ '.git/hooks/pre-commit*': '#!/bin/sh\necho the tests fail >&2\nexit 1\n' });
    project.git('add', '--all');
    const plan = planTag(project.repository, 'v1', NOTHING);
    expect(() => performTag(project.repository, plan)).toThrow('git commit failed: the tests fail');
    expect(project.repository.hasTag('v1')).toBe(false);
  });
});
