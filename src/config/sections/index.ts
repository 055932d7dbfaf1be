import { api } from './api.js';
import { app } from './app.js';
import { bootstrap } from './bootstrap.js';
import { bundle } from './bundle.js';
import { compose } from './compose.js';
import { consoleSection } from './console.js';
import { env } from './env.js';
import { files } from './files.js';
import { freeze } from './freeze.js';
import { gitPolicy } from './git-policy.js';
import { hooks } from './hooks.js';
import { imageTag } from './image-tag.js';
import { keepReleases } from './keep-releases.js';
import { layers } from './layers.js';
import { prepare } from './prepare.js';
import { profiles } from './profiles.js';
import { registry } from './registry.js';
import { rollout } from './rollout.js';
import { secrets } from './secrets.js';
import { shared } from './shared.js';
import { ssh } from './ssh.js';
import { target } from './target.js';

/** The sections of config/deploy.yml, in the order of the reference. */
export const SECTIONS = [
  app,
  imageTag,
  api,
  gitPolicy,
  freeze,
  ssh,
  bootstrap,
  bundle,
  compose,
  profiles,
  files,
  env,
  secrets,
  prepare,
  shared,
  registry,
  rollout,
  keepReleases,
  consoleSection,
  hooks,
  layers,
  target,
] as const;
