/** What there is in the folder that `init` prepares. */
import { existsSync, lstatSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readEnvText } from '../config/compose-project.js';
import { appNameFrom } from '../config/project.js';
import { readSmallFile } from '../config/read-file.js';
import { OWN_SECRETS } from '../config/variables.js';
import { type CiName, recogniseCi } from './ci.js';
import { type ComposeNeeds, composeNeeds } from './compose-needs.js';
import { COMPOSE_BASES, type Folder } from './suggestions.js';

export interface Survey extends Folder {
  /** The folder's name, made an app's. */
  app: string;
  /** Compose files to begin with. */
  composeBases: readonly string[];
  /** What the compose file needs beside it; empty where it cannot be read. */
  needs(composeFile: string): ComposeNeeds;
  ci?: CiName;
  /** Undefined if there is none that can be read. */
  gitignore?: string;
  /** config/deploy.yml or config/deploy.yaml, if there is one. */
  config?: string;
  /** do-deploy is installed here, so that editors find its schema. */
  hasSchema: boolean;
}

/** @param root absolute */
export function survey(root: string): Survey {
  const exists = (path: string) => isThere(join(root, path)) && !(path === '.env' && isOwnEnv(root));
  const textOf = (path: string) => {
    const content = readSmallFile(join(root, path));
    return Buffer.isBuffer(content) ? content.toString('utf8') : undefined;
  };
  return {
    app: appNameFrom(root),
    exists,
    isFolder: (path) => statSync(join(root, path), { throwIfNoEntry: false })?.isDirectory() === true,
    composeBases: COMPOSE_BASES.filter(exists),
    needs: (path) => composeNeeds(path, textOf(path) ?? ''),
    ci: recogniseCi(exists, textOf('.git/config') ?? ''),
    gitignore: textOf('.gitignore'),
    config: ['config/deploy.yml', 'config/deploy.yaml'].find(exists),
    hasSchema: existsSync(join(root, 'node_modules/do-deploy/config/deploy.schema.json')),
  };
}

/** True also of a link that leads nowhere: nothing is written through it. */
function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return true;
  }
}

/** A .env with do-deploy's own secrets is never uploaded. */
function isOwnEnv(root: string): boolean {
  const content = readSmallFile(join(root, '.env'));
  // A folder of that name is Python's virtualenv, for example.
  if (!Buffer.isBuffer(content)) return true;
  return [...readEnvText(content.toString('utf8')).keys()].some((name) => OWN_SECRETS.includes(name));
}
