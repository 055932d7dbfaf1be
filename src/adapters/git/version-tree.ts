/**
 * The project at a commit, without touching the working tree: files known to git come from the commit, files that it
 * ignores (secrets) from the folder. A file that git tracks now, but did not track at the commit, is absent.
 */
import { lstatSync, readdirSync, readFileSync, readlinkSync, realpathSync, type Stats } from 'node:fs';
import { isAbsolute, join, posix, relative, sep } from 'node:path';
import type { FileTree, Found, ReadContent } from '../../config/file-tree.js';
import type { CommittedEntry, Repository } from '../../ports.js';

type Node =
  | { kind: 'committed'; entry: CommittedEntry }
  | { kind: 'local'; real: string; executable: boolean }
  | { kind: 'link'; target: string }
  | { kind: 'submodule' }
  | { kind: 'folder' }
  | { kind: 'special'; stat: Stats };

/** Where a path leads once its links are followed; `path` contains none. */
type Place =
  | { kind: 'outside' }
  | { kind: 'node'; path: string; node: Exclude<Node, { kind: 'link' | 'submodule' | 'special' }> }
  | { kind: 'submodule'; path: string }
  | { kind: 'special'; stat: Stats };

/** Linux follows as many before it reports a loop. */
const MAX_LINKS = 40;

export class VersionTree implements FileTree {
  readonly where: string;
  readonly #root: string;
  readonly #realRoot: string;
  readonly #repository: Repository;
  readonly #version: { name: string; commit: string };
  readonly #entries: ReadonlyMap<string, CommittedEntry>;
  /** Names in each folder of the commit. */
  readonly #folders: ReadonlyMap<string, ReadonlySet<string>>;
  /** Paths that git tracks now. */
  readonly #tracked: ReadonlySet<string>;
  readonly #trackedFolders: ReadonlyMap<string, ReadonlySet<string>>;
  #linkTargets: ReadonlyMap<string, string> | undefined;

  /**
   * @param root the project's folder, absolute; `repository` was opened there
   * @param version the commit's full hash, and the user's name for it
   */
  constructor(root: string, repository: Repository, version: { name: string; commit: string }) {
    this.where = ` in ${version.name}`;
    this.#root = root;
    this.#realRoot = realpathSync(root);
    this.#repository = repository;
    this.#version = version;
    this.#entries = new Map(repository.entriesAt(version.commit).map((entry) => [entry.path, entry]));
    this.#folders = foldersOf(this.#entries.keys());
    this.#tracked = new Set(repository.trackedPaths());
    this.#trackedFolders = foldersOf(this.#tracked);
  }

