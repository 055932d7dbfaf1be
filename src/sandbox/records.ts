import type { MembershipView } from './membership.js';

/** A droplet in the sandbox; api/wire.ts converts it to DigitalOcean's format. */
export interface DropletRecord {
  readonly id: number;
  readonly name: string;
  status: 'new' | 'active' | 'off' | 'archive';
  readonly tags: Set<string>;
  readonly publicAddress: string;
  readonly privateAddress: string;
  readonly createdAt: number;
  /** Name of the autoscale pool that created it. */
  readonly pool?: string;
}

/** HTTP. Unlike DigitalOcean, the sandbox also accepts fractions of a second. */
export interface HealthCheckRecord {
  port: number;
  path: string;
  intervalSeconds: number;
  timeoutSeconds: number;
  healthyThreshold: number;
  unhealthyThreshold: number;
}

export interface BalancerRecord {
  readonly id: string;
  readonly name: string;
  readonly ip: string;
  readonly createdAt: number;
  status: 'new' | 'active' | 'errored';
  /** Droplets with this tag are its members. */
  readonly tag?: string;
  readonly healthCheck: HealthCheckRecord;
  readonly idleTimeoutSeconds: number;
  /** What the API says; the sandbox's own balancer keeps no connections to droplets. */
  backendKeepalive: boolean;
  /** All accepted changes. */
  readonly accepted: MembershipView;
  /** What GET shows: `apiDelayMs` behind. */
  readonly shown: MembershipView;
  /** What traffic follows: `effectDelayMs` behind. */
  readonly serving: MembershipView;
  /** It "processes previous actions" until then, in ms since the epoch. */
  busyUntil: number;
}

export interface PoolRecord {
  readonly id: string;
  readonly name: string;
  readonly createdAt: number;
}

export interface FirewallRecord {
  readonly id: string;
  readonly name: string;
  readonly createdAt: number;
  readonly dropletIds: number[];
  readonly tags: string[];
  readonly ports: string;
}

/** Delays after a change of membership is accepted, in ms. */
export interface Timing {
  /** Until GET shows it. */
  apiDelayMs: number;
  /** Until traffic follows it. */
  effectDelayMs: number;
  /** How long the balancer refuses further changes with 403. */
  busyMs: number;
}
