/** What a run carries along: ports, settings, and what it found out. */
import type { Settings } from '../config/settings.js';
import type { Clock, Cloud, LocalFiles, RemoteShell, Reporter, Web } from '../ports.js';
import type { DeployEventBody } from '../rollout/model.js';
import type { Target } from '../targets/target.js';
import type { Lease } from './lease.js';
import type { Ledger } from './ledger.js';
import type { ReleaseRecord } from './release.js';
import type { Site } from './site.js';

export interface DeployPorts {
  cloud: Cloud;
  shell: RemoteShell;
  clock: Clock;
  reporter: Reporter;
  files: LocalFiles;
  web: Web;
}

/** Who deploys, from where. */
export interface Deployer {
  /** user@host, or the CI job's name. */
  who: string;
  /** The CI run. */
  url?: string;
}

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
  readonly release: ReleaseRecord | undefined;
  /** Aborted when the wait has lost its purpose: the droplet goes back as it is. */
  readonly signal: AbortSignal;
  progress(detail: string): void;
  /** Droplets that stay in rotation meanwhile and are listened to. */
  others(): readonly Site[];
}

export function reportTo(ports: Pick<DeployPorts, 'clock' | 'reporter'>): (body: DeployEventBody) => void {
  return (body) => ports.reporter.report({ schema: 1, at: new Date(ports.clock.now()).toISOString(), ...body });
}
