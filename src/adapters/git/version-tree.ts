/**
 * The project as it was in a commit, without touching the working tree: what git has comes from the commit, what git
 * has never had (secrets, which it ignores) from the folder. A file that git has now, but did not have then, is absent.
 */
import { lstatSync, readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { isAbsolute, join, posix, relative, sep } from 'node:path';
import type { FileTree, Found, ReadContent } from '../../config/file-tree.js';
import type { CommittedEntry, Repository } from '../../ports.js';

type Node =
  | { kind: 'committed'; entry: CommittedEntry }
  | { kind: 'local'; real: string; executable: boolean }
  | { kind: 'link'; target: string }
  | { kind: 'submodule' }
  | { kind: 'folder' };

/** Where a path leads, links followed; `path` has none in it. */
type Place =
  | { kind: 'outside' }
  | { kind: 'node'; path: string; node: Exclude<Node, { kind: 'link' | 'submodule' }> }
  | { kind: 'submodule'; path: string };

/** As Linux does: more than these are a circle. */
const MOST_LINKS = 40;
const GIT_CRYPT = Buffer.from('\0GITCRYPT');

export class VersionTree implements FileTree {
  readonly where: string;
  readonly #root: string;
  readonly #realRoot: string;
  readonly #repository: Repository;
  readonly #version: { name: string; commit: string };
  readonly #entries: ReadonlyMap<string, CommittedEntry>;
  /** Names in each folder of the commit. */
  readonly #folders: ReadonlyMap<string, ReadonlySet<string>>;
  /** What git has now. */
  readonly #tracked: ReadonlySet<string>;
  readonly #trackedFolders: ReadonlyMap<string, ReadonlySet<string>>;
  #linkTargets: ReadonlyMap<string, string> | undefined;

  /**
   * @param root the project's, absolute; `repository` was opened from there
   * @param version the commit's whole hash, and what the user calls it
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
    if (place === undefined || place.kind === 'outside') return place;
    if (place.kind === 'submodule') return unfit(place.path, this.#version.name);
    const { node } = place;
    if (node.kind === 'folder') return { kind: 'folder', real: place.path };
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
    const entries = places.flatMap((place) =>
      place?.kind === 'node' && place.node.kind === 'committed' ? [place.node.entry] : [],
    );
    const blobs = this.#readCommitted(entries);
    return places.map((place, index) => {
      if (place?.kind !== 'node') return this.#readLocal(paths[index] ?? '');
      if (place.node.kind !== 'committed') return this.#readLocal(place.path);
      return { content: blobs.get(place.node.entry.path) ?? Buffer.alloc(0) };
    });
  }

  #readCommitted(entries: readonly CommittedEntry[]): Map<string, Buffer> {
    const blobs = this.#repository.readBlobs(entries.map(({ object }) => object));
    return new Map(entries.map(({ path }, index) => [path, this.#decrypted(path, blobs[index] ?? Buffer.alloc(0))]));
  }

  /** As a checkout would write it, if git-crypt can; else as it is: whoever collects files tells of that. */
  #decrypted(path: string, content: Buffer): Buffer {
    if (!content.subarray(0, GIT_CRYPT.length).equals(GIT_CRYPT)) return content;
    try {
      return this.#repository.readFiltered(this.#version.commit, path);
    } catch {
      return content;
    }
  }

  #readLocal(path: string): ReadContent | Error {
    const localPath = join(this.#root, path);
    try {
      return { content: readFileSync(localPath), localPath };
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  /** Goes down the path, name by name; a link's target takes the place of its name. */
  #resolve(path: string): Place | undefined {
    let here = '';
    let links = 0;
    const names = path.split('/');
    for (;;) {
      const name = names.shift();
      // Every name that led here was that of a folder.
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
      if (node.kind === 'link') {
        links += 1;
        if (links > MOST_LINKS) return undefined;
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

  /** An absolute target by its path from the root; undefined when it leads outside. */
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
    if (stat?.isSymbolicLink()) return { kind: 'link', target: readlinkSync(local) };
    if (stat?.isFile()) {
      // Not its path: names may differ in case only, and one file may have several.
      return { kind: 'local', real: `inode ${stat.dev}:${stat.ino}`, executable: (stat.mode & 0o111) !== 0 };
    }
    if (!stat?.isDirectory()) return undefined;
    // A folder of files that git has now and did not have then: nothing of it was there.
    const isNew = this.#trackedFolders.has(path);
    const isEmpty = () => this.#localNames(path).every((name) => this.#nodeAt(posix.join(path, name)) === undefined);
    return isNew && isEmpty() ? undefined : { kind: 'folder' };
  }

  #localNames(folder: string): string[] {
    try {
      return readdirSync(join(this.#root, folder));
    } catch {
      // It is in the commit only, or is a file today.
      return [];
    }
  }

  #targetOf(path: string): string {
    if (this.#linkTargets === undefined) {
      const links = [...this.#entries.values()].filter(({ mode }) => mode === '120000');
      const targets = this.#repository.readBlobs(links.map(({ object }) => object));
      this.#linkTargets = new Map(links.map((link, index) => [link.path, targets[index]?.toString('utf8') ?? '']));
    }
    return this.#linkTargets.get(path) ?? '';
  }
}

function unfit(submodule: string, version: string): Found {
  return {
    kind: 'unfit',
    message: `is in the submodule ${submodule}, which git can't read from here`,
    remedy: `check ${version} out with its submodules, and deploy with --working-tree`,
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

/** '' is the root. */
function parentOf(path: string): string {
  const parent = posix.dirname(path);
  return parent === '.' ? '' : parent;
}
