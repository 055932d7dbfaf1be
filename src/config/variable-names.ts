import { OWN_SECRETS } from './variables.js';

/** Names of variables that `env:` and `secrets:` take; compose can refer to no others. */
export const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
export const VARIABLE_NAME_RULE = 'must be the name of a variable: letters A-Z, digits and _';

/** What do-deploy itself exports when it runs start-up.sh: for compose, the environment comes before every env file. */
export const EXPORTED: readonly string[] = [
  'APP',
  'COMPOSE_FILES',
  'DEPLOY_ENV',
  'ENV_FILES',
  'IMAGE_TAG',
  'REGISTRY_SERVER',
  'REGISTRY_USERNAME',
];

/** Why no env file of a release can set the variable, continuing "NAME "; undefined if one can. */
export function faultOfVariableName(name: string): { message: string; remedy: string } | undefined {
  if (EXPORTED.includes(name)) return { message: 'is set by do-deploy itself', remedy: 'give it another name' };
  if (!OWN_SECRETS.includes(name)) return undefined;
  return { message: 'is a secret of do-deploy, which never leaves this machine', remedy: 'give it another name' };
}
