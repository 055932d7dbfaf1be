import type { Settings } from '../../config/settings.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import type { ReleaseDraft } from '../release/draft.js';
import type { RegistryLogin } from './registry-login.js';

/** What every part of staging needs, whatever the droplet. */
export interface Staging {
  readonly ports: DeployPorts;
  readonly settings: Settings;
  readonly draft: ReleaseDraft;
  /** Absent: images are public, or the droplets log in by themselves. */
  readonly login?: RegistryLogin | undefined;
  /** Ends waits: the run was interrupted. */
  readonly signal?: AbortSignal;
}
