/**
 * A section: some keys of config/deploy.yml with their schema, documentation, defaults, and what they mean to the program.
 * A feature adds its settings in one file, plus a line in sections/index.ts; layers pass theirs to `loadSettings`.
 */
import type { z } from 'zod';
import type { Handler } from '../rollout/lifecycle.js';
import type { ConfigDocument, Path } from './document.js';
import type { ProblemList } from './problems.js';
import type { Secret } from './secret.js';
import type { HookProgram } from './settings.js';
import type { ReleaseEntries } from './source-files.js';
import type { Keys } from './values.js';
import type { ProcessEnv, Variables } from './variables.js';

/** The valid values of a section's keys; absent where nothing is written, or where what is written has a problem. */
export type Written<K extends Keys> = { readonly [Key in keyof K]?: z.output<K[Key]> };

export interface Section<K extends Keys = Keys, Resolved extends object = object> {
  /**
   * By name as in the file. A key's description, examples and default (`.meta()`) are its row in the reference and what
   * editors show; its errors continue "KEY ".
   */
  readonly keys: K;
  /** `environment`: only there. By default at the top level and in an environment, where the latter wins. */
  readonly scope?: 'environment';
  /** Whether the keys must be present at the top level. */
  readonly required?: boolean;
  /**
   * Runs that read the section (see `LoadOptions.needs`); by default all. In other runs its problems are ignored, and its
   * variables may be unset.
   */
  readonly neededFor?: 'images' | 'release' | 'rollout';
  /** Runs that do not need the section read it all the same, as far as its variables are set. */
  readonly readWhereSet?: boolean;
  /** Paths of values in which a `$` stands for itself; `*` is any key. */
  readonly literal?: readonly Path[];
  /** Checks beyond the schema, on the file as written: every environment, with variables not yet replaced. */
  check?(document: ConfigDocument, problems: ProblemList): void;
  /** Settings for one environment; maps of the environment are already merged into those of the top level. */
  resolve(written: Written<K>, context: SectionContext): Resolved | Promise<Resolved>;
}

/** Infers the types of a section's keys and settings. */
export function defineSection<const K extends Keys, Resolved extends object>(
  section: Section<K, Resolved>,
): Section<K, Resolved> {
  return section;
}

/** A layer as it is written in the file, for the environment of this run. */
export interface WrittenLayer {
  readonly name: string;
  readonly settings: unknown;
  /** Where its settings are written: `config/deploy.yml:12`. */
  place(...path: Path): string;
  /** Whether the file has something there, also where a variable of it is not set. */
  isWritten(...path: Path): boolean;
}

/** Makes the handlers of layers; what is wrong with them becomes problems. Only runs that roll have one. */
export type ReadLayers = (
  written: readonly WrittenLayer[],
  about: Pick<SectionContext, 'root' | 'variables' | 'problems' | 'hide' | 'release'>,
) => Promise<Handler[]>;

/** Finds the programs in the folder of the hooks; what is wrong with them becomes problems. Only runs that roll have one. */
export type FindHooks = (
  where: { readonly root: string; readonly folder: string },
  tell: ProblemList['add'],
) => HookProgram[];

/** What a section resolves its settings from. */
export interface SectionContext {
  readonly environment: string;
  /** The project's folder; absolute. */
  readonly root: string;
  readonly env: ProcessEnv;
  /** The project's variables: the environment first, then its env files. */
  readonly variables: Variables;
  readonly problems: ProblemList;
  /** What the run takes; see `LoadOptions.needs`. */
  readonly needs: 'release' | 'fleet' | 'images';
  /** False when this run does not need the section (`neededFor`). */
  readonly isNeeded: boolean;
  /** Files and variables of a release that the section names. */
  readonly release: ReleaseEntries;
  /** `config/deploy.yml:12`: where the value for this environment is written, or what encloses it. */
  place(...path: Path): string;
  /** Whether the file has a value there, right or wrong, for the environment or for all. */
  isWritten(...path: Path): boolean;
  /** Absent in runs that do not roll. */
  readonly readLayers?: ReadLayers;
  readonly findHooks?: FindHooks;
  /** Whether the environment's own map has a value there. */
  isOwn(...path: Path): boolean;
  /** Whether the file has something there for all environments. */
  isForAll(...path: Path): boolean;
  /** What the roles of the environment have below that key, each checked like the key itself. */
  ofRoles(key: string): readonly { role: string; written: unknown }[];
  /** Masks the value wherever text is shown. */
  hide(secret: Secret): void;
}

/** In a box, so that a section that resolves to a union counts as one. */
type Boxed<S> = S extends Section ? { settings: Awaited<ReturnType<S['resolve']>> } : never;

type Intersection<Box> = (Box extends { settings: infer One } ? (one: One) => void : never) extends (
  all: infer All,
) => void
  ? All
  : never;

/** The settings that a list of sections resolves to. */
export type SettingsOf<Sections extends readonly Section[]> = Sections extends readonly []
  ? object
  : Intersection<Boxed<Sections[number]>>;
