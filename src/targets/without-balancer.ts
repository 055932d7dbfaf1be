import type { FleetMembership, Target } from './target.js';

/** What targets without a balancer have in common: there is no rotation to leave, and no balancer to hear. */
export abstract class WithoutBalancer implements Target {
  abstract readonly description: string;
  abstract readonly isFleet: boolean;
  readonly proxyProtocol = false;
  readonly overVpc = false;
  readonly nodes = 0;
  readonly evenShares = false;
  readonly keepsConnections = false;
  readonly ports: readonly number[] = [];
  readonly notices: readonly string[] = [];

  abstract readMembership(): Promise<FleetMembership>;

  async waiting(): Promise<[]> {
    return [];
  }

  async leave(): Promise<'shown'> {
    return 'shown';
  }

  async rejoin(): Promise<void> {}
}
