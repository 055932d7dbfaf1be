/** OpenSSH's client configuration (ssh_config(5)): which lines apply to a host. `ssh -G` is the reference. */
import { readFileSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { type ConfigLine, ConfigProblem, splitConfig } from './config-lines.js';
import { glob } from './glob.js';
import { evaluateMatch } from './match.js';
import { matchesPatterns } from './patterns.js';

/** A line that applies to a host. */
export interface Setting extends ConfigLine {
  /** Which name of the host its section is about: the first one, another one, or none in particular (`Host *`). */
  scope: Scope;
}

/** In order of precedence. */
export type Scope = 'name' | 'address' | 'general';

export interface ConfigFiles {
  /** Absent: there is none. */
  user?: string;
  /** /etc/ssh/ssh_config; absent where the user names a file of their own (`ssh -F`). */
  system?: string;
  /** For `~/` in the paths of Include. */
  home: string;
  localUser: string;
}

interface Section {
  active: boolean;
  scope: Scope;
}

/** READCONF_MAX_DEPTH of OpenSSH. */
const MAX_DEPTH = 16;
/** Bounds a configuration: with a nested Include of many files, lines multiply. */
const MAX_LINES = 100_000;
const SCOPES: readonly Scope[] = ['name', 'address', 'general'];

export class ClientConfig {
  readonly #files: ConfigFiles;
  readonly #parsed = new Map<string, ConfigLine[]>();

  constructor(files: ConfigFiles) {
    this.#files = files;
  }

  /**
   * The lines that apply to a host, in the order in which they are read. `names` are the host's names, most important one
   * first: its droplet's name, its address. `user` is who logs in where no line says otherwise. Throws ConfigProblem.
   */
  lookUp(names: readonly string[], user: string): Setting[] {
    const reading = new Reading(names, user, this.#files, (file) => this.#read(file));
    reading.readAll(false);
    if (reading.wantsFinal) reading.readAll(true);
    return reading.settings;
  }

  /** Undefined when there is no such file. */
  #read(file: string): ConfigLine[] | undefined {
    const known = this.#parsed.get(file);
    if (known !== undefined) return known;
    const text = readIfThere(file);
    if (text === undefined) return undefined;
    const lines = splitConfig(text, file);
    this.#parsed.set(file, lines);
    return lines;
  }
}

/** Goes through the files once or, for `Match final`, twice. */
class Reading {
  readonly settings: Setting[] = [];
  wantsFinal = false;
  #count = 0;
  #isFinal = false;

  constructor(
    readonly names: readonly string[],
    readonly user: string,
    readonly files: ConfigFiles,
    readonly read: (file: string) => ConfigLine[] | undefined,
  ) {}

  readAll(isFinal: boolean): void {
    this.#isFinal = isFinal;
    for (const kind of ['user', 'system'] as const) {
      const file = this.files[kind];
      if (file !== undefined) this.#readFile(file, kind, { active: true, scope: 'general' }, 0);
    }
  }

  /** `around` is the section that includes the file: nothing in an inactive one applies. */
  #readFile(file: string, kind: 'user' | 'system', around: Section, depth: number): void {
    if (depth > MAX_DEPTH) throw new ConfigProblem(`${file}: too many nested Include`);
    let section = around;
    for (const line of this.read(file) ?? []) {
      if (++this.#count > MAX_LINES) throw new ConfigProblem(`${file}: the configuration is too large`);
      if (line.keyword === 'host') section = within(around, this.#host(line));
      else if (line.keyword === 'match') section = within(around, this.#match(line, around.active));
      else if (line.keyword === 'include') {
        for (const path of this.#includedBy(line, kind)) this.#readFile(path, kind, section, depth + 1);
      } else if (section.active && !this.#isTooLate(line)) this.settings.push({ ...line, scope: section.scope });
    }
  }

  /** Before the second time, OpenSSH has settled on a host name. */
  #isTooLate({ keyword }: ConfigLine): boolean {
    return this.#isFinal && keyword === 'hostname';
  }

  #host({ words }: ConfigLine): Section {
    const options = { matchCase: true };
    const active = matchesPatterns(words, this.names, options);
    if (words.every((pattern) => pattern === '*' || pattern.startsWith('!'))) return { active, scope: 'general' };
    return { active, scope: matchesPatterns(words, this.names.slice(0, 1), options) ? 'name' : 'address' };
  }

  #match(line: ConfigLine, isReachable: boolean): Section {
    // A section that cannot apply is not evaluated: it may hold what is not supported.
    if (!isReachable) return { active: false, scope: 'general' };
    const [name = ''] = this.names;
    const hostName = this.#first('hostname')?.replaceAll(/%([h%])/g, (_, letter) => (letter === 'h' ? name : '%'));
    const { matches, about, wantsFinal } = evaluateMatch(line, {
      names: this.names,
      hostName,
      user: this.#first('user') ?? this.user,
      localUser: this.files.localUser,
      tag: this.#first('tag') ?? '',
      isFinal: this.#isFinal,
    });
    this.wantsFinal ||= wantsFinal;
    const scope = about === undefined ? 'general' : about === name ? 'name' : 'address';
    return { active: matches, scope };
  }

  #first(keyword: string): string | undefined {
    return this.settings.find((setting) => setting.keyword === keyword)?.words[0];
  }

  #includedBy({ words, place }: ConfigLine, kind: 'user' | 'system'): string[] {
    return words.flatMap((path) => {
      if (path === '') throw new ConfigProblem(`${place}: Include without a path`);
      if (path.startsWith('~') && kind === 'system')
        throw new ConfigProblem(`${place}: Include ${path} is not allowed`);
      if (path.startsWith('~/')) return glob(join(this.files.home, path.slice(2)));
      if (path.startsWith('~')) throw new ConfigProblem(`${place}: Include ${path}: write the whole path`);
      if (isAbsolute(path)) return glob(path);
      return glob(
        kind === 'user' ? join(this.files.home, '.ssh', path) : join(dirname(this.files.system ?? '/'), path),
      );
    });
  }
}

function within(around: Section, own: Section): Section {
  const scope = SCOPES.find((one) => one === around.scope || one === own.scope) ?? 'general';
  return { active: around.active && own.active, scope };
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new ConfigProblem(`${file} cannot be read (${code})`, `Make it readable: ls -l ${file}`);
  }
}
