/** What a run knows of the contact between the balancer and one droplet. */
import { TrafficRecord } from './traffic-record.js';

export interface Leaving {
  /** When DigitalOcean was asked to take the droplet out. */
  askedAt: number;
  /** When it showed that; otherwise the end of the last attempt. */
  at: number;
  shown: boolean;
  /** It had come back and not settled: some node may be about to take it in, and then first to let go. */
  unsettled: boolean;
  /** The balancer has let go of the droplet: that was proven, or the time for it has passed. */
  letGo: boolean;
}

export class BalancerContact {
  /** Since the run first listened, or since the droplet last rejoined or settled. */
  traffic = new TrafficRecord();
  /** The counters heard the balancer while the droplet served, shortly before it left. */
  heard = false;
  /** From when the droplet was to leave until it has settled again. */
  leaving: Leaving | undefined;
  /**
   * From when on the balancer must be sending it traffic, as far as the run has observed; infinite while it fails
   * checks or is not shown in rotation. Undefined before the first observation.
   */
  servesFrom: number | undefined;
  /** When its containers were last inspected for restarts. */
  inspectedAt: number | undefined;
  /** The longest that it took to answer one of do-deploy's checks, in ms. */
  answerMs = 0;
}
