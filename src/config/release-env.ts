/**
 * The variables that compose interpolates with: the env files of a release as compose reads them, checked against `env:`,
 * and the env files that do-deploy adds before and after them.
 */
import { dirname } from 'node:path';
import { type Declaration, exampleOf, faultOfValue } from './declaration.js';
import { decodeText } from './decode-text.js';
import { parseEnvFile } from './env-file.js';
import { DEFAULTS_FILE, SECRETS_FILE } from './file-names.js';
import type { ProblemList } from './problems.js';
import { MAX_FILE_BYTES, readHead } from './read-file.js';
import { findMissing } from './required-variables.js';
import { Secret } from './secret.js';
import { ON_DROPLETS } from './secret-values.js';
import type { ReadVariable, SourceFile } from './settings.js';
import type { ReleaseFiles } from './source-files.js';
import { writeEnvFile } from './write-env-file.js';

const MODE = 0o600;

/** Stands for the value of a variable that only droplets know; no env file can contain it. */
const UNKNOWN = '\0';

/** As compose reads it from the last env file that has it. */
export interface EnvValue {
  value: string;
  /** `config/.env.production:3` */
  place: string;
  /** Part of it comes from a variable that only droplets know. */
  isOpen: boolean;
  /** Variables that it refers to and that are not set. */
  unset?: readonly string[];
}

export interface ReleaseEnv {
  values: ReadonlyMap<string, EnvValue>;
  /** False where a file could not be read to its end: then it is not known what is missing. */
  isWhole: boolean;
  /** What compose reads, but was probably not meant. */
  warnings: string[];
}

