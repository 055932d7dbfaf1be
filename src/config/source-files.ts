import { basename, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'dotenv';
import { type FileTree, WorkingTree } from './file-tree.js';
import type { ProblemList } from './problems.js';
import type { SourceFile } from './settings.js';
import { encryptionOf, OWN_ENV_FILES, OWN_SECRETS } from './variables.js';

/** An entry of `compose:` or `files:`, and where it is written. */
export interface FileEntry {
  entry: string;
  place: string;
}

/** What the configuration names as files of a release. */
export interface ReleaseEntries {
  /** The base first. */
  compose: FileEntry[];
  files: FileEntry[];
  prepare?: FileEntry;
}

export interface ReleaseFiles {
  composeFiles: string[];
  envFiles: string[];
  files: SourceFile[];
  prepare?: string;
}

const START_UP = 'scripts/start-up.sh';
/** The one that comes with do-deploy: two folders up from here, in src/ as in dist/. */
const PACKAGED_START_UP = fileURLToPath(new URL(`../../${START_UP}`, import.meta.url));

/**
 * Finds the files of a release. What is missing, or can't go to a droplet, becomes a problem.
 * @param project.tree where to look; the project's folder as it is, if left out
 */
export function collectFiles(
  project: { root: string; environment: string; hasFile: boolean; tree?: FileTree },
  entries: ReleaseEntries,
  problems: ProblemList,
): ReleaseFiles {
  const collector = new Collector(project, problems);
  const composeFiles = entries.compose.flatMap((entry) => collector.add(entry, 'compose file'));
  const listed = entries.files.flatMap((entry) => collector.add(entry, 'any'));
  const [prepare] = entries.prepare === undefined ? [] : collector.add(entries.prepare, 'script');
  if (composeFiles.length === 0 && entries.compose.every(({ entry }) => entry.endsWith('?'))) {
    const place = entries.compose[0]?.place ?? project.root;
    problems.add(place, 'none of the compose files exists', 'create one, and list it without a ?');
  }
  return {
    composeFiles: [...new Set(composeFiles)],
    envFiles: [...new Set(listed.filter((path) => basename(path).startsWith('.env')))],
    files: collector.files(),
    prepare,
  };
}

class Collector {
  /** Path, and the entry that brought it in. */
  readonly #wanted = new Map<string, { place: string; executable: boolean }>();
  readonly #tree: FileTree;
  readonly #root: string;
  readonly #environment: string;
  readonly #hasFile: boolean;
  readonly #problems: ProblemList;
  #ownEnvFiles: { path: string; real: string }[] | undefined;

  constructor(
    project: { root: string; environment: string; hasFile: boolean; tree?: FileTree },
    problems: ProblemList,
  ) {
    this.#root = project.root;
    this.#tree = project.tree ?? new WorkingTree(project.root);
    this.#environment = project.environment;
    this.#hasFile = project.hasFile;
    this.#problems = problems;
  }

  /** What was added, read at once, and the start-up script: the project's own, or the one that comes with do-deploy. */
  files(): SourceFile[] {
    const own = this.#tree.find(START_UP)?.kind;
    const hasOwn = own === 'file' || own === 'outside';
    const wanted = new Map(this.#wanted).set(START_UP, { place: START_UP, executable: true });
    if (!hasOwn) wanted.delete(START_UP);
    const paths = [...wanted.keys()];
    const found = this.#tree.read(paths).flatMap((read, index): SourceFile[] => {
      const path = paths[index] ?? '';
      const { place, executable } = wanted.get(path) ?? { place: path, executable: false };
      if (read instanceof Error) {
        this.#tellUnreadable(path, place, read);
        return [];
      }
      this.#tellUnusable(path, place, read.content);
      const mode = path === START_UP ? 0o755 : modeOf(path, read.content, executable);
      const { localPath, content } = read;
      return [localPath === undefined ? { path, mode, content } : { path, mode, localPath }];
    });
    return hasOwn ? found : [...found, { path: START_UP, mode: 0o755, localPath: PACKAGED_START_UP }];
  }

  /** Adds what an entry names. Gives the path of a file; nothing for a folder, or when it is missing. */
  add({ entry, place }: FileEntry, kind: 'compose file' | 'script' | 'any'): string[] {
    const optional = entry.endsWith('?');
    const written = (optional ? entry.slice(0, -1) : entry).replaceAll('{environment}', this.#environment);
    const fault = faultOfPath(written);
    if (fault !== undefined) {
      this.#problems.add(place, `${entry}: ${fault.message}`, fault.remedy);
      return [];
    }

    const path = posix.normalize(written).replace(/\/$/, '');
    const found = this.#tree.find(path);
    if (found === undefined) {
      const message = `${path} does not exist${this.#tree.where}`;
      if (!optional) this.#problems.add(place, message, this.#howToCreate(written));
    } else if (found.kind === 'unfit') {
      this.#problems.add(place, `${path} ${found.message}`, found.remedy);
    } else if (found.kind === 'outside') {
      this.#problems.add(place, `${path} is a link to a place outside the project`, 'put the file itself there');
    } else if (found.kind === 'folder') {
      if (kind !== 'any') this.#problems.add(place, `${path} is a folder`, `name the ${kind} in it`);
      else if (!written.endsWith('/')) this.#problems.add(place, `${path} is a folder`, `write ${path}/`);
      else this.#walk(path, found.real, place, new Set());
    } else if (written.endsWith('/')) {
      this.#problems.add(place, `${path} is a file`, `write ${path}`);
    } else if (this.#ownEnvFile(found.real) !== undefined) {
      this.#tellOwnEnvFile(path, place, this.#ownEnvFile(found.real) ?? path);
    } else {
      this.#addFile(path, place, found.executable);
      return [path];
    }
    return [];
  }

  #walk(folder: string, real: string, place: string, above: ReadonlySet<string>): void {
    // A link may lead back up: then this folder is already on the way.
    if (above.has(real)) return;
    for (const name of this.#namesIn(folder, place)) {
      const path = posix.join(folder, name);
      const found = name === '.git' ? undefined : this.#tree.find(path);
      if (found?.kind === 'folder') this.#walk(path, found.real, place, new Set([...above, real]));
      else if (found?.kind === 'file') this.#addWalked(path, place, found);
      else if (found?.kind === 'unfit') this.#problems.add(place, `${path} ${found.message}`, found.remedy);
      // Else a broken link, or one that leads outside: not ours to send.
    }
  }

  #addWalked(path: string, place: string, { real, executable }: { real: string; executable: boolean }): void {
    if (this.#ownEnvFile(real) === undefined) this.#addFile(path, place, executable);
  }

  #namesIn(folder: string, place: string): string[] {
    try {
      return this.#tree.list(folder);
    } catch (error) {
      this.#tellUnreadable(folder, place, error);
      return [];
    }
  }

  #tellUnreadable(path: string, place: string, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.#problems.add(place, `${path} can't be read: ${reason}`, `look at its permissions: ls -ld ${path}`);
  }

  #addFile(path: string, place: string, executable: boolean): void {
    const fault = faultOfPath(path);
    if (fault !== undefined) this.#problems.add(place, `${path}: ${fault.message}`, fault.remedy);
    else if (!this.#wanted.has(path)) this.#wanted.set(path, { place, executable });
  }

  /** Files that stand for others, which a droplet could make nothing of. */
  #tellUnusable(path: string, place: string, content: Buffer): void {
    const encryption = encryptionOf(content, { byText: isEnvFile(path) });
    if (encryption !== undefined) {
      this.#problems.add(place, `${path} is encrypted by ${encryption.by}`, encryption.remedy(path));
    }
    if (isLfsPointer(content)) {
      const [message, remedy] =
        this.#tree.where === ''
          ? ['is in Git LFS, and only its pointer is here', `git lfs pull --include ${path}`]
          : ['is in Git LFS: git holds only a pointer to it', 'check that version out, and deploy with --working-tree'];
      this.#problems.add(place, `${path} ${message}`, remedy);
    }
  }

  #tellOwnEnvFile(path: string, place: string, own: string): void {
    const environmentFile = `config/.env.${this.#environment}`;
    if (path === own) {
      const message = `${path} holds do-deploy's own secrets and is never uploaded`;
      this.#problems.add(place, message, `move what the app needs to ${environmentFile}, and list that`);
    } else {
      const message = `${path} is the same file as ${own}, which holds do-deploy's own secrets and is never uploaded`;
      this.#problems.add(
        place,
        message,
        `make a file of its own with what the app needs, for example ${environmentFile}`,
      );
    }
  }

  /** The file of do-deploy's own variables that this is: by whatever link or name it was reached. */
  #ownEnvFile(real: string): string | undefined {
    this.#ownEnvFiles ??= OWN_ENV_FILES.flatMap((path) => {
      const found = this.#tree.find(path);
      return found?.kind === 'file' && this.#isOwn(path) ? [{ path, real: found.real }] : [];
    });
    return this.#ownEnvFiles.find((own) => own.real === real)?.path;
  }

  /** A .env at the root is often the app's own; with our secrets in it, it stays here. */
  #isOwn(path: (typeof OWN_ENV_FILES)[number]): boolean {
    if (path !== '.env') return true;
    const [read] = this.#tree.read([path]);
    const content = read === undefined || read instanceof Error ? '' : read.content;
    return Object.keys(parse(content)).some((name) => OWN_SECRETS.includes(name));
  }

  #howToCreate(path: string): string {
    const example = `${path}.example`;
    if (this.#tree.where !== '') return `deploy a version that has it, or write ${path}? if it is optional`;
    if (this.#tree.find(example) !== undefined) return `cp ${example} ${path}`;
    if (!this.#hasFile) return "go to the project's folder, or name your files in a config/deploy.yml";
    return `create it, or write ${path}? if it is optional`;
  }
}

/** Env files hold secrets; `.env.production`, `app.env`, but not an example of one. */
export function isEnvFile(path: string): boolean {
  const name = basename(path);
  return (name.startsWith('.env') || name.endsWith('.env')) && !name.endsWith('.example');
}

function modeOf(path: string, content: Buffer, executable: boolean): number {
  const isKey =
    /\.(key|pem)$/.test(path) || /^-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(content.toString('latin1', 0, 64));
  if (isEnvFile(path) || isKey) return 0o600;
  return executable ? 0o755 : 0o644;
}

/** What Git LFS leaves in git in place of a file: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md */
function isLfsPointer(content: Buffer): boolean {
  return content.length < 1024 && content.toString('latin1').startsWith('version https://git-lfs.github.com/spec/');
}

function faultOfPath(path: string): { message: string; remedy: string } | undefined {
  const placeholder = /\{[^}]*\}?/.exec(path)?.[0];
  if (placeholder !== undefined) {
    return { message: `${placeholder} stands for nothing`, remedy: 'the only placeholder is {environment}' };
  }
  if (posix.isAbsolute(path) || posix.normalize(path).startsWith('..')) {
    return { message: 'is outside the project', remedy: 'copy it into the project, and write its path from there' };
  }
  if (!/^[A-Za-z0-9._/@+-]+$/.test(path) || path.startsWith('-')) {
    return { message: 'has a name that can not go to a droplet', remedy: 'rename it: letters, digits and . _ @ + -' };
  }
  return undefined;
}
