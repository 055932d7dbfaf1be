import { quote } from '../core/shell.js';
/** While it is staged a release's folder has this ending: never mistaken for a whole one. */
export const PARTIAL = '.partial';

/** What start-up.sh and compose need to know; the only variables that are set for them. */
export interface ComposeRun {
  app: string;
  environment: string;
  imageTag: string;
  composeFiles: readonly string[];
  envFiles: readonly string[];
}

export function variables(run: ComposeRun, pinned: boolean): string {
  const files = pinned ? [...run.composeFiles, 'images.yml'] : run.composeFiles;
  return [
    `APP=${quote(run.app)}`,
    `DEPLOY_ENV=${quote(run.environment)}`,
    `IMAGE_TAG=${quote(run.imageTag)}`,
    `COMPOSE_FILES=${quote(files.join(' '))}`,
    `ENV_FILES=${quote(run.envFiles.join(' '))}`,
  ].join(' ');
}