/** Without an `--env-file`, compose reads the `.env` beside the first compose file. */
export function envFilesOf({ envFiles, composeFiles, files }: ReleaseFiles): string[] {
  const usual = `${dirname(composeFiles[0] ?? '')}/.env`.replace(/^\.\//, '');
  return envFiles.length === 0 && files.some(({ path }) => path === usual) ? [usual] : envFiles;
}

/** @param secrets names of variables that compose reads after all env files */
export function readReleaseEnv(
  release: ReleaseFiles,
  environment: string,
  declarations: readonly Declaration[],
  secrets: ReadonlySet<string>,
): ReleaseEnv {
  const values = new Map<string, EnvValue>();
  for (const { name, default: value, place } of declarations) {
    if (value !== undefined) values.set(name, { value, place, isOpen: false });
  }
  const warnings: string[] = [];
  let isWhole = true;
  const lookup = (name: string) => {
    if (name === 'DEPLOY_ENV') return environment;
    return ON_DROPLETS.has(name) ? UNKNOWN : values.get(name)?.value;
  };
  for (const path of envFilesOf(release)) {
    const text = textOf(release.files.find((file) => file.path === path));
    const { variables, fault } = parseEnvFile(text ?? '', lookup);
    if (text === undefined || fault !== undefined) isWhole = false;
    for (const { name, value, line, unset = [] } of variables) {
      const place = `${path}:${line}`;
      const secret = unset.find((one) => secrets.has(one));
      if (secret !== undefined) warnings.push(secretWarning(name, secret, place));
      else if (unset.length > 0) warnings.push(dollarWarning(name, place));
      values.set(name, { value, place, isOpen: value.includes(UNKNOWN), ...(unset.length > 0 && { unset }) });
    }
  }
  return { values, isWhole, warnings };
}

/** What stands behind the dollar sign is not named: it may be half of a password. */
function dollarWarning(name: string, place: string): string {
  return `${place}: the value of ${name} has a dollar sign that begins the name of a variable. No env file up to this line sets that variable, so containers get the value without this part. If the dollar sign belongs to the value, put single quotes around the value, or write $$.`;
}

function secretWarning(name: string, secret: string, place: string): string {
  return `${place}: the value of ${name} refers to the secret ${secret}, which compose reads after all env files, so containers get the value without this part. Set ${name} below environment: in the compose file instead.`;
}

function ofRole(role: string | undefined): string {
  return role === undefined ? '' : ` of the role ${role}`;
}

/**
 * Reports what is missing, blank or of the wrong type; never a value. What is so only because another variable is missing is no
 * problem of its own.
 * @param options.skip names that are checked elsewhere
 * @param options.needed names that compose files require
 * @returns names of which there is nothing more to say
 */
export function checkEnv(
  declarations: readonly Declaration[],
  { values, isWhole }: Pick<ReleaseEnv, 'values' | 'isWhole'>,
  {
    envFile,
    role,
    skip,
    needed,
  }: { envFile: string; role?: string | undefined; skip: ReadonlySet<string>; needed: ReadonlySet<string> },
  problems: ProblemList,
): ReadonlySet<string> {
  const isMissing = ({ name, required }: Declaration) => required && isWhole && !values.has(name) && !skip.has(name);
  const missing = new Set(declarations.filter(isMissing).map(({ name }) => name));
  const follows = ({ unset = [] }: EnvValue) => unset.some((one) => missing.has(one));
  const told = new Set([...missing, ...[...values].flatMap(([name, value]) => (follows(value) ? [name] : []))]);
  for (const declaration of declarations) {
    const { name, type, place } = declaration;
    const required = declaration.required || needed.has(name);
    if (skip.has(name)) continue;
    const found = values.get(name);
    const line = `${name}=${exampleOf(declaration)}`;
    if (found === undefined) {
      if (missing.has(name))
        problems.add(
          place,
          `${name} is missing: no env file${ofRole(role)} sets it`,
          `write ${line} in ${envFile}`,
          'variable-missing',
        );
    } else if (found.isOpen || told.has(name) || found.place === place) {
      // Its value is for the droplet to say, or what it refers to is missing, or it is the default, which was checked where it was read.
    } else if (found.value.trim() === '') {
      if (type === 'string' && !declaration.required) continue;
      told.add(name);
      const instead = required ? '' : ', or remove the line';
      problems.add(found.place, `${name} is blank`, `write ${line}${instead}`, 'variable-blank');
    } else {
      const fault = faultOfValue(declaration, found.value);
      if (fault !== undefined) problems.add(found.place, `${name} ${fault}`, `for example ${line} (env: ${place})`);
    }
  }
  return told;
}

/** A variable that a compose file requires, and that no env file sets. */
export interface Required {
  name: string;
  /** `compose/docker-compose.yml:12` */
  place: string;
}

/**
 * What compose files require and no env file sets, without what `env:` requires as well.
 * @param secrets names of variables that compose reads after all env files
 */
export function findRequired(
  release: ReleaseFiles,
  declarations: readonly Declaration[],
  { values, isWhole }: Pick<ReleaseEnv, 'values' | 'isWhole'>,
  secrets: ReadonlySet<string>,
): Required[] {
  if (!isWhole) return [];
  const elsewhere = new Set([...declarations.filter(({ required }) => required).map(({ name }) => name), ...secrets]);
  const lookup = (name: string) => (ON_DROPLETS.has(name) || elsewhere.has(name) ? UNKNOWN : values.get(name)?.value);
  const found = new Map<string, Required>();
  for (const path of release.composeFiles) {
    const text = textOf(release.files.find((file) => file.path === path));
    for (const { name, line } of findMissing(text ?? '', lookup)) {
      if (!found.has(name)) found.set(name, { name, place: `${path}:${line}` });
    }
  }
  return [...found.values()];
}

export function reportRequired(
  required: readonly Required[],
  { values }: Pick<ReleaseEnv, 'values'>,
  { envFile, role }: { envFile: string; role?: string | undefined },
  problems: ProblemList,
): void {
  for (const { name, place } of required) {
    const blank = values.get(name)?.place;
    const why = blank === undefined ? `no env file${ofRole(role)} sets it` : `it is blank in ${blank}`;
    const kind = blank === undefined ? 'variable-missing' : 'variable-blank';
    problems.add(place, `${name} is required, and ${why}`, `write ${name}=VALUE in ${envFile}`, kind);
  }
}

/** The release with defaults before all other env files, and secrets after them. */
export function withOwnEnvFiles(
  release: ReleaseFiles,
  defaults: ReadonlyMap<string, string>,
  secrets: ReadonlyMap<string, string>,
): ReleaseFiles {
  const first = defaults.size === 0 ? [] : [toFile(DEFAULTS_FILE, 'Written by do-deploy: defaults of env:.', defaults)];
  const last = secrets.size === 0 ? [] : [toFile(SECRETS_FILE, 'Written by do-deploy: values of secrets:.', secrets)];
  if (first.length + last.length === 0) return release;
  const paths = (files: readonly SourceFile[]) => files.map(({ path }) => path);
  return {
    ...release,
    envFiles: [...paths(first), ...envFilesOf(release), ...paths(last)],
    files: [...first, ...release.files, ...last],
  };
}

/** What compose on a droplet must read as well. */
export function toCompare(
  declarations: readonly Declaration[],
  { values }: Pick<ReleaseEnv, 'values'>,
  secrets: ReadonlyMap<string, EnvValue>,
): ReadVariable[] {
  const names = new Set([...declarations.map(({ name }) => name), ...secrets.keys()]);
  return [...names].flatMap((name) => {
    const found = secrets.get(name) ?? values.get(name);
    if (found === undefined || found.isOpen) return [];
    const { value, place } = found;
    return [{ name, value: new Secret(value), place, ...(secrets.has(name) && { isSecret: true }) }];
  });
}

function toFile(path: string, comment: string, values: ReadonlyMap<string, string>): SourceFile {
  return { path, mode: MODE, content: Buffer.from(writeEnvFile(comment, values)) };
}

/** Undefined where it cannot be read: that is a problem already. */
export function textOf(file: SourceFile | undefined): string | undefined {
  if (file === undefined) return undefined;
  try {
    const content = file.content ?? readHead(file.localPath, MAX_FILE_BYTES).content;
    const text = decodeText(content);
    return typeof text === 'string' ? text : undefined;
  } catch {
    return undefined;
  }
}
