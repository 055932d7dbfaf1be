import { statSync } from 'node:fs';
import { basename, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NamedProfile, NamedService } from './compose-services.js';
import type { Declaration } from './declaration.js';
import { decodeText } from './decode-text.js';
import { encryptionOf } from './encryption.js';
import { parseEnvFile } from './env-file.js';
import { faultOfEntry, faultOfListedName, faultOfPath, isEnvFile, isKey, isTrap } from './file-names.js';
import { type FileTree, type Found, type ReadContent, WorkingTree } from './file-tree.js';
import { OwnFiles } from './own-files.js';
import type { ProblemList } from './problems.js';
import { describeFileError, isFileError, MAX_FILE_BYTES, unusualKind } from './read-file.js';
import type { SecretSource } from './secret-sources.js';
import type { SourceFile } from './settings.js';

/** An entry of `compose:` or `files:`, and where it is written. */
export interface FileEntry {
  entry: string;
  place: string;
}

export interface OfRole {
  /** Added to those of the environment. */
  files: FileEntry[];
  /** With those of the environment. */
  declarations?: Declaration[];
}

/** What the configuration names for a release: files, and variables. */
export interface ReleaseEntries {
  /** The base first. */
  compose: FileEntry[];
  files: FileEntry[];
  prepare?: FileEntry;
  shared?: FileEntry[];
  /** Compose profiles that are on, in any role. */
  profiles: NamedProfile[];
  /** Private keys that must stay on this machine; absolute paths. */
  ownKeys: string[];
  declarations: Declaration[];
  /** By name: roles with files or declarations of their own, besides those above. */
  roles: Map<string, OfRole>;
  secrets: SecretSource[];
  /** That layers name. */
  services: NamedService[];
}

export interface ReleaseFiles {
  composeFiles: string[];
  envFiles: string[];
  files: SourceFile[];
  prepare?: string;
  /** What the releases on a droplet have in common; folders with a trailing `/`. */
  shared?: string[];
}

const START_UP = 'scripts/start-up.sh';
/** The one that comes with do-deploy: two folders up from here, in src/ as in dist/. */
const PACKAGED_START_UP = fileURLToPath(new URL(`../../${START_UP}`, import.meta.url));

/** More names in the listed folders are a mistake, or links that multiply. */
const MAX_NAMES = 500_000;

/** Owner's permissions stay, others may read and execute at most: `chmod go-w`, without set-uid bits. */
const WIDEST_MODE = 0o755;

/**
 * Finds the files of a release. What is missing, or cannot go to a droplet, becomes a problem.
 * @param project.tree where to look; by default the project's folder as it is
 */
export function collectFiles(
  project: { root: string; environment: string; hasFile: boolean; tree?: FileTree },
  entries: Pick<ReleaseEntries, 'compose' | 'files'> & Partial<ReleaseEntries>,
  problems: ProblemList,
): ReleaseFiles {
  const collector = new Collector(project, entries.ownKeys ?? [], problems);
  const composeFiles = entries.compose.flatMap((entry) => collector.add(entry, 'compose file'));
  const listed = entries.files.flatMap((entry) => collector.add(entry, 'file'));
  const [prepare] = entries.prepare === undefined ? [] : collector.add(entries.prepare, 'script');
  if (composeFiles.length === 0 && entries.compose.every(({ entry }) => entry.endsWith('?'))) {
    const place = entries.compose[0]?.place ?? project.root;
    problems.add(place, 'none of the compose files exists', 'create one, and list it without a ?');
  }
  const envFiles = [...new Set(listed.filter((path) => basename(path).startsWith('.env')))];
  const shared = (entries.shared ?? []).flatMap((entry) => collector.share(entry) ?? []);
  const files = collector.files(new Set(envFiles));
  const base = { composeFiles: [...new Set(composeFiles)], envFiles, files, prepare };
  return shared.length === 0 ? base : { ...base, shared: [...new Set(shared)].sort() };
}

class Collector {
  /** By path. */
  readonly #wanted = new Map<string, { place: string; executable: boolean }>();
  readonly #tree: FileTree;
  readonly #environment: string;
  readonly #hasFile: boolean;
  readonly #problems: ProblemList;
  readonly #own: OwnFiles;
  #names = 0;

  constructor(
    project: { root: string; environment: string; hasFile: boolean; tree?: FileTree },
    ownKeys: readonly string[],
    problems: ProblemList,
  ) {
    this.#tree = project.tree ?? new WorkingTree(project.root);
    this.#environment = project.environment;
    this.#hasFile = project.hasFile;
    this.#problems = problems;
    this.#own = new OwnFiles(project, this.#tree, ownKeys);
  }

