/** Compose project names, as Docker takes them. */
export const APP_NAME = /^[a-z0-9][a-z0-9_-]*$/;
export const ENVIRONMENT_NAME = /^[a-z0-9][a-z0-9-]*$/;
/** Tags of images, as Docker takes them. */
export const IMAGE_TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
/** Names of branches, near enough: whether there is such a branch, git knows. */
export const BRANCH = /^(?![-./])[^\s~^:?*[\\]+$/;

/** Words that `do-deploy` takes for commands: an environment of that name could not be deployed by it. */
export const COMMAND_NAMES = ['adopt', 'deploy', 'heal', 'history', 'lock', 'rollback', 'status', 'tag', 'tags'];
