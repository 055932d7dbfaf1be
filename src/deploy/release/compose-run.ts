/** What start-up.sh and compose are run with on a droplet. */
import { quote } from '../core/shell.js';

/** Ends the name of a release's folder while it is being staged, so that it never passes for a complete one. */
export const PARTIAL = '.partial';

export interface ComposeRun {
  app: string;
  environment: string;
  imageTag: string;
  composeFiles: readonly string[];
  envFiles: readonly string[];
  profiles?: readonly string[];
}

/** Assignments for compose: what its files may name, and the profiles that are on. Without any, env files may choose some. */
export function composeVariables({ environment, imageTag, profiles }: Omit<ComposeRun, 'app'>): string {
  return [
    `DEPLOY_ENV=${quote(environment)}`,
    `IMAGE_TAG=${quote(imageTag)}`,
    ...(profiles === undefined ? [] : [`COMPOSE_PROFILES=${quote(profiles.join(','))}`]),
  ].join(' ');
}

/**
 * Assignments for start-up.sh, which gets no other variables of do-deploy.
 * @param pinned run the images that images.yml pins
 */
export function variables(run: ComposeRun, pinned: boolean): string {
  const files = pinned ? [...run.composeFiles, 'images.yml'] : run.composeFiles;
  return [
    `APP=${quote(run.app)}`,
    composeVariables(run),
    `COMPOSE_FILES=${quote(files.join(' '))}`,
    `ENV_FILES=${quote(run.envFiles.join(' '))}`,
  ].join(' ');
}
