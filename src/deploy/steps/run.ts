import type { Settings } from '../../config/settings.js';
import type { Target } from '../../targets/target.js';
import type { Deployer, DeployPorts } from '../core/deploy-ports.js';
import type { Member } from '../droplet/member.js';
import type { Ledger } from '../fleet/ledger.js';
import type { Lease } from '../lease/lease.js';
import type { StoredRelease } from '../release/stored-release.js';
export interface Run {
  readonly ports: DeployPorts;
  readonly settings: Settings;
  /** Unique; in the lease, state.json and out.json. */
  readonly id: string;
  readonly deployer: Deployer;
  readonly target: Target;
  readonly ledger: Ledger;
  readonly lease: Lease;
  /** Members of the fleet that this run has no connection to: they count in its size, and as serving nothing. */
  readonly away?: readonly number[];
}

/** What a step needs besides its droplet. */
export interface StepContext extends Run {
  /** Towards which release: undefined when the containers are left as they are. */
  readonly release: StoredRelease | undefined;
  /** Aborted when the wait has lost its purpose: the droplet goes back as it is. */
  readonly signal: AbortSignal;
  progress(detail: string): void;
  /** Droplets that stay in rotation meanwhile and are listened to. */
  others(): readonly Member[];
}
