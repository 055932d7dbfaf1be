/** Where a release's files are looked for: the project's folder, or another tree with the same paths. */
import { readdirSync, readFileSync, realpathSync, type Stats, statSync } from 'node:fs';
import { join, sep } from 'node:path';

/** What a path leads to, links followed. `real` is the same for every path that leads to it: a link may lead back up. */
export type Found =
  | { kind: 'file'; real: string; executable: boolean }
  | { kind: 'folder'; real: string }
  /** A link to a place outside the project. */
  | { kind: 'outside' }
  /** It is there, but not to be had: `message` continues "PATH ", `remedy` is what to type. */
  | { kind: 'unfit'; message: string; remedy: string };

/** A file that was read: from `localPath`, or from elsewhere. */
export interface ReadContent {
  content: Buffer;
  /** Absolute; absent when the content is not that of a local file. */
  localPath?: string;
}

/** Paths are relative to the project's root, with forward slashes. */
export interface FileTree {
  /** Undefined: there is no such thing, or a broken link. */
  find(path: string): Found | undefined;
  /** Names in a folder, sorted. Throws when it can't be read. */
  list(folder: string): string[];
  /** In the order of the paths, each of which leads to a file. */
  read(paths: readonly string[]): (ReadContent | Error)[];
  /** For messages about what is missing: " in v1.4.2"; '' for the project's folder. */
  readonly where: string;
}

/** The project's folder as it is. */
export class WorkingTree implements FileTree {
  readonly where = '';
  readonly #root: string;
  readonly #realRoot: string;

  /** @param root absolute */
  constructor(root: string) {
    this.#root = root;
    this.#realRoot = realpathSync(root);
  }

  find(path: string): Found | undefined {
    const local = join(this.#root, path);
    const stat = statOf(local);
    if (stat === undefined) return undefined;
    const real = realpathSync(local);
    if (real !== this.#realRoot && !real.startsWith(this.#realRoot + sep)) return { kind: 'outside' };
    if (stat.isDirectory()) return { kind: 'folder', real };
    if (!stat.isFile()) return undefined;
    // Not its path: names may differ in case only, and one file may have several.
    return { kind: 'file', real: `inode ${stat.dev}:${stat.ino}`, executable: (stat.mode & 0o111) !== 0 };
  }

  list(folder: string): string[] {
    return readdirSync(join(this.#root, folder)).sort();
  }

  read(paths: readonly string[]): (ReadContent | Error)[] {
    return paths.map((path) => {
      const localPath = join(this.#root, path);
      try {
        return { content: readFileSync(localPath), localPath };
      } catch (error) {
        return error instanceof Error ? error : new Error(String(error));
      }
    });
  }
}

/** Of what a link leads to; undefined when that can't be reached. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}
