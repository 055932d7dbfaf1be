/** Where an environment's droplets come from, and how one leaves and rejoins rotation. */
import type { BeforeChange, Droplet, HealthCheck, LoadBalancer } from '../ports.js';
import type { ByHand, Rotation } from '../rollout/model.js';

export interface PlacedDroplet {
  droplet: Droplet;
  rotation: Rotation;
  inLedger: boolean;
  /** A person has taken it out, and it is out. */
  byHand?: ByHand;
}

/** The droplets and their rotation at one moment. */
export interface FleetMembership {
  droplets: PlacedDroplet[];
  balancer?: LoadBalancer;
}

/** Which droplets are recorded in the ledger. */
export interface LedgerTags {
  has(droplet: Droplet): boolean;
  /** That it was taken out by hand. */
  byHand(droplet: Droplet): ByHand | undefined;
}

export interface Target {
  /** For people: `load balancer "web" (203.0.113.9)`. */
  readonly description: string;
  /**
   * Its droplets do the same work: enough of them keep running, each is recorded in the ledger while it changes, and the
   * release that they are on is anchored. False: a single droplet without a balancer, which has no others to rely on.
   */
  readonly isFleet: boolean;
  /** How the balancer checks a droplet; absent without a balancer. */
  readonly healthCheck?: HealthCheck;
  readonly proxyProtocol: boolean;
  /** The balancer connects to droplets over the VPC, from private addresses. A network balancer keeps its clients' own. */
  readonly overVpc: boolean;
  /** Nodes of the balancer: each makes its own checks. */
  readonly nodes: number;
  /** Each new request arrives as a connection at any droplet, so one droplet's share of them tells of another's. */
  readonly evenShares: boolean;
  /** It keeps its connections to droplets open between requests. */
  readonly keepsConnections: boolean;
  /** The balancer's health path at its own address, as a visitor asks for it; absent where that cannot be said. */
  readonly publicUrl?: string;
  /** Ports on the droplets that the balancer connects to: its rules' targets and its health check's. */
  readonly ports: readonly number[];
  /** For the user, before anything changes. */
  readonly notices: readonly string[];
  /** Reads droplets, membership and ledger. Throws CloudError. */
  readMembership(): Promise<FleetMembership>;
  /** Running droplets of the environment's autoscale pool that `readMembership` does not show. Throws CloudError. */
  waiting(): Promise<Droplet[]>;
  /**
   * Takes the droplet out of rotation; returns when DigitalOcean shows it. Throws CloudError or DeployError.
   * @param before called before each attempt; what it throws ends them
   * @returns `asked` where the answer proves nothing: the droplet was on its way in, by another run or person
   */
  leave(dropletId: number, before?: BeforeChange): Promise<'shown' | 'asked'>;
  rejoin(dropletId: number, before?: BeforeChange): Promise<void>;
}
