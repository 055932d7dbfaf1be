// Each with its rule, as an error continues "KEY ": a reader of "letters" alone may think of ö.

/** Compose project names, as Docker takes them. */
export const APP_NAME = /^[a-z0-9][a-z0-9_-]*$/;
export const APP_NAME_RULE = 'must be lower-case letters a-z, digits, - and _, and begin with a letter or digit';

/** Of environments and roles. */
export const ENVIRONMENT_NAME = /^[a-z0-9][a-z0-9-]*$/;
export const ENVIRONMENT_NAME_RULE = 'must be lower-case letters a-z, digits and -, and begin with a letter or digit';

/** Tags of images, as Docker takes them. */
export const IMAGE_TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
export const IMAGE_TAG_RULE = "must be an image's tag (letters a-z, digits and . _ -)";

/** Compose profiles, as compose takes them. */
export const PROFILE_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;
export const PROFILE_NAME_RULE = "must be a compose profile's name: letters a-z, digits and . _ -";

/** Compose services, as compose takes them. */
export const SERVICE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
export const SERVICE_NAME_RULE = "must be a service's name: letters a-z, digits and . _ -";

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
  'cloud-init',
  'completion',
  'config',
  'doctor',
  'console',
  'deploy',
  'exec',
  'heal',
  'history',
  'init',
  'logs',
  'plan',
  'promote',
  'report',
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
