/** `require_clean` and `deploy_from`: what an environment may be deployed from. Checked before anything is contacted. */

import type { Settings } from '../../config/settings.js';
import { DeployError } from '../../errors.js';
import type { Repository } from '../../ports.js';
import { shortHash } from '../../rollout/commit.js';
import { configFile } from '../core/do-deploy.js';
import { listPaths, type Version } from './version.js';

export interface VersionPolicy extends Pick<Settings, 'config'> {
  environment: string;
  requireClean: boolean;
  deployFrom?: string;
}

/** Throws DeployError not-in-git, not-clean or wrong-branch. */
export function checkPolicy(policy: VersionPolicy, repository: Repository | undefined, version: Version): void {
  checkBranch(policy, repository, version);
  checkClean(policy, repository, version);
}

/** Throws DeployError not-in-git or not-clean. */
function checkClean(policy: VersionPolicy, repository: Repository | undefined, version: Version): void {
  if (!policy.requireClean) return;
  const known = inGit('require_clean', policy, repository, version);
  const changed = known.changes().map(({ path }) => path);
  if (changed.length === 0) return;
  const rule = `${policy.environment} may only be deployed from a clean working tree`;
  throw refusal('not-clean', `${rule}. Uncommitted: ${listPaths(changed)}.`, {
    hint: 'Commit the changes, or stash them: git stash --include-untracked',
  });
}

/** Throws DeployError not-in-git or wrong-branch. */
export function checkBranch(policy: VersionPolicy, repository: Repository | undefined, version: Version): void {
  const { deployFrom, environment } = policy;
  if (deployFrom === undefined) return;
  const known = inGit('deploy_from', policy, repository, version);
  const rule = `${environment} may only be deployed from ${deployFrom}`;
  const { branch, commit: head } = known.head();
  if (version.from === 'working-tree' && branch !== undefined) {
    if (branch === deployFrom) return;
    throw refusal('wrong-branch', `${rule}, and this is ${branch}.`, { hint: `git switch ${deployFrom}` });
  }
  const commit = version.from === 'commit' ? version.commit : head;
  const branches = known.branchesNamed(deployFrom);
  if (branches.length === 0) {
    const hint = `git fetch origin ${deployFrom}:refs/remotes/origin/${deployFrom} (in CI, check out the full history)`;
    throw refusal('wrong-branch', `${rule}, and this clone has no branch ${deployFrom}.`, { hint });
  }
  if (commit !== undefined && branches.some((ref) => known.isContained(commit, ref))) return;
  const name =
    version.from === 'commit' && !commit?.startsWith(version.name)
      ? `${version.name} (${short(commit)})`
      : short(commit);
  const hint = known.isShallow()
    ? 'This clone is shallow, so the commit may be missing here: git fetch --unshallow (in CI, check out the full history)'
    : `Merge it into ${deployFrom} first. If it is merged already: git fetch`;
  throw refusal('wrong-branch', `${rule}, and ${name} is not on it.`, { hint });
}

function short(commit: string | undefined): string {
  return commit === undefined ? 'the working tree' : `commit ${shortHash(commit)}`;
}

function inGit(key: string, policy: VersionPolicy, repository: Repository | undefined, version: Version): Repository {
  if (repository !== undefined && version.from !== 'folder') return repository;
  throw refusal('not-in-git', `${policy.environment} has ${key}, but the project is not in a git repository.`, {
    hint: `Deploy from a clone, with git installed, or remove ${key} from ${configFile(policy)}`,
  });
}

function refusal(code: string, message: string, { hint }: { hint: string }): DeployError {
  return new DeployError(code, message, { source: 'user', hint });
}