  /** What was added, and the start-up script: the project's own, or the one that comes with do-deploy. */
  files(listedEnvFiles: ReadonlySet<string>): SourceFile[] {
    const hasOwn = this.#tree.find(START_UP) !== undefined;
    if (hasOwn && !this.#wanted.has(START_UP)) this.add({ entry: START_UP, place: START_UP }, 'script');
    const paths = [...this.#wanted.keys()];
    const files: SourceFile[] = [];
    let index = 0;
    for (const read of this.#tree.read(paths)) {
      const path = paths[index] ?? '';
      index += 1;
      const { place, executable } = this.#wanted.get(path) ?? { place: path, executable: false };
      const file = this.#toSource(path, place, executable, read);
      if (file === undefined || read instanceof Error) continue;
      files.push(file);
      this.#reportUnusable(path, place, read, listedEnvFiles.has(path));
    }
    return hasOwn ? files : [...files, { path: START_UP, mode: WIDEST_MODE, localPath: PACKAGED_START_UP }];
  }

  /** A file or folder that is not sent: its normal path. Undefined where that cannot be. */
  share({ entry, place }: FileEntry): string | undefined {
    const path = posix.normalize(entry).replace(/\/$/, '');
    const tell = (message: string, remedy: string) => {
      this.#problems.add(place, `${JSON.stringify(entry).slice(1, -1)} ${message}`, remedy);
      return undefined;
    };
    const fault = faultOfEntry(entry);
    if (fault !== undefined) return tell(fault.message, fault.remedy);
    if (path === '.') return tell('is the whole release', 'name the folders in it that all releases share');
    const sent = [START_UP, ...this.#wanted.keys()].find((file) => isWithin(file, path) || isWithin(path, file));
    if (sent !== undefined) {
      const remedy = `share another path, or remove ${sent} from the files of the release`;
      return tell(`cannot be shared: ${sent} is sent with each release`, remedy);
    }
    return entry.endsWith('/') ? `${path}/` : path;
  }

  /** Adds what an entry names. Returns the path of a file; nothing for a folder, or when it cannot be sent. */
  add({ entry, place }: FileEntry, kind: 'compose file' | 'script' | 'file'): string[] {
    const optional = entry.endsWith('?');
    const written = (optional ? entry.slice(0, -1) : entry).replaceAll('{environment}', this.#environment);
    const path = posix.normalize(written).replace(/\/$/, '');
    const isListed = kind === 'compose file' || (kind === 'file' && basename(path).startsWith('.env'));
    const fault = faultOfEntry(written) ?? (isListed ? faultOfListedName(path) : undefined);
    if (fault !== undefined) {
      this.#problems.add(place, `${JSON.stringify(entry).slice(1, -1)} ${fault.message}`, fault.remedy);
      return [];
    }

    const found = this.#find(path);
    const tell = (message: string, remedy: string) => {
      this.#problems.add(place, `${path} ${message}`, remedy);
    };
    if (found === undefined) {
      this.#reportMissing(path, written, place, optional);
    } else if (found.kind === 'unfit') {
      tell(found.message, found.remedy);
    } else if (found.kind === 'outside') {
      tell('is a link to a place outside the project', 'put the file itself there');
    } else if (found.kind === 'folder') {
      if (kind !== 'file') tell('is a folder', `name the ${kind} in it`);
      else if (!written.endsWith('/')) tell('is a folder', `write ${path}/`);
      else this.#walk(path, found.real, place, new Set());
    } else if (written.endsWith('/')) {
      tell('is a file', `write ${path}`);
    } else {
      const own = this.#own.match(found.real);
      if (own === undefined) {
        this.#wanted.set(path, { place, executable: found.executable });
        return [path];
      }
      this.#reportOwn(path, own, place);
    }
    return [];
  }

  #walk(folder: string, real: string, place: string, above: ReadonlySet<string>): void {
    // A link may lead back up: then this folder is already on the way.
    if (above.has(real) || this.#names > MAX_NAMES) return;
    const tell = (path: string, message: string, remedy: string) =>
      this.#problems.add(place, `${path} ${message}`, remedy);
    for (const name of this.#namesIn(folder, place)) {
      if (name === '.git') continue;
      const path = posix.join(folder, name);
      this.#names += 1;
      if (this.#names > MAX_NAMES) {
        tell(folder, `has more than ${MAX_NAMES} names below it`, 'list less of it');
        return;
      }
      const fault = isTrap(name) ? { message: `contains the name "${name}"`, remedy: 'remove it' } : faultOfPath(path);
      if (fault !== undefined) {
        tell(isTrap(name) ? folder : JSON.stringify(path).slice(1, -1), fault.message, fault.remedy);
        continue;
      }
      const found = this.#find(path);
      if (found?.kind === 'folder') {
        const isOfGit = /(^|\/)\.git(\/|$)/.test(found.real);
        if (isOfGit) tell(path, "is a link into git's own folder", 'remove it');
        else this.#walk(path, found.real, place, new Set([...above, real]));
      } else if (found?.kind === 'file') {
        this.#addWalked(path, place, found);
      } else if (found?.kind === 'unfit') {
        tell(path, found.message, found.remedy);
      } else if (found?.kind === 'outside') {
        tell(path, 'is a link to a place outside the project', 'put the file itself there, or remove the link');
      } else {
        tell(path, `is a link that leads nowhere${this.#tree.where}`, 'remove it, or create what it points to');
      }
    }
  }

  /** What holds do-deploy's own secrets is left out: the folder was listed, not that file. */
  #addWalked(path: string, place: string, { real, executable }: { real: string; executable: boolean }): void {
    if (this.#wanted.has(path) || this.#own.match(real) !== undefined) return;
    this.#wanted.set(path, { place, executable });
  }

  #find(path: string): Exclude<Found, { kind: 'special' }> | undefined {
    try {
      const found = this.#tree.find(path);
      if (found?.kind !== 'special') return found;
      const message = `is ${unusualKind(found.stat)}, which cannot be sent`;
      return { kind: 'unfit', message, remedy: 'remove it, or list the files beside it' };
    } catch (error) {
      if (!isFileError(error)) throw error;
      return { kind: 'unfit', ...describeFileError(error, path) };
    }
  }

  #namesIn(folder: string, place: string): string[] {
    try {
      return this.#tree.list(folder);
    } catch (error) {
      const { message, remedy } = describeFileError(error, folder);
      this.#problems.add(place, `${folder} ${message}`, remedy);
      return [];
    }
  }

  #toSource(path: string, place: string, executable: boolean, read: ReadContent | Error): SourceFile | undefined {
    try {
      if (read instanceof Error) throw read;
      const { localPath, content } = read;
      const here = localPath === undefined ? (executable ? 0o755 : 0o644) : statSync(localPath).mode;
      const mode = path === START_UP ? WIDEST_MODE : modeOf(path, content, here);
      return localPath === undefined ? { path, mode, content } : { path, mode, localPath };
    } catch (error) {
      const { message, remedy } = describeFileError(error, path);
      this.#problems.add(place, `${path} ${message}`, remedy);
      return undefined;
    }
  }

  /** Files that a droplet could make nothing of. */
  #reportUnusable(path: string, place: string, { content }: ReadContent, isListedEnvFile: boolean): void {
    const encryption = encryptionOf(content, { byText: isEnvFile(path) });
    if (encryption !== undefined) {
      this.#problems.add(place, `${path} is encrypted by ${encryption.by}`, encryption.remedy(path), 'file-encrypted');
    } else if (isEnvFile(path)) {
      this.#reportEnvFile(path, place, content, isListedEnvFile);
    }
    if (isLfsPointer(content)) {
      const [message, remedy] =
        this.#tree.where === ''
          ? ['is in Git LFS, and only its pointer is here', `git lfs pull --include ${path}`]
          : ['is in Git LFS: git holds only a pointer to it', 'check that version out, and deploy with --working-tree'];
      this.#problems.add(place, `${path} ${message}`, remedy);
    }
  }

