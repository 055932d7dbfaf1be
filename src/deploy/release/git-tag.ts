/** `do-deploy tag NAME`: plans the commit and the tag, then makes them. */

import { DeployError } from '../../errors.js';
import type { Repository } from '../../ports.js';
import { shortHash } from '../../rollout/commit.js';
import { listPaths } from './version.js';

/** Valid as an image tag, which it becomes when deployed, and as a git tag: git-check-ref-format(1). */
const NAME = /^(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}(?<!\.|\.lock)$/;

/** HEAD, ORIG_HEAD and the like name commits in git, which would ignore a tag of that name. */
const RESERVED = /^([A-Z]+_)?HEAD$/i;

export interface TagOptions {
  /** Also commits what is not staged, new files included. */
  all: boolean;
  /** Makes an empty commit when there is nothing to commit. */
  allowEmpty: boolean;
}

export interface TagPlan {
  name: string;
  /** Paths to commit before tagging; HEAD is tagged when there are none. */
  commits: string[];
  /** The paths have to be staged first. */
  stage: boolean;
  /** The commit will be empty. */
  empty: boolean;
}

export interface Tagged {
  name: string;
  /** The full hash. */
  commit: string;
}

/**
 * Throws DeployError bad-tag-name, tag-exists, unstaged-changes, merge-conflict, no-repository, detached-head or no-commit.
 */
export function planTag(repository: Repository, name: string, { all, allowEmpty }: TagOptions): TagPlan {
  refuseName(repository, name);
  const changes = repository.changes();
  refuseChanges(name, changes, all);
  const { branch, commit } = repository.head();
  if (commit !== undefined) refuseStrangeFolder(repository, all);
  const commits = changes.map(({ path }) => path);
  const empty = commits.length === 0 && allowEmpty;
  if (branch === undefined && (commits.length > 0 || empty)) {
    throw refusal('detached-head', 'HEAD is detached: a commit made here would be on no branch.', {
      hint: 'Switch to a branch first: git switch BRANCH',
    });
  }
  if (commit === undefined && commits.length === 0 && !empty) {
    throw refusal('no-commit', 'There is no commit to tag yet.', {
      hint: 'Stage the files with git add, then tag again',
    });
  }
  return { name, commits, stage: all && commits.length > 0, empty };
}

/** Throws DeployError git-failed. */
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
    const hint = 'Use letters a-z, digits and . _ - as in v1.4.2: the name is also the tag of the images';
    throw refusal('bad-tag-name', `"${name}" is not a valid name for a version.`, { hint });
  }
  if (RESERVED.test(name)) {
    throw refusal('bad-tag-name', `"${name}" is not a valid name for a version: git reserves it.`, {
      hint: 'Choose another name, such as v1.4.2',
    });
  }
  if (!repository.hasTag(name)) return;
  const commit = repository.commitOfTag(name) ?? '';
  throw refusal('tag-exists', `The tag ${name} already exists, at commit ${shortHash(commit)}.`, {
    hint: `Choose another name, or deploy the existing tag: do-deploy ENVIRONMENT ${name}`,
  });
}

function refuseChanges(name: string, changes: ReturnType<Repository['changes']>, all: boolean): void {
  const pathsOf = (...kinds: string[]) => changes.filter(({ kind }) => kinds.includes(kind)).map(({ path }) => path);
  const conflicts = pathsOf('conflict');
  if (conflicts.length > 0) {
    throw refusal('merge-conflict', `A merge has unresolved conflicts: ${listPaths(conflicts)}.`, {
      hint: 'Finish the merge first',
    });
  }
  const surprises = pathsOf('unstaged', 'untracked');
  if (all || surprises.length === 0) return;
  throw refusal('unstaged-changes', `Some changes are not staged: ${listPaths(surprises)}.`, {
    hint: `Stage what belongs to ${name} with git add and stash the rest, or commit everything: do-deploy tag ${name} --all`,
  });
}

/** A folder that git ignores, or that is empty, lies in the repository of another project: that one must not be tagged. */
function refuseStrangeFolder(repository: Repository, all: boolean): void {
  if (repository.trackedPaths().length > 0 || (all && repository.untrackedPaths().length > 0)) return;
  throw refusal('no-repository', 'git tracks nothing in this folder: the repository around it is another one.', {
    hint: 'Go to the folder of the project, or create a repository for it: git init',
  });
}

function refusal(code: string, message: string, { hint }: { hint: string }): DeployError {
  return new DeployError(code, message, { source: 'user', hint });
}
