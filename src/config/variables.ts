/**
 * do-deploy's own variables. dotenv reads their files. A line from which docker compose would read another value is
 * refused: a file should not depend on which of the two programs it is for.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'dotenv';
import { decodeText } from './decode-text.js';
import { encryptionOf } from './encryption.js';
import { type EnvFault, type EnvVariable, parseEnvFile } from './env-file.js';
import type { ProblemList } from './problems.js';
import { readSmallFile } from './read-file.js';

/** Files of do-deploy's own variables, relative to the project's root; the first wins. They are never uploaded. */
export const OWN_ENV_FILES = ['config/.env', '.env'] as const;

/** Variables that must not leave this machine. */
export const OWN_SECRETS: readonly string[] = [
  'DO_TOKEN',
  'DIGITALOCEAN_ACCESS_TOKEN',
  'SSH_PRIVATE_KEY',
  'DOCKER_PASSWORD',
];

export type ProcessEnv = Readonly<Record<string, string | undefined>>;

/** The values that `$NAME` may stand for: from the process environment, else from the project's own env files. */
export interface Variables {
  /** Undefined when it is not set, '' when it is set to nothing. A line that cannot be relied on becomes a problem. */
  get(name: string): string | undefined;
  /** `config/.env:3`, or the name itself when it comes from the process environment or is not set. */
  placeOf(name: string): string;
  /** What to do to set it. */
  howToSet(name: string): string;
  /** All variables of the env files, as compose and as dotenv read them. */
  fromFiles: readonly EnvVariable[];
}

/** Reads the env files; what is wrong with them as a whole becomes a problem. */
export function readVariables(root: string, env: ProcessEnv, problems: ProblemList): Variables {
  const files = OWN_ENV_FILES.flatMap((path) => readOwnFile(root, path, problems) ?? []);
  const find = (name: string) => {
    const having = files.filter(({ variables }) => variables.has(name));
    const file = having.find(({ variables }) => variables.get(name)?.value) ?? having[0];
    return file === undefined ? undefined : { path: file.path, ...(file.variables.get(name) as OwnVariable) };
  };
  return {
    get(name) {
      if (env[name]) return env[name];
      const found = find(name);
      if (found === undefined) return env[name];
      if (found.disagreement !== undefined) {
        const message = `docker compose and dotenv read different values of ${name}`;
        problems.add(`${found.path}:${found.line}`, message, found.disagreement);
      }
      return found.value;
    },
    placeOf(name) {
      const found = env[name] ? undefined : find(name);
      return found === undefined ? name : `${found.path}:${found.line}`;
    },
    howToSet(name) {
      const found = find(name);
      if (found !== undefined) return `write its value in ${found.path}:${found.line}`;
      const hasExample = existsSync(join(root, 'config/.env.example')) && !existsSync(join(root, 'config/.env'));
      if (hasExample) return `cp config/.env.example config/.env, and set ${name} there or in the environment`;
      // It may stand after the line at which reading ended.
      const cut = files.find(({ path, fault }) => path === '.env' && fault !== undefined)?.fault;
      const remark = cut && `; .env is only read up to line ${cut.line}: ${cut.message}`;
      if (env.DO_DEPLOY_EVENT !== undefined)
        return `add ${name} to hooks.secrets of the deploy that runs this hook: a hook gets no other secrets`;
      return `set ${name} in the environment, or in config/.env (which is not uploaded)${remark ?? ''}`;
    },
    fromFiles: files.flatMap(({ readings }) => readings),
  };
}

/** A problem with a variable's value, at the place where it is set. */
export function reportVariable(
  variables: Variables,
  problems: ProblemList,
  { name, message, remedy }: { name: string; message: string; remedy: string },
): void {
  const place = variables.placeOf(name);
  problems.add(place, place === name ? message : `${name} ${message}`, remedy);
}

interface OwnFile {
  path: string;
  variables: ReadonlyMap<string, OwnVariable>;
  fault?: EnvFault;
  readings: readonly EnvVariable[];
}

interface OwnVariable {
  value: string;
  line: number;
  /** How to write it so that both programs read the same; absent where they do. */
  disagreement?: string;
}

/** Undefined when the file does not exist or cannot be read. */
function readOwnFile(root: string, path: (typeof OWN_ENV_FILES)[number], problems: ProblemList): OwnFile | undefined {
  const content = readSmallFile(join(root, path));
  // A folder of that name belongs to another program: Python's virtualenv for example.
  if (content === undefined || (!Buffer.isBuffer(content) && content.message.startsWith('is a folder')))
    return undefined;
  if (!Buffer.isBuffer(content)) {
    problems.add(path, content.message, content.remedy);
    return undefined;
  }
  const encryption = encryptionOf(content);
  if (encryption !== undefined) {
    problems.add(path, `is encrypted by ${encryption.by}`, encryption.remedy(path));
    return undefined;
  }
  const text = decodeText(content);
  if (typeof text !== 'string') {
    problems.add(`${path}:${text.line}`, text.message, text.remedy);
    return undefined;
  }
  const file = readOwn(path, text);
  // `.env` may be the app's own, for another program: only the lines that are needed matter there.
  if (path === 'config/.env' && file.fault) {
    problems.add(`${path}:${file.fault.line}`, file.fault.message, file.fault.remedy);
  }
  return file;
}

function readOwn(path: string, text: string): OwnFile {
  const { variables: ofCompose, fault } = parseEnvFile(text);
  // Where a quote is not closed, dotenv would look for its end again and again.
  const byDotenv = fault === undefined ? parse(text) : {};
  const variables = new Map<string, OwnVariable>();
  const lines = text.split('\n');
  for (const { name, value, line } of ofCompose) {
    const other = Object.hasOwn(byDotenv, name) ? byDotenv[name] : undefined;
    // A carriage return at the end of a line belongs to no value.
    const own = value.replaceAll('\r\n', '\n');
    variables.set(name, {
      value: own,
      line,
      disagreement: fault === undefined && other !== own ? howToWrite(own) : undefined,
    });
  }
  const readings = Object.entries(byDotenv).map(([name, value]) => ({ name, value, raw: value, line: 0 }));
  const unread = fault === undefined ? [] : lines.slice(fault.line - 1);
  const rest = unread.map((line) => ({ name: '', value: line.trim(), raw: line.trim(), line: 0 }));
  return { path, variables, fault, readings: [...ofCompose, ...readings, ...rest] };
}

/** A form that both programs read as this value. */
function howToWrite(value: string): string {
  const forms = [`'${value}'`, `"${value}"`];
  const isCommon = (form: string) =>
    parse(`X=${form}\n`).X === value && parseEnvFile(`X=${form}\n`).variables[0]?.value === value;
  const [single, double] = forms.map(isCommon);
  if (single) return 'put single quotes around the value';
  if (double) return 'put double quotes around the value';
  return 'set it in the environment instead, or choose a value without quotes and backslashes';
}
