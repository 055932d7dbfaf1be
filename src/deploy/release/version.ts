/** Where the files of a release come from: a commit, the working tree, or a folder outside git. */

import type { SourceFile } from '../../config/settings.js';
import { DeployError } from '../../errors.js';
import type { Repository } from '../../ports.js';
import { describeCommit, shortHash } from '../../rollout/commit.js';
import type { CommitInfo } from '../../rollout/model.js';

export type Version =
  /** RELEASE names a tag or a commit; `name` is RELEASE as typed. */
  | { from: 'commit'; commit: string; name: string }
  /** `commit` is HEAD; absent before the first commit. */
  | { from: 'working-tree'; commit?: string }
  /** Outside a repository, or in a folder without tracked files. */
  | { from: 'folder' };

/** Anything shorter is as likely a number or a word. */
const HASH = /^[0-9a-f]{7,64}$/i;

/** Paths that `listPaths` names. */
const SHOWN = 5;

/**
 * Finds the version that RELEASE names. Throws DeployError ambiguous-commit, not-in-version or git-failed.
 * @param release RELEASE from the command line; undefined when it is absent or must not be looked up in git
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
  return new DeployError('not-in-version', `${release}${which} does not contain this project's folder.`, {
    source: 'user',
    hint: 'Choose a version that contains it, or deploy the local files with --working-tree.',
  });
}

/** The commit of the tag with this name, or else the only commit whose hash starts with it. */
function findCommit(repository: Repository, name: string): string | undefined {
  const tagged = repository.commitOfTag(name);
  if (tagged !== undefined || !HASH.test(name)) return tagged;
  const [commit, ...others] = repository.commitsLike(name);
  if (others.length === 0) return commit;
  throw new DeployError('ambiguous-commit', `${name} is ambiguous: ${others.length + 1} commits start with it.`, {
    source: 'user',
    hint: 'Type more of the hash; list hashes with: git log --oneline --no-abbrev-commit',
  });
}

/** The commit, for events and release.json, and what the user should know about where the files come from. */
export function describeVersion(
  version: Version,
  repository: Repository | undefined,
  release: string | undefined,
  files: readonly SourceFile[],
): { commit?: CommitInfo; notice?: string } {
  if (version.from === 'folder' || repository === undefined) {
    if (release === undefined) return {};
    const why = repository === undefined ? 'this is not a git repository' : 'git tracks nothing in this folder';
    return { notice: `${release} only sets IMAGE_TAG; the files are the local ones: ${why}.` };
  }
  const newFiles = repository.untrackedPaths();
  const sent = files.flatMap(({ path, localPath }) => (localPath === undefined ? [] : [path]));
  const strangers = newFiles.filter((path) => sent.includes(path));
  if (version.from === 'commit') {
    const told = strangers.length === 0 ? '' : ` Not in git, taken from the working tree: ${listPaths(strangers)}.`;
    const notice = `The files come from ${version.name} (commit ${shortHash(version.commit)}); ignored files come from the working tree.${told}`;
    return { commit: { commit: version.commit, ...(strangers.length > 0 && { dirty: true }) }, notice };
  }
  const dirty = strangers.length > 0 || repository.changes().some(({ kind }) => kind !== 'untracked');
  const commit = version.commit === undefined ? undefined : { commit: version.commit, ...(dirty && { dirty }) };
  const of = commit === undefined ? '' : ` (${describeCommit(commit)})`;
  const notice = `${release} only sets IMAGE_TAG; the files come from the working tree${of}.`;
  return { ...(commit && { commit }), ...(release !== undefined && { notice }) };
}

/** "a, b and 3 more" */
export function listPaths(paths: readonly string[]): string {
  const shown = paths.slice(0, SHOWN).join(', ');
  return paths.length > SHOWN ? `${shown} and ${paths.length - SHOWN} more` : shown;
}
