import type { Settings } from '../../config/settings.js';
import type { DeployError } from '../../errors.js';
import type { ServiceSpec } from '../../rollout/health.js';
import type { ByHand, Evidence } from '../../rollout/model.js';
import type { Target } from '../../targets/target.js';
import type { Deployer, DeployPorts } from '../core/deploy-ports.js';
import type { Contacts } from '../drain/contacts.js';
import type { Member } from '../droplet/member.js';
import type { Survey } from '../droplet/survey-command.js';
import type { Anchor } from '../fleet/anchors.js';
import type { CanaryRecord } from '../fleet/canary-record.js';
import type { AnchorOfRun } from '../fleet/goal-anchor.js';
import type { Ledger } from '../fleet/ledger.js';
import type { Lease } from '../lease/lease.js';
import type { StoredRelease } from '../release/stored-release.js';

/** `service` is stopped or started; or all are started with this release, by its id. */
export type Stopping = { kind: 'stop' | 'start'; service: string } | { kind: 'start-all'; release: string };

export interface Run {
  readonly ports: DeployPorts;
  readonly settings: Settings;
  /** Unique; in the lease, state.json and out.json. */
  readonly id: string;
  readonly deployer: Deployer;
  readonly target: Target;
  readonly ledger: Ledger;
  readonly lease: Lease;
  /** As read under the lease, newest first. */
  readonly anchored: readonly Anchor[];
  /** Where canaries of the environment are recorded, and the hashes of those that are, as known under the lease. */
  readonly canary: { readonly record: CanaryRecord; hashes: readonly string[] };
  /** Only where the rollout decides which release the fleet is on. */
  readonly anchor?: AnchorOfRun;
  /** What is known of the balancer's contact with each droplet. */
  readonly contacts: Contacts;
  /** Members of the fleet that this run has no connection to: they count in its size, and as serving nothing. */
  readonly away?: readonly number[];
  /** Ids of releases that served before the rollout without answering `rollout.health.http`: they are not judged by it. */
  readonly exemptFromAppCheck?: ReadonlySet<string>;
  /** What is recorded of a droplet that is taken out by hand. */
  readonly byHand?: ByHand | undefined;
  /** The only service whose containers are changed; default: all of the release. */
  readonly service?: string | undefined;
  /** What becomes of services that are stopped; default: with the same release they stay so. */
  readonly stopping?: Stopping | undefined;
  /** What the user has confirmed so far, by name. */
  readonly confirmed?: readonly string[];
}

/** What a step needs besides its droplet. */
export interface StepContext extends Run {
  /** Towards which release: undefined when the containers are left as they are. */
  readonly release: StoredRelease | undefined;
  /** Id of the release that the droplet leaves because it has failed. */
  readonly condemned?: string | undefined;
  /** Aborted when the wait has lost its purpose: the droplet goes back as it is. */
  readonly signal: AbortSignal;
  /** The rollout's first failure, if there was one. */
  readonly failure?: Pick<DeployError, 'code' | 'message'>;
  progress(detail: string): void;
  /** Droplets that serve meanwhile and are listened to. */
  others(): readonly Member[];
}

/** What has come of a step. The orchestrator keeps what it says of the droplet, also when the step failed. */
export interface StepResult {
  /** For people. */
  detail?: string;
  /** Where something was learned before the step failed; otherwise it throws. */
  failure?: DeployError;
  /** The step has failed before it changed anything on the droplet. */
  unchanged?: boolean;
  survey?: Survey;
  services?: readonly ServiceSpec[];
  evidence?: Evidence;
}

/** Does one step on a droplet. */
export type Perform = (member: Member, run: StepContext) => Promise<StepResult>;
