/** Where a release's files are looked for: the project's folder, or another tree with the same paths. */
import { lstatSync, readdirSync, realpathSync, type Stats, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import { isEnvFile } from './file-names.js';
import { describeFileError, type FileFault, MAX_FILE_BYTES, readHead } from './read-file.js';

/** What a path leads to, links followed. `real` is the same for every path that leads to it: a link may lead back up. */
export type Found =
  | { kind: 'file'; real: string; executable: boolean }
  | { kind: 'folder'; real: string }
  /** A link to a place outside the project. */
  | { kind: 'outside' }
  /** Neither a file nor a folder. */
  | { kind: 'special'; stat: Stats }
  /** It exists, but cannot be sent: `message` continues "PATH ", `remedy` is what to type. */
  | ({ kind: 'unfit' } & FileFault);

/** A file that was read: from `localPath`, or from elsewhere. */
export interface ReadContent {
  /** Of a local file perhaps only the beginning: of an env file `MAX_FILE_BYTES`, of others `HEAD_BYTES`. */
  content: Buffer;
  /** Absolute; absent when the content is not that of a local file. */
  localPath?: string;
}

/** Paths are relative to the project's root, with forward slashes. */
export interface FileTree {
  /** Undefined: there is no such thing, or a link that leads nowhere. Throws when it cannot be looked at. */
  find(path: string): Found | undefined;
  /** Names in a folder, sorted. Throws when it cannot be read. */
  list(folder: string): string[];
  /** In the order of the paths, each of which leads to a file. */
  read(paths: readonly string[]): Iterable<ReadContent | Error>;
  /** For messages about what is missing: " in v1.4.2"; '' for the project's folder. */
  readonly where: string;
}

/** Enough to recognise a key, and what stands for another file. */
const HEAD_BYTES = 4096;

/** What decoding puts in place of bytes that are not UTF-8. */
const UNDECODABLE = '\ufffd';

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
    if (path.includes(UNDECODABLE)) return unfit('has a name that is not valid UTF-8', 'rename it');
    try {
      return this.#find(join(this.#root, path));
    } catch (error) {
      return { kind: 'unfit', ...describeFileError(error, path) };
    }
  }

  list(folder: string): string[] {
    return readdirSync(join(this.#root, folder)).sort();
  }

  /** One after the other: however many there are, and however large, only one is in memory. */
  *read(paths: readonly string[]): Generator<ReadContent | Error> {
    for (const path of paths) {
      const localPath = join(this.#root, path);
      try {
        const bytes = isEnvFile(path) ? MAX_FILE_BYTES : HEAD_BYTES;
        yield { content: readHead(localPath, bytes).content, localPath };
      } catch (error) {
        yield error instanceof Error ? error : new Error(String(error));
      }
    }
  }

  #find(local: string): Found | undefined {
    const stat = statSync(local, { throwIfNoEntry: false });
    if (stat === undefined) {
      const isLink = lstatSync(local, { throwIfNoEntry: false })?.isSymbolicLink() === true;
      return isLink ? unfit('is a link that leads nowhere', 'remove it, or create what it points to') : undefined;
    }
    const real = realpathSync(local);
    if (real !== this.#realRoot && !real.startsWith(this.#realRoot + sep)) return { kind: 'outside' };
    if (stat.isDirectory()) return { kind: 'folder', real };
    if (!stat.isFile()) return { kind: 'special', stat };
    // Not its path: names may differ in case only, and one file may have several.
    return { kind: 'file', real: `inode ${stat.dev}:${stat.ino}`, executable: (stat.mode & 0o111) !== 0 };
  }
}

function unfit(message: string, remedy: string): Found {
  return { kind: 'unfit', message, remedy };
}
