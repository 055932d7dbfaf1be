/** Secrets that are known before any settings are: errors may quote them. */
import { dirname, resolve } from 'node:path';
import { findConfig } from '../config/find-config.js';
import { ProblemList } from '../config/problems.js';
import { secretValues } from '../config/secret-values.js';
import { type ProcessEnv, readVariables } from '../config/variables.js';
import { ciRun, ciSystem } from './ci-run.js';

/** By the end of its name: PASSENGER_ENV holds no password. */
const SECRET_NAME = /(?:TOKEN|PASS|PASSWORD|PASSWD|SECRET|KEY|CREDENTIALS?|DSN)$/i;

/** From the environment, and from the project's env files for do-deploy itself. */
export function knownSecrets(cwd: string, env: ProcessEnv, configPath: string | undefined): string[] {
  const file = configPath === undefined ? findConfig(cwd, env)?.file : resolve(cwd, configPath);
  const folders = file === undefined ? [cwd] : [dirname(file), dirname(dirname(file))];
  const run = ciSystem(env) === undefined ? '' : (ciRun(env)?.url ?? '');
  // The address of the CI run, what it begins with and the pages below it are public.
  const isOfRun = (value: string) =>
    run.startsWith(value) || (run !== '' && value.startsWith(run) && !/[?#@]/.test(value));
  const inEnvironment = Object.entries(env).flatMap(([name, value]) => {
    if (value === undefined) return [];
    // An address may hold a password, or be a secret itself.
    const isSecret = SECRET_NAME.test(name) || (value.includes('://') && !isOfRun(value));
    return isSecret ? [{ name, value }] : [];
  });
  const inFiles = folders.flatMap((folder) => [...readVariables(folder, {}, new ProblemList()).fromFiles]);
  return secretValues([...inEnvironment, ...inFiles]);
}
