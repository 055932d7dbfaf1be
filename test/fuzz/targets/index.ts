import type { Target } from '../target.js';
import { apiClient, apiSchemas } from './api-answers.js';
import { commandLine } from './argv.js';
import { bundlePointer } from './bundle-pointer.js';
import { configuration } from './configuration.js';
import { archive, dropletAnswers, survey } from './droplet-answers.js';
import { envFile } from './env-file.js';
import { cleaner, longSecrets, redactor } from './shown-text.js';
import { knownHosts, sshConfig } from './ssh-config.js';
import { frames, healthAnswers, logs } from './streams.js';

export const TARGETS: readonly Target[] = [
  configuration,
  envFile,
  commandLine,
  sshConfig,
  knownHosts,
  apiSchemas,
  apiClient,
  survey,
  dropletAnswers,
  archive,
  bundlePointer,
  frames,
  healthAnswers,
  logs,
  redactor,
  longSecrets,
  cleaner,
];
