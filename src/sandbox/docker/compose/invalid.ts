import { DockerFailure } from '../failure.js';

/** Compose's exit code for a missing file (compose v2, FileNotFoundFailure). */
export const FILE_NOT_FOUND = 14;

/** Compose's exit code for an invalid file (compose v2, ComposeParseFailure). */
const PARSE_FAILURE = 15;

export function invalidProject(message: string): DockerFailure {
  return new DockerFailure(message, PARSE_FAILURE);
}
