/** The project's repository, by the git that is installed here: 2.18 or newer. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DeployError } from '../../errors.js';
import type { CommittedEntry, Repository, TreeChange } from '../../ports.js';
import type { GitTag } from '../../rollout/model.js';
import { readBatch } from './batch.js';
import { type GitEnvironment, type GitRun, git, gitFailed, readNulls, tryGit } from './run-git.js';

/** A repository's own hooks (tests, checks) run when it commits. */
const COMMIT_WITHIN_MS = 10 * 60_000;

/**
 * @param folder absolute; paths are told from here
 * @returns undefined outside of a repository
 * @throws DeployError `git-failed` when there is a repository that git refuses to read, `git-missing` without any git
 */
export function openRepository(folder: string, env: GitEnvironment): Repository | undefined {
  const args = ['rev-parse', '--is-inside-work-tree'];
  const end = tryGit(args, { folder, env });
  if (end === undefined) {
    const place = repositoryAbove(folder);
    if (place === undefined) return undefined;
    throw new DeployError('git-missing', `${place} is a git repository, but there is no git on this machine.`, {
      source: 'user',
      hint: 'Install git; or --working-tree deploys the files that are here.',
    });
  }
  if (end.code === 0) return end.stdout.toString('utf8').trim() === 'true' ? new GitRepository(folder, env) : undefined;
  if (/not a git repository/i.test(end.stderr)) return undefined;
  throw gitFailed(args, end.stderr);
}

/** The nearest folder with a .git, which is a file in a worktree and a submodule. */
function repositoryAbove(folder: string): string | undefined {
  if (existsSync(join(folder, '.git'))) return folder;
  const parent = dirname(folder);
  return parent === folder ? undefined : repositoryAbove(parent);
}

class GitRepository implements Repository {
  readonly #run: GitRun;

  constructor(folder: string, env: GitEnvironment) {
    this.#run = { folder, env };
  }

  head(): { commit?: string; branch?: string } {
    const commit = this.#line('rev-parse', '--verify', '--quiet', 'HEAD^{commit}');
    const branch = this.#line('symbolic-ref', '--quiet', '--short', 'HEAD');
    return { ...(commit && { commit }), ...(branch && { branch }) };
  }

  hasTag(name: string): boolean {
    return this.#line('rev-parse', '--verify', '--quiet', `refs/tags/${name}`) !== undefined;
  }

  commitOfTag(name: string): string | undefined {
    if (!this.hasTag(name)) return undefined;
    return this.#git('rev-parse', '--verify', `refs/tags/${name}^{commit}`).toString('utf8').trim();
  }

