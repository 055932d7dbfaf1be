/** The project's repository, read with the installed git, 2.18 or newer. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DeployError } from '../../errors.js';
import type { CommitRange, CommittedEntry, Repository, TreeChange } from '../../ports.js';
import type { GitTag } from '../../rollout/model.js';
import { oneLine } from '../printable.js';
import { readCommitted } from './read-committed.js';
import { type GitEnvironment, type GitRun, git, gitFailed, readNulls, tryGit } from './run-git.js';

/** A commit runs the repository's own hooks, such as its tests. */
const WITH_HOOKS = { hooks: true, timeoutMs: 10 * 60_000 };

/**
 * @param folder absolute; paths are relative to it
 * @returns undefined outside a repository
 * @throws DeployError `git-failed` when git refuses to read the repository, `git-missing` when git is not installed
 */
export function openRepository(folder: string, env: GitEnvironment): Repository | undefined {
  const args = ['rev-parse', '--is-inside-work-tree'];
  const end = tryGit(args, { folder, env });
  if (end === undefined) {
    const place = repositoryAbove(folder);
    if (place === undefined) return undefined;
    throw new DeployError('git-missing', `${place} is a git repository, but git is not installed.`, {
      source: 'user',
      hint: 'Install git, or deploy the files as they are here with --working-tree.',
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
    return { commit, branch };
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
    // git's patterns also match refs below them.
    return refs.filter((ref) => ref === `refs/heads/${name}` || ref.replace(/^refs\/remotes\/[^/]+\//, '') === name);
  }

  isContained(commit: string, ref: string): boolean {
    const args = ['merge-base', '--is-ancestor', commit, ref];
    const end = tryGit(args, this.#run);
    // Exit code 1 means no; a higher one is a failure.
    if (end === undefined || end.code > 1) throw gitFailed(args, end?.stderr ?? 'git is not installed');
    return end.code === 0;
  }

  commitsBetween(from: string, to: string, newest: number): CommitRange | undefined {
    // A droplet names one of them: it must not become an option of git.
    if (![from, to].every((commit) => /^[0-9a-f]{40,64}$/.test(commit))) return undefined;
    const range = `${from}..${to}`;
    const counted = tryGit(['rev-list', '--count', range], this.#run);
    if (counted === undefined || counted.code !== 0) return undefined;
    const log = this.#git('log', `--max-count=${newest}`, '--format=%H %s', range).toString('utf8');
    const lines = log.split('\n').filter(Boolean);
    return {
      total: Number(counted.stdout.toString('utf8')),
      newest: lines.map((line) => ({
        commit: line.slice(0, line.indexOf(' ')),
        subject: line.slice(line.indexOf(' ') + 1),
      })),
    };
  }

  isShallow(): boolean {
    return this.#line('rev-parse', '--is-shallow-repository') === 'true';
  }

  entriesAt(commit: string): CommittedEntry[] {
    return readNulls(this.#git('ls-tree', '-r', '-z', commit)).map((line) => {
      // 100644 blob HASH<tab>PATH
      const tab = line.indexOf('\t');
      const path = line.slice(tab + 1);
      if (!isSafePath(path)) throw unsafePath(path, commit);
      return { path, mode: line.slice(0, line.indexOf(' ')) as CommittedEntry['mode'] };
    });
  }

  readFiles(commit: string, paths: readonly string[]): Buffer[] {
    return readCommitted(commit, paths, this.#run);
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
    // An annotated tag points to its commit by *objectname; a lightweight one is the commit itself.
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

  /** By name of the tag, for tags of tags. */
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

  /** A tag without a tagger, made by an old git or an importer, gets the date of its commit. */
  #dated(tags: readonly GitTag[]): GitTag[] {
    const dateless = tags.filter(({ at }) => at === '').map(({ commit }) => commit);
    if (dateless.length === 0) return [...tags];
    const stdin = [...new Set(dateless)].map((commit) => `${commit}\n`).join('');
    const log = git(['log', '--no-walk=unsorted', '--format=%H %cI', '--stdin'], { ...this.#run, stdin }).toString(
      'utf8',
    );
    const dates = new Map(log.split('\n').map((line) => line.split(' ') as [string, string]));
    const all = tags.map((tag) => (tag.at === '' ? { ...tag, at: dates.get(tag.commit) ?? '' } : tag));
    return all.sort((a, b) => Date.parse(b.at) - Date.parse(a.at));
  }

  stageEverything(): void {
    this.#git('add', '--all', '--', ':/');
  }

  commit(message: string): void {
    git(['commit', '--quiet', '--allow-empty', '--message', message], { ...this.#run, ...WITH_HOOKS });
  }

  createTag(name: string, message: string): void {
    git(['tag', '--annotate', '--message', message, '--', name], { ...this.#run, ...WITH_HOOKS });
  }

  #git(...args: string[]): Buffer {
    return git(args, this.#run);
  }

  /** Its one line of output; undefined when it printed none, or answered no (exit code 1). */
  #line(...args: string[]): string | undefined {
    const end = tryGit(args, this.#run);
    if (end === undefined || end.code > 1) throw gitFailed(args, end?.stderr ?? 'git is not installed');
    const line = end.stdout.toString('utf8').trim();
    return end.code === 0 && line !== '' ? line : undefined;
  }
}

/** The two letters of `git status --porcelain`: the state of the index, then that of the working tree. */
function kindOf(letters: string): TreeChange['kind'] {
  if (letters === '??') return 'untracked';
  if (letters.includes('U') || letters === 'AA' || letters === 'DD') return 'conflict';
  return letters[1] === ' ' ? 'staged' : 'unstaged';
}

/** git refuses to check out such paths. A tree that was made by hand can hold them. */
function isSafePath(path: string): boolean {
  return path.split('/').every((name) => name !== '' && name !== '.' && name !== '..' && name.toLowerCase() !== '.git');
}

function unsafePath(path: string, commit: string): DeployError {
  return new DeployError('git-failed', `Commit ${commit} contains the path "${oneLine(path)}", which is not allowed.`, {
    source: 'user',
    hint: 'Find out who made this commit (`git log`, `git fsck`), and deploy another version.',
  });
}