  /** @param isListed compose reads it; others may be for another program, with rules of its own */
  #reportEnvFile(path: string, place: string, content: Buffer, isListed: boolean): void {
    if (content.length >= MAX_FILE_BYTES) {
      this.#problems.add(place, `${path} is larger than 1 MiB`, 'check that it is the right file');
      return;
    }
    const text = decodeText(content);
    // Whether a variable is set is for the droplet to say.
    const fault = typeof text !== 'string' ? text : isListed ? parseEnvFile(text, () => 'set').fault : undefined;
    if (fault !== undefined) this.#problems.add(`${path}:${fault.line}`, fault.message, fault.remedy);
  }

  #reportMissing(path: string, written: string, place: string, optional: boolean): void {
    const placeholder = /\{[^}]*\}?/.exec(written)?.[0];
    if (placeholder !== undefined) {
      const message = `${path} does not exist: unknown placeholder ${placeholder}`;
      this.#problems.add(place, message, 'the only placeholder is {environment}');
    } else if (!optional) {
      const message = `${path} does not exist${this.#tree.where}`;
      this.#problems.add(place, message, this.#howToCreate(written), 'file-missing');
    }
  }

  #reportOwn(path: string, own: { path: string; what: string; remedy: string }, place: string): void {
    const what = path === own.path ? own.what : `is the same file as ${own.path}, which ${own.what}`;
    this.#problems.add(place, `${path} ${what} and is never uploaded`, own.remedy);
  }

  #howToCreate(path: string): string {
    const example = `${path}.example`;
    if (this.#tree.where !== '') return `deploy a version that has it, or write ${path}? if it is optional`;
    if (this.#tree.find(example) !== undefined) return `cp ${example} ${path}`;
    if (!this.#hasFile) return "go to the project's folder, or name your files in a config/deploy.yml";
    return `create it, or write ${path}? if it is optional`;
  }
}

/** As it is here, never wider; env files and keys for their owner only. */
function modeOf(path: string, content: Buffer, here: number): number {
  const isPrivate = isEnvFile(path) || /\.(key|pem)$/.test(path) || isKey(content);
  // Without the owner's right to read, the droplet could not even verify it.
  return (here & (isPrivate ? 0o600 : WIDEST_MODE)) | 0o400;
}

/** What Git LFS leaves in git in place of a file: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md */
function isLfsPointer(content: Buffer): boolean {
  return content.length < 1024 && content.toString('latin1').startsWith('version https://git-lfs.github.com/spec/');
}

/** Whether a path is the folder, or lies in it. */
function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}
