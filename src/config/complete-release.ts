/** A release's env files with what no file has: defaults of `env:`, and values of `secrets:`. */
import type { Declaration } from './declaration.js';
import type { ProblemList } from './problems.js';
import {
  checkEnv,
  type EnvValue,
  envFilesOf,
  findRequired,
  readReleaseEnv,
  reportRequired,
  toCompare,
  withOwnEnvFiles,
} from './release-env.js';
import type { Secret } from './secret.js';
import { type RunCommand, readSecrets } from './secret-sources.js';
import type { Settings } from './settings.js';
import type { ReleaseEntries, ReleaseFiles } from './source-files.js';
import type { ProcessEnv } from './variables.js';

interface Context {
  environment: string;
  root: string;
  env: ProcessEnv;
  runCommand?: RunCommand;
  /** Those found so far. */
  problems: ProblemList;
  hide(secret: Secret): void;
}

/** The files of a release, and what they must set; with roles there may be several. */
export interface Variant {
  /** The role that has it alone. */
  role?: string;
  files: ReleaseFiles;
  declarations: readonly Declaration[];
}

export type Complete = ReleaseFiles & Pick<Settings, 'variables' | 'warnings'>;

/** Missing, blank and mistyped variables become problems, all of them together. */
export async function completeReleases(
  variants: readonly Variant[],
  secrets: ReleaseEntries['secrets'],
  { environment, root, env, runCommand, problems, hide }: Context,
): Promise<Complete[]> {
  const names = new Set(secrets.map(({ name }) => name));
  const checked = variants.map((variant) => {
    const { files, declarations, role } = variant;
    const read = readReleaseEnv(files, environment, declarations, names);
    const envFile = envFilesOf(files).at(-1) ?? `config/.env.${environment}`;
    const required = findRequired(files, declarations, read, names);
    const needed = new Set(required.map(({ name }) => name));
    const told = checkEnv(declarations, read, { envFile, role, skip: names, needed }, problems);
    const untold = required.filter(({ name }) => !told.has(name));
    reportRequired(untold, read, { envFile, role }, problems);
    return { ...variant, read, envFile };
  });
  // A command may ask another service: it runs only when everything else is right.
  const found =
    problems.isEmpty && secrets.length > 0
      ? await readSecrets(secrets, { root, env, run: runCommand }, problems, hide)
      : new Map<string, string>();
  const given = new Map<string, EnvValue>();
  for (const { name, place } of secrets) {
    const value = found.get(name);
    if (value !== undefined) given.set(name, { value, place, isOpen: false });
  }
  return checked.map(({ files, declarations, read, envFile }) => {
    const ofSecrets = declarations.filter(({ name }) => given.has(name));
    checkEnv(ofSecrets, { values: given, isWhole: true }, { envFile, skip: new Set(), needed: new Set() }, problems);
    const defaults = new Map<string, string>();
    for (const { name, default: value } of declarations) if (value !== undefined) defaults.set(name, value);
    const variables = toCompare(declarations, read, given);
    return {
      ...withOwnEnvFiles(files, defaults, found),
      ...(variables.length > 0 && { variables }),
      ...(read.warnings.length > 0 && { warnings: read.warnings }),
    };
  });
}
