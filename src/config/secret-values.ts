import { readFileSync } from 'node:fs';
import { parse } from 'dotenv';
import { Secret } from './secret.js';
import type { SourceFile } from './settings.js';
import { isEnvFile } from './source-files.js';

const SECRET_NAME = /SECRET|PASSWORD|PASS|TOKEN|KEY|CREDENTIAL|DSN/i;
/** user:password@ in a URL; the group is the password. */
const URL_PASSWORD = /^[a-z][a-z0-9+.-]*:\/\/[^/\s:@]*:([^/\s@]+)@/i;
/** Shorter values turn up in innocent text, which would be masked too. */
const SHORTEST = 6;

/** Values that env files keep secret, by the look of their names: to be masked wherever text is shown. */
export function secretValues(variables: Iterable<readonly [name: string, value: string]>): string[] {
  const values = new Set<string>();
  for (const [name, value] of variables) {
    const password = URL_PASSWORD.exec(value)?.[1];
    if (password !== undefined) values.add(value).add(password);
    else if (SECRET_NAME.test(name)) values.add(value);
  }
  return [...values].filter((value) => value.length >= SHORTEST);
}

/** Everything that must never be shown: `given`, and what the uploaded env files hold. */
export function collectSecrets(
  given: readonly (Secret | undefined)[],
  ownVariables: ReadonlyMap<string, string>,
  files: readonly SourceFile[],
): Secret[] {
  const fromFiles = files
    .filter(({ path }) => isEnvFile(path))
    .flatMap((file) => Object.entries(parse(file.content ?? readFileSync(file.localPath))));
  const values = new Set([
    ...given.flatMap((secret) => secret?.reveal() ?? []),
    ...secretValues(ownVariables),
    ...secretValues(fromFiles),
  ]);
  return [...values].map((value) => new Secret(value));
}
