/** Puts the droplet back into the balancer; done when DigitalOcean shows it. */

import { TrafficWatch } from '../drain/traffic-watch.js';
import { readTraffic } from '../drain/watch-traffic.js';
import type { Member } from '../droplet/member.js';
import type { StepContext } from './run.js';
export async function rejoinRotation(member: Member, run: StepContext): Promise<undefined> {
  const { clock } = run.ports;
  // The containers are those that were just found healthy: from here on their door is listened to anew.
  member.door = new TrafficWatch(await readTraffic(member, run.target), clock.now());
  // Traffic comes only after the balancer's checks: until then its silence says nothing.
  delete member.before;
  await run.target.rejoin(member.droplet.id, () => run.lease.ensure(member.droplet.id));
  // Should settling fail, it does not count as serving before the balancer must have seen it well.
  member.stumbled = true;
  member.wellSince = clock.now();
}
