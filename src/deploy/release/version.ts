/** Where the files of a release come from: a commit, the working tree, or a folder that git knows nothing of. */

import type { SourceFile } from '../../config/settings.js';
import { DeployError } from '../../errors.js';
import type { Repository } from '../../ports.js';
import { describeCommit, shortHash } from '../../rollout/commit.js';
import type { CommitInfo } from '../../rollout/model.js';
export type Version =
  /** RELEASE names a tag or commit. `name` is what the user called it. */
  | { from: 'commit'; commit: string; name: string }
  /** `commit` is HEAD's; absent before the first one. */
  | { from: 'working-tree'; commit?: string }
  /** Outside of a repository, or in a folder of which git has nothing. */
  | { from: 'folder' };

/** Shorter ones are no more likely a hash than a number or a word. */
const HASH = /^[0-9a-f]{7,64}$/i;

const SHOWN = 5;

/**
 * @param release RELEASE of the command line, if there is one and git is to be asked for it
 * @throws DeployError `ambiguous-commit`, `not-in-version`, or `git-failed`
 */
export function findVersion(repository: Repository | undefined, release: string | undefined): Version {
  if (repository === undefined) return { from: 'folder' };
  const commit = release === undefined ? undefined : findCommit(repository, release);
  const isThere = commit !== undefined && repository.entriesAt(commit).length > 0;
  if (release !== undefined && isThere) return { from: 'commit', commit, name: release };
  if (repository.trackedPaths().length === 0) return { from: 'folder' };
  if (release !== undefined && commit !== undefined) throw notInVersion(release, commit);
  const head = repository.head().commit;
  return { from: 'working-tree', commit: head };
}

function notInVersion(release: string, commit: string): DeployError {
  const which = commit.startsWith(release.toLowerCase()) ? '' : ` (commit ${shortHash(commit)})`;
  return new DeployError('not-in-version', `${release}${which} has nothing of this project's folder.`, {
    source: 'user',
    hint: 'Choose a version that has it; or --working-tree deploys the files that are here.',
  });
}

/** A tag of this name, else the one commit whose hash begins so. */
function findCommit(repository: Repository, name: string): string | undefined {
  const tagged = repository.commitOfTag(name);
  if (tagged !== undefined || !HASH.test(name)) return tagged;
  const [commit, ...others] = repository.commitsLike(name);
  if (others.length === 0) return commit;
  throw new DeployError('ambiguous-commit', `${others.length + 1} commits begin with ${name}.`, {
    source: 'user',
    hint: 'Write more of its hash: git log --oneline --no-abbrev-commit.',
  });
}

/** The commit as events and the droplets tell it, and what the user should know about the files. */
export function describeVersion(
  version: Version,
  repository: Repository | undefined,
  release: string | undefined,
  files: readonly SourceFile[],
): { commit?: CommitInfo; notice?: string } {
  if (version.from === 'folder' || repository === undefined) {
    if (release === undefined) return {};
    const why = repository === undefined ? 'this is no git repository' : 'git has nothing of this folder';
    return { notice: `${release} is IMAGE_TAG only; the files are those that are here: ${why}.` };
  }
  const newFiles = repository.untrackedPaths();
  const sent = files.flatMap(({ path, localPath }) => (localPath === undefined ? [] : [path]));
  const strangers = newFiles.filter((path) => sent.includes(path));
  if (version.from === 'commit') {
    const told = strangers.length === 0 ? '' : ` Not in git, and sent as they are here: ${listPaths(strangers)}.`;
    const notice = `The files come from ${version.name} (commit ${shortHash(version.commit)}); those that git ignores, from the working tree.${told}`;
    return { commit: { commit: version.commit, ...(strangers.length > 0 && { dirty: true }) }, notice };
  }
  const dirty = strangers.length > 0 || repository.changes().some(({ kind }) => kind !== 'untracked');
  const commit = version.commit === undefined ? undefined : { commit: version.commit, ...(dirty && { dirty }) };
  const of = commit === undefined ? '' : ` (${describeCommit(commit)})`;
  const notice = `${release} is IMAGE_TAG only; the files are the working tree's${of}.`;
  return { ...(commit && { commit }), ...(release !== undefined && { notice }) };
}

/** "a, b and 3 more" */
export function listPaths(paths: readonly string[]): string {
  const shown = paths.slice(0, SHOWN).join(', ');
  return paths.length > SHOWN ? `${shown} and ${paths.length - SHOWN} more` : shown;
}
