/** `do-deploy tag NAME`: what it would do, as a value, and the doing. */

import { DeployError } from '../../errors.js';
import type { Repository } from '../../ports.js';
import { shortHash } from '../../rollout/commit.js';
import { listPaths } from './version.js';

/** It becomes IMAGE_TAG when it is deployed, so an image must be able to have it, besides git: git-check-ref-format(1). */
const NAME = /^(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}(?<!\.|\.lock)$/;

/** HEAD, ORIG_HEAD and the like: git means a commit of its own by them, and a tag of that name would be passed over. */
const OF_GIT = /^([A-Z]+_)?HEAD$/i;

export interface TagOptions {
  /** Commit also what is not staged, new files included. */
  all: boolean;
  /** With nothing to commit: an empty commit. */
  allowEmpty: boolean;
}

export interface TagPlan {
  name: string;
  /** Paths that are committed before; none: HEAD is tagged. */
  commits: string[];
  /** Whether they have to be staged. */
  stage: boolean;
  /** There is nothing to commit, and a commit is wanted all the same. */
  empty: boolean;
}

export interface Tagged {
  name: string;
  /** The whole hash. */
  commit: string;
}

/** Throws DeployError `bad-tag-name`, `tag-exists`, `unstaged-changes`, `merge-conflict`, `detached-head` or `no-commit`. */
export function planTag(repository: Repository, name: string, { all, allowEmpty }: TagOptions): TagPlan {
  refuseName(repository, name);
  const changes = repository.changes();
  refuseChanges(name, changes, all);
  const { branch, commit } = repository.head();
  const commits = changes.map(({ path }) => path);
  const empty = commits.length === 0 && allowEmpty;
  if (branch === undefined && (commits.length > 0 || empty)) {
    throw refusal('detached-head', 'HEAD is detached: what is committed here would be on no branch.', {
      hint: 'git switch to the branch that it belongs to, or commit nothing',
    });
  }
  if (commit === undefined && commits.length === 0 && !empty) {
    throw refusal('no-commit', 'There is no commit to tag yet.', { hint: 'git add what belongs to it, and try again' });
  }
  return { name, commits, stage: all && commits.length > 0, empty };
}

/** Throws DeployError `git-failed`. */
export function performTag(repository: Repository, plan: TagPlan): Tagged {
  const message = `version ${plan.name}`;
  if (plan.stage) repository.stageEverything();
  const mustCommit = plan.commits.length > 0 || plan.empty;
  if (mustCommit) repository.commit(message);
  repository.createTag(plan.name, message);
  return { name: plan.name, commit: repository.commitOfTag(plan.name) ?? '' };
}

function refuseName(repository: Repository, name: string): void {
  if (!NAME.test(name)) {
    const hint = 'Letters, digits and . _ - as in v1.4.2: it is the tag of the images too';
    throw refusal('bad-tag-name', `"${name}" can't be the name of a version.`, { hint });
  }
  if (OF_GIT.test(name)) {
    throw refusal('bad-tag-name', `"${name}" can't be the name of a version: git has another meaning for it.`, {
      hint: 'Give it a name of its own, as v1.4.2',
    });
  }
  if (!repository.hasTag(name)) return;
  const commit = repository.commitOfTag(name) ?? '';
  throw refusal('tag-exists', `There is a tag ${name} already: commit ${shortHash(commit)}.`, {
    hint: `Choose another name, or deploy that one: do-deploy ENVIRONMENT ${name}`,
  });
}

function refuseChanges(name: string, changes: ReturnType<Repository['changes']>, all: boolean): void {
  const pathsOf = (...kinds: string[]) => changes.filter(({ kind }) => kinds.includes(kind)).map(({ path }) => path);
  const conflicts = pathsOf('conflict');
  if (conflicts.length > 0) {
    throw refusal('merge-conflict', `A merge is not finished: ${listPaths(conflicts)}.`, { hint: 'Finish it first' });
  }
  const surprises = pathsOf('unstaged', 'untracked');
  if (all || surprises.length === 0) return;
  throw refusal('unstaged-changes', `There are changes that are not staged: ${listPaths(surprises)}.`, {
    hint: `git add what belongs to ${name}, and git stash or ignore the rest; do-deploy tag ${name} --all commits everything`,
  });
}

function refusal(code: string, message: string, { hint }: { hint: string }): DeployError {
  return new DeployError(code, message, { source: 'user', hint });
}