  find(path: string): Found | undefined {
    const place = this.#resolve(path);
    if (place === undefined || place.kind === 'outside' || place.kind === 'special') return place;
    if (place.kind === 'submodule') return inSubmodule(place.path, this.#version.name);
    const { node } = place;
    if (node.kind === 'folder') return { kind: 'folder', real: place.path };
    if (place.path.includes(UNDECODABLE)) return notText();
    if (node.kind === 'local') return { kind: 'file', real: node.real, executable: node.executable };
    return { kind: 'file', real: place.path, executable: node.entry.mode === '100755' };
  }

  list(folder: string): string[] {
    const place = this.#resolve(folder);
    if (place?.kind !== 'node') return [];
    const local = this.#localNames(place.path).filter((name) => this.#nodeAt(posix.join(place.path, name)));
    return [...new Set([...(this.#folders.get(place.path) ?? []), ...local])].sort();
  }

  read(paths: readonly string[]): (ReadContent | Error)[] {
    const places = paths.map((path) => this.#resolve(path));
    const committed = places.flatMap((place) =>
      place?.kind === 'node' && place.node.kind === 'committed' ? [place.path] : [],
    );
    const contents = this.#readCommitted(committed);
    return places.map((place, index) => {
      if (place?.kind !== 'node') return this.#readLocal(paths[index] ?? '');
      const content = contents.get(place.path);
      return content === undefined ? this.#readLocal(place.path) : { content };
    });
  }

  /** By path. Several links may lead to one file. */
  #readCommitted(paths: readonly string[]): Map<string, Buffer> {
    const wanted = [...new Set(paths)];
    const contents = this.#repository.readFiles(this.#version.commit, wanted);
    return new Map(wanted.map((path, index) => [path, contents[index] ?? Buffer.alloc(0)]));
  }

  #readLocal(path: string): ReadContent | Error {
    const localPath = join(this.#root, path);
    try {
      return { content: readFileSync(localPath), localPath };
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  /** Walks the path name by name; a link's target replaces its name. */
  #resolve(path: string): Place | undefined {
    let here = '';
    let links = 0;
    const names = path.split('/');
    for (;;) {
      const name = names.shift();
      // Every name on the path was a folder's.
      if (name === undefined) return { kind: 'node', path: here, node: { kind: 'folder' } };
      if (name === '' || name === '.') continue;
      if (name === '..') {
        if (here === '') return { kind: 'outside' };
        here = parentOf(here);
        continue;
      }
      const next = posix.join(here, name);
      const node = this.#nodeAt(next);
      if (node === undefined) return undefined;
      if (node.kind === 'submodule') return { kind: 'submodule', path: next };
      if (node.kind === 'special') return node;
      if (node.kind === 'link') {
        links += 1;
        if (links > MAX_LINKS) return undefined;
        const target = this.#fromRoot(node.target);
        if (target === undefined) return { kind: 'outside' };
        if (isAbsolute(node.target)) here = '';
        names.unshift(...target.split('/'));
      } else if (node.kind === 'folder') {
        here = next;
      } else {
        if (names.some((rest) => rest !== '' && rest !== '.')) return undefined;
        if (node.kind === 'local' && !this.#isInside(next)) return { kind: 'outside' };
        return { kind: 'node', path: next, node };
      }
    }
  }

  /** The path of an absolute target from the root; undefined when it leads outside. */
  #fromRoot(target: string): string | undefined {
    if (!isAbsolute(target)) return target;
    const path = [this.#root, this.#realRoot]
      .map((root) => relative(root, target))
      .find((one) => !one.startsWith('..'));
    return path?.replaceAll(sep, '/');
  }

  #isInside(path: string): boolean {
    const real = realpathSync(join(this.#root, path));
    return real.startsWith(this.#realRoot + sep);
  }

  #nodeAt(path: string): Node | undefined {
    const entry = this.#entries.get(path);
    if (entry?.mode === '120000') return { kind: 'link', target: this.#targetOf(path) };
    if (entry?.mode === '160000') return { kind: 'submodule' };
    if (entry !== undefined) return { kind: 'committed', entry };
    if (this.#folders.has(path)) return { kind: 'folder' };
    return this.#tracked.has(path) ? undefined : this.#localNodeAt(path);
  }

  #localNodeAt(path: string): Node | undefined {
    const local = join(this.#root, path);
    const stat = lstatSync(local, { throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    if (stat.isSymbolicLink()) return { kind: 'link', target: readlinkSync(local) };
    if (stat.isFile()) {
      // Not its path: on some file systems names differ only in case, and one file may have several.
      return { kind: 'local', real: `inode ${stat.dev}:${stat.ino}`, executable: (stat.mode & 0o111) !== 0 };
    }
    if (!stat.isDirectory()) return { kind: 'special', stat };
    // A folder whose files git tracks only now did not exist at the commit.
    const isNew = this.#trackedFolders.has(path);
    const isEmpty = () => this.#localNames(path).every((name) => this.#nodeAt(posix.join(path, name)) === undefined);
    return isNew && isEmpty() ? undefined : { kind: 'folder' };
  }

  #localNames(folder: string): string[] {
    try {
      return readdirSync(join(this.#root, folder));
    } catch (error) {
      // It exists only in the commit, or is a file today.
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') return [];
      throw error;
    }
  }

  #targetOf(path: string): string {
    if (this.#linkTargets === undefined) {
      const links = [...this.#entries.values()].filter(({ mode }) => mode === '120000').map((entry) => entry.path);
      const targets = this.#readCommitted(links);
      this.#linkTargets = new Map([...targets].map(([link, target]) => [link, target.toString('utf8')]));
    }
    return this.#linkTargets.get(path) ?? '';
  }
}

/** What decoding puts in place of bytes that are not UTF-8: such a name cannot be passed on as it is. */
const UNDECODABLE = '\ufffd';

function notText(): Found {
  return { kind: 'unfit', message: 'has a name that is not valid UTF-8', remedy: 'rename it in the repository' };
}

function inSubmodule(submodule: string, version: string): Found {
  return {
    kind: 'unfit',
    message: `is in the submodule ${submodule}, which is not part of this repository`,
    remedy: `check out ${version} with its submodules, then deploy with --working-tree`,
  };
}

function foldersOf(paths: Iterable<string>): Map<string, Set<string>> {
  const folders = new Map<string, Set<string>>();
  for (const path of paths) {
    for (let child = path; child !== ''; child = parentOf(child)) {
      const parent = parentOf(child);
      const names = folders.get(parent) ?? new Set();
      folders.set(parent, names.add(posix.basename(child)));
    }
  }
  return folders;
}

/** The root is ''. */
function parentOf(path: string): string {
  const parent = posix.dirname(path);
  return parent === '.' ? '' : parent;
}
