/** Where an environment's droplets come from, and how one leaves and rejoins rotation. */
import type { BeforeChange, Droplet, HealthCheck, LoadBalancer } from '../ports.js';
import type { Rotation } from '../rollout/model.js';

/** The droplets and their rotation at one moment. */
export interface FleetMembership {
  droplets: { droplet: Droplet; rotation: Rotation; inLedger: boolean }[];
  balancer?: LoadBalancer;
}

export interface Target {
  /** For people: `load balancer "web" (203.0.113.9)`. */
  readonly description: string;
  /** How the balancer checks a droplet; absent without a balancer. */
  readonly healthCheck?: HealthCheck;
  readonly proxyProtocol: boolean;
  /** The balancer reaches droplets over the VPC, from private addresses; a network balancer keeps its clients' own. */
  readonly overVpc: boolean;
  /** How many nodes the balancer has: each makes its own checks. */
  readonly nodes: number;
  /** Each new request arrives as a connection at any droplet, so one droplet's share of them tells of another's. */
  readonly evenShares: boolean;
  /** Ports on the droplets that the balancer reaches: its rules' targets and its health check's. */
  readonly ports: readonly number[];
  /** What the user should know before anything changes. */
  readonly notices: readonly string[];
  /** Reads droplets, membership and ledger afresh. Throws CloudError. */
  readMembership(): Promise<FleetMembership>;
  /** Droplets of the environment's autoscale pool that run and that `readMembership` does not show. Throws CloudError. */
  waiting(): Promise<Droplet[]>;
  /**
   * Out of rotation, read back; returns when DigitalOcean shows it. Throws CloudError or DeployError.
   * @param before asked before each try; what it throws ends them
   * @returns `asked` where that shows nothing: the droplet was on its way in, by somebody else's change
   */
  leave(dropletId: number, before?: BeforeChange): Promise<'shown' | 'asked'>;
  rejoin(dropletId: number, before?: BeforeChange): Promise<void>;
}
