/** Compose project names, as Docker takes them. */
export const APP_NAME = /^[a-z0-9][a-z0-9_-]*$/;
export const ENVIRONMENT_NAME = /^[a-z0-9][a-z0-9-]*$/;
/** Tags of images, as Docker takes them. */
export const IMAGE_TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
/** Compose profiles, as compose takes them. */
export const PROFILE_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;
/** Names of branches, near enough: whether there is such a branch, git knows. */
export const BRANCH = /^(?![-./])[^\s~^:?*[\\]+$/;

/**
 * Commands of one word: an environment of that name could not be deployed without the word `deploy`. A test compares
 * them with src/commands/index.ts.
 */
export const COMMAND_NAMES = [
  'abort',
  'adopt',
  'bootstrap',
  'completion',
  'console',
  'deploy',
  'exec',
  'heal',
  'history',
  'logs',
  'promote',
  'restart',
  'rollback',
  'run',
  'ssh',
  'start',
  'status',
  'stop',
  'tag',
  'tags',
  'tunnel',
];