  commitsLike(prefix: string): string[] {
    const objects = this.#git('rev-parse', `--disambiguate=${prefix}`).toString('utf8').split('\n').filter(Boolean);
    if (objects.length === 0) return [];
    const check = { ...this.#run, stdin: `${objects.join('\n')}\n` };
    const types = git(['cat-file', '--batch-check=%(objectname) %(objecttype)'], check).toString('utf8').split('\n');
    return types.filter((line) => line.endsWith(' commit')).map((line) => line.split(' ')[0] ?? '');
  }

  branchesNamed(name: string): string[] {
    const patterns = [`refs/heads/${name}`, `refs/remotes/*/${name}`];
    const refs = this.#git('for-each-ref', '--format=%(refname)', ...patterns)
      .toString('utf8')
      .split('\n');
    // The patterns of git also match what is below them.
    return refs.filter((ref) => ref === `refs/heads/${name}` || ref.replace(/^refs\/remotes\/[^/]+\//, '') === name);
  }

  isContained(commit: string, ref: string): boolean {
    const args = ['merge-base', '--is-ancestor', commit, ref];
    const end = tryGit(args, this.#run);
    // 1 is a no; everything else is no answer.
    if (end === undefined || end.code > 1) throw gitFailed(args, end?.stderr ?? 'there is no git');
    return end.code === 0;
  }

  isShallow(): boolean {
    return this.#line('rev-parse', '--is-shallow-repository') === 'true';
  }

  entriesAt(commit: string): CommittedEntry[] {
    return readNulls(this.#git('ls-tree', '-r', '-z', commit)).map((line) => {
      // 100644 blob HASH<tab>PATH
      const tab = line.indexOf('\t');
      const [mode = '', , object = ''] = line.slice(0, tab).split(' ');
      return { path: line.slice(tab + 1), mode: mode as CommittedEntry['mode'], object };
    });
  }

  readBlobs(objects: readonly string[]): Buffer[] {
    if (objects.length === 0) return [];
    const output = git(['cat-file', '--batch'], { ...this.#run, stdin: `${objects.join('\n')}\n` });
    return readBatch(output, objects.length);
  }

  readFiltered(commit: string, path: string): Buffer {
    // Line ends go to the droplet as they are in git, whatever is usual on this machine.
    return this.#git('-c', 'core.autocrlf=false', '-c', 'core.eol=lf', 'cat-file', '--filters', `${commit}:./${path}`);
  }

  trackedPaths(): string[] {
    return readNulls(this.#git('ls-files', '-z', '--cached'));
  }

  untrackedPaths(): string[] {
    return readNulls(this.#git('ls-files', '-z', '--others', '--exclude-standard'));
  }

  changes(): TreeChange[] {
    const words = readNulls(this.#git('status', '--porcelain=v1', '-z', '--untracked-files=all', '--no-renames'));
    return words.map((word) => ({ path: word.slice(3), kind: kindOf(word.slice(0, 2)) }));
  }

  tags(): GitTag[] {
    // A tag leads to its commit by *objectname; a lightweight one is at the commit itself.
    const fields = [
      'refname:strip=2',
      '*objecttype',
      '*objectname',
      'objecttype',
      'objectname',
      'creatordate:iso-strict',
    ];
    const format = [...fields, 'contents:subject'].map((field) => `%(${field})`).join('%00');
    const lines = this.#git('for-each-ref', '--sort=-creatordate', `--format=${format}`, 'refs/tags').toString('utf8');
    const found = lines
      .split('\n')
      .filter(Boolean)
      .map((line) => {
        const [name = '', peeledType, peeled, type, object, at = '', subject = ''] = line.split('\0');
        const commit = peeledType === 'commit' ? peeled : type === 'commit' ? object : undefined;
        return { name, commit, at, subject, nested: peeledType === 'tag' };
      });
    const commits = this.#commitsOfTags(found.filter(({ nested }) => nested).map(({ name }) => name));
    const tags = found.flatMap(({ name, commit = commits.get(name), at, subject }): GitTag[] =>
      commit === undefined ? [] : [{ name, commit, at, subject }],
    );
    return this.#dated(tags);
  }

  /** By name, however many tags lead to the commit. */
  #commitsOfTags(names: readonly string[]): Map<string, string> {
    if (names.length === 0) return new Map();
    const check = { ...this.#run, stdin: names.map((name) => `refs/tags/${name}^{commit}\n`).join('') };
    const lines = git(['cat-file', '--batch-check=%(objectname) %(objecttype)'], check).toString('utf8').split('\n');
    return new Map(
      names.flatMap((name, index) => {
        const [commit = '', type] = (lines[index] ?? '').split(' ');
        return type === 'commit' ? [[name, commit] as const] : [];
      }),
    );
  }

  /** A tag without a tagger, as old versions of git and importers make them, has the date of its commit. */
  #dated(tags: readonly GitTag[]): GitTag[] {
    const dateless = tags.filter(({ at }) => at === '').map(({ commit }) => commit);
    if (dateless.length === 0) return [...tags];
    const log = this.#git('log', '--no-walk=unsorted', '--format=%H %cI', ...new Set(dateless)).toString('utf8');
    const dates = new Map(log.split('\n').map((line) => line.split(' ') as [string, string]));
    const all = tags.map((tag) => (tag.at === '' ? { ...tag, at: dates.get(tag.commit) ?? '' } : tag));
    return all.sort((a, b) => Date.parse(b.at) - Date.parse(a.at));
  }

  stageEverything(): void {
    this.#git('add', '--all', '--', ':/');
  }

  commit(message: string): void {
    git(['commit', '--quiet', '--allow-empty', '--message', message], { ...this.#run, timeoutMs: COMMIT_WITHIN_MS });
  }

  createTag(name: string, message: string): void {
    git(['tag', '--annotate', '--message', message, '--', name], { ...this.#run, timeoutMs: COMMIT_WITHIN_MS });
  }

  #git(...args: string[]): Buffer {
    return git(args, this.#run);
  }

  /** The one line that it says; undefined when it says no (exit code 1). */
  #line(...args: string[]): string | undefined {
    const end = tryGit(args, this.#run);
    if (end === undefined || end.code > 1) throw gitFailed(args, end?.stderr ?? 'there is no git');
    const line = end.stdout.toString('utf8').trim();
    return end.code === 0 && line !== '' ? line : undefined;
  }
}

/** The two letters of `git status --porcelain`: of the index, then of the working tree. */
function kindOf(letters: string): TreeChange['kind'] {
  if (letters === '??') return 'untracked';
  if (letters.includes('U') || letters === 'AA' || letters === 'DD') return 'conflict';
  return letters[1] === ' ' ? 'staged' : 'unstaged';
}
