/** A commit in words. Pure. */
import type { CommitInfo } from './model.js';

/** "commit 1a2b3c4, with uncommitted changes" */
export function describeCommit({ commit, dirty }: CommitInfo): string {
  return `commit ${shortHash(commit)}${dirty ? ', with uncommitted changes' : ''}`;
}

export function shortHash(commit: string): string {
  return commit.slice(0, 7);
}
