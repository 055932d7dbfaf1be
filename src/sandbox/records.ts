import type { MembershipView } from './membership.js';

/** What the sandbox knows of a droplet; api/wire.ts tells it as DigitalOcean would. */
export interface DropletRecord {
  readonly id: number;
  readonly name: string;
  status: 'new' | 'active' | 'off' | 'archive';
  readonly tags: Set<string>;
  readonly publicAddress: string;
  readonly privateAddress: string;
  readonly createdAt: number;
  /** Name of the autoscale pool that made it. */
  readonly pool?: string;
}

export interface ForwardingRule {
  entryProtocol: 'http' | 'tcp';
  entryPort: number;
  targetProtocol: 'http' | 'tcp';
  targetPort: number;
}

/** Durations in seconds. The sandbox takes fractions too; DigitalOcean knows whole seconds only. */
export interface HealthCheckRecord {
  protocol: 'http' | 'https' | 'tcp';
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
  /** Present when the tag decides who belongs to it. */
  readonly tag?: string;
  type: 'REGIONAL' | 'REGIONAL_NETWORK' | 'GLOBAL';
  readonly forwardingRules: ForwardingRule[];
  readonly healthCheck: HealthCheckRecord;
  readonly proxyProtocol: boolean;
  readonly idleTimeoutSeconds: number;
  /** Everything that was accepted. */
  readonly accepted: MembershipView;
  /** What GET answers: `apiDelayMs` behind. */
  readonly shown: MembershipView;
  /** What traffic follows: `effectDelayMs` behind. */
  readonly serving: MembershipView;
  /** Until then (ms since the epoch) it "processes previous actions". */
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

/** How long after its acceptance a change of membership arrives, in ms. */
export interface Timing {
  /** Until GET shows it. */
  apiDelayMs: number;
  /** Until traffic follows it. */
  effectDelayMs: number;
  /** For how long the balancer refuses further changes with 403. */
  busyMs: number;
}
