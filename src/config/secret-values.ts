import { parse } from 'dotenv';
import { decodeText } from './decode-text.js';
import { type EnvVariable, parseEnvFile } from './env-file.js';
import { isEnvFile, isKey } from './file-names.js';
import { isHarmless } from './harmless.js';
import { MAX_FILE_BYTES, readHead } from './read-file.js';
import { Secret } from './secret.js';
import { partsOf } from './secret-parts.js';
import type { SourceFile } from './settings.js';
import { EXPORTED } from './variable-names.js';

/** Shorter values turn up in ordinary text, which would be masked too. */
const SHORTEST = 4;
/** Lines of an env file that cannot be read are masked whole, from this length. */
const SHORTEST_LINE = 8;
/** Larger than any private key. */
const MAX_KEY_BYTES = 64 * 1024;

/** Variables that a login on a droplet has, or that do-deploy sets there. */
export const ON_DROPLETS: ReadonlySet<string> = new Set([
  ...EXPORTED,
  ...'HOME HOSTNAME LANG LOGNAME PATH PWD SHELL TERM TMPDIR TZ USER'.split(' '),
]);

type Named = Pick<EnvVariable, 'name' | 'value'> & Partial<EnvVariable>;

/**
 * What of these variables must not be shown: every value that is not plainly harmless, as written and as read, and the
 * parts of it that are secrets by themselves.
 * @param known values that are shown anyway, such as the app's name
 */
export function secretValues(variables: Iterable<Named>, known: ReadonlySet<string> = new Set()): string[] {
  const values = new Set<string>();
  const add = (name: string, value: string) => {
    // Programs print it without blanks at its ends as well, and then that must not be a plain word.
    const bare = value.trim();
    if (bare.length < SHORTEST || isHarmless(name, value) || isHarmless(name, bare)) return;
    if (!known.has(value) && !known.has(bare)) values.add(value);
    for (const part of partsOf(name, value)) add(part.name, part.value);
  };
  for (const { name, value, raw = value, unset = [] } of variables) {
    add(name, value);
    add(name, raw);
    // A password with a dollar sign: compose names what stands behind it in a warning.
    for (const behind of unset) if (!ON_DROPLETS.has(behind)) add(name, behind);
  }
  return [...values];
}

/** Everything that must never be shown: `given`, do-deploy's own variables, and what the uploaded files hold. */
export function collectSecrets(
  given: readonly Secret[],
  ownVariables: Iterable<Named>,
  files: readonly SourceFile[],
  known: readonly string[] = [],
): Secret[] {
  const shown = new Set(known);
  const revealed = given.map((secret) => secret.reveal()).filter((value) => value !== '');
  const values = new Set([
    ...revealed,
    // The password of an address, for instance.
    ...secretValues(
      revealed.map((value) => ({ name: 'SECRET', value })),
      shown,
    ),
    ...secretValues(ownVariables, shown),
    ...secretValues(readEnvFiles(files), shown),
    ...files.flatMap((file) => keyIn(file) ?? []),
  ]);
  return [...values].map((value) => new Secret(value));
}

/** Every reading of every env file, in compose's order: a later file may use the variables of an earlier one. */
function readEnvFiles(files: readonly SourceFile[]): Named[] {
  const values = new Map<string, string>();
  return files
    .filter(({ path }) => isEnvFile(path))
    .flatMap((file) => {
      const content = beginningOf(file, MAX_FILE_BYTES);
      const text = decodeText(content);
      if (typeof text !== 'string') return linesOf(content.toString('latin1'));
      const { variables, fault } = parseEnvFile(text, (name) => values.get(name));
      for (const { name, value } of variables) values.set(name, value);
      // The app may read it by dotenv, and where compose cannot read it, its message quotes the line.
      const unread =
        fault === undefined
          ? []
          : linesOf(
              text
                .split('\n')
                .slice(fault.line - 1)
                .join('\n'),
            );
      const byDotenv = fault === undefined ? Object.entries(parse(text)) : [];
      return [...variables, ...byDotenv.map(([name, value]) => ({ name, value })), ...unread];
    });
}

/** Each line, and what follows its first equals sign. */
function linesOf(text: string): Named[] {
  return text.split('\n').flatMap((line) => {
    const whole = line.trim();
    const [, name = '', value = ''] = /^(?:export\s+)?([^=\s]*)\s*=\s*["']?(.*?)["']?$/.exec(whole) ?? [];
    return [...(whole.length < SHORTEST_LINE ? [] : [{ name: '', value: whole }]), { name, value }];
  });
}

function keyIn(file: SourceFile): string | undefined {
  if (isEnvFile(file.path) || (file.mode & 0o077) !== 0) return undefined;
  const content = beginningOf(file, MAX_KEY_BYTES);
  return isKey(content) ? content.toString('utf8') : undefined;
}

/** Of a file that cannot be read nothing: that is reported where files are collected. */
function beginningOf(file: SourceFile, bytes: number): Buffer {
  if (file.content !== undefined) return file.content.subarray(0, bytes);
  try {
    return readHead(file.localPath, bytes).content;
  } catch {
    return Buffer.alloc(0);
  }
}
