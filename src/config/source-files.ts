import { readdirSync, readFileSync, realpathSync, type Stats, statSync } from 'node:fs';
import { basename, join, posix, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ProblemList } from './problems.js';
import type { SourceFile } from './settings.js';
import { encryptionOf, OWN_ENV_FILES } from './variables.js';

/** An entry of `compose:` or `files:`, and where it is written. */
export interface FileEntry {
  entry: string;
  place: string;
}

export interface ReleaseFiles {
  composeFiles: string[];
  envFiles: string[];
  files: SourceFile[];
}

const START_UP = 'scripts/start-up.sh';
/** The one that comes with do-deploy: two folders up from here, in src/ as in dist/. */
const PACKAGED_START_UP = fileURLToPath(new URL(`../../${START_UP}`, import.meta.url));

/** Finds the files of a release. What is missing, or can't go to a droplet, becomes a problem. */
export function collectFiles(
  project: { root: string; environment: string; hasFile: boolean },
  entries: { compose: FileEntry[]; files: FileEntry[] },
  problems: ProblemList,
): ReleaseFiles {
  const collector = new Collector(project, problems);
  const composeFiles = entries.compose.flatMap((entry) => collector.add(entry, 'file'));
  const listed = entries.files.flatMap((entry) => collector.add(entry, 'any'));
  if (composeFiles.length === 0 && entries.compose.every(({ entry }) => entry.endsWith('?'))) {
    const place = entries.compose[0]?.place ?? project.root;
    problems.add(place, 'none of the compose files exists', 'create one, and list it without a ?');
  }
  const own = join(project.root, START_UP);
  collector.addStartUp(statOf(own)?.isFile() ? own : PACKAGED_START_UP);
  return {
    composeFiles: [...new Set(composeFiles)],
    envFiles: [...new Set(listed.filter((path) => basename(path).startsWith('.env')))],
    files: collector.files(),
  };
}

class Collector {
  readonly #files = new Map<string, SourceFile>();
  readonly #root: string;
  readonly #realRoot: string;
  readonly #environment: string;
  readonly #hasFile: boolean;
  readonly #problems: ProblemList;

  constructor(project: { root: string; environment: string; hasFile: boolean }, problems: ProblemList) {
    this.#root = project.root;
    this.#realRoot = realpathSync(project.root);
    this.#environment = project.environment;
    this.#hasFile = project.hasFile;
    this.#problems = problems;
  }

  files(): SourceFile[] {
    return [...this.#files.values()];
  }

  addStartUp(localPath: string): void {
    this.#files.set(START_UP, { localPath, path: START_UP, mode: 0o755 });
  }

  /** Adds what an entry names. Gives the path of a file; nothing for a folder, or when it is missing. */
  add({ entry, place }: FileEntry, kind: 'file' | 'any'): string[] {
    const optional = entry.endsWith('?');
    const written = (optional ? entry.slice(0, -1) : entry).replaceAll('{environment}', this.#environment);
    const fault = faultOfPath(written);
    if (fault !== undefined) {
      this.#problems.add(place, `${entry}: ${fault.message}`, fault.remedy);
      return [];
    }

    const path = posix.normalize(written).replace(/\/$/, '');
    const local = join(this.#root, path);
    const stat = statOf(local);
    if (stat === undefined) {
      if (!optional) this.#problems.add(place, `${path} does not exist`, this.#howToCreate(written));
    } else if (stat.isDirectory()) {
      if (kind === 'file') this.#problems.add(place, `${path} is a folder`, 'name the compose file in it');
      else if (!written.endsWith('/')) this.#problems.add(place, `${path} is a folder`, `write ${path}/`);
      else this.#walk(path, place, new Set());
    } else if (written.endsWith('/')) {
      this.#problems.add(place, `${path} is a file`, `write ${path}`);
    } else if (!this.#isInside(local)) {
      this.#problems.add(place, `${path} is a link to a place outside the project`, 'put the file itself there');
    } else if (this.#isOwnEnvFile(path)) {
      const remedy = `move what the app needs to config/.env.${this.#environment}, and list that`;
      this.#problems.add(place, `${path} holds do-deploy's own secrets and is never uploaded`, remedy);
    } else {
      this.#addFile(path, place, stat);
      return [path];
    }
    return [];
  }

  #walk(folder: string, place: string, above: ReadonlySet<string>): void {
    // A link may lead back up: then this folder is already on the way.
    const real = realpathSync(join(this.#root, folder));
    if (above.has(real)) return;
    for (const name of this.#namesIn(real, folder, place)) {
      const path = posix.join(folder, name);
      const local = join(this.#root, path);
      const stat = statOf(local);
      // A broken link, or one that leads outside: not ours to send.
      if (name === '.git' || stat === undefined || !this.#isInside(local) || this.#isOwnEnvFile(path)) continue;
      if (stat.isDirectory()) this.#walk(path, place, new Set([...above, real]));
      else if (stat.isFile()) this.#addFile(path, place, stat);
    }
  }

  #namesIn(real: string, folder: string, place: string): string[] {
    try {
      return readdirSync(real).sort();
    } catch (error) {
      this.#tellUnreadable(folder, place, error);
      return [];
    }
  }

  #tellUnreadable(path: string, place: string, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.#problems.add(place, `${path} can't be read: ${reason}`, `look at its permissions: ls -ld ${path}`);
  }

  #addFile(path: string, place: string, stat: Stats): void {
    const fault = faultOfPath(path);
    if (fault !== undefined) {
      this.#problems.add(place, `${path}: ${fault.message}`, fault.remedy);
      return;
    }
    const localPath = join(this.#root, path);
    let content: Buffer;
    try {
      content = readFileSync(localPath);
    } catch (error) {
      this.#tellUnreadable(path, place, error);
      return;
    }
    const encryption = isEnvFile(path) ? encryptionOf(content) : undefined;
    if (encryption !== undefined) {
      this.#problems.add(place, `${path} is encrypted by ${encryption.by}`, encryption.remedy(path));
    }
    this.#files.set(path, { localPath, path, mode: modeOf(path, content, stat) });
  }

  #isInside(local: string): boolean {
    const real = realpathSync(local);
    return real === this.#realRoot || real.startsWith(this.#realRoot + sep);
  }

  #isOwnEnvFile(path: string): boolean {
    if (path === OWN_ENV_FILES[0]) return true;
    // A .env at the root is often the app's own; with our token in it, it stays here.
    return (
      path === OWN_ENV_FILES[1] &&
      /^\s*(export\s+)?(DO_TOKEN|DIGITALOCEAN_ACCESS_TOKEN)\s*=/m.test(readFileSync(join(this.#root, path), 'utf8'))
    );
  }

  #howToCreate(path: string): string {
    const example = `${path}.example`;
    if (statOf(join(this.#root, example))) return `cp ${example} ${path}`;
    if (!this.#hasFile) return "go to the project's folder, or name your files in a config/deploy.yml";
    return `create it, or write ${path}? if it is optional`;
  }
}

/** Env files hold secrets; `.env.production`, `app.env`, but not an example of one. */
export function isEnvFile(path: string): boolean {
  const name = basename(path);
  return (name.startsWith('.env') || name.endsWith('.env')) && !name.endsWith('.example');
}

function modeOf(path: string, content: Buffer, stat: Stats): number {
  const isKey =
    /\.(key|pem)$/.test(path) || /^-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(content.toString('latin1', 0, 64));
  if (isEnvFile(path) || isKey) return 0o600;
  return (stat.mode & 0o111) === 0 ? 0o644 : 0o755;
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

/** Of what a link leads to; undefined when that can't be reached. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}
