import { DockerFailure } from '../failure.js';

/** Compose's exit code for a file that is not there (compose v2, FileNotFoundFailure). */
export const FILE_NOT_FOUND = 14;

/** Compose's exit code for a file that makes no sense (compose v2, ComposeParseFailure). */
export const PARSE_FAILURE = 15;

export function invalidProject(message: string): DockerFailure {
  return new DockerFailure(message, PARSE_FAILURE);
}
