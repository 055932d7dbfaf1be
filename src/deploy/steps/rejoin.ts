/** Puts the droplet back into the balancer; done when DigitalOcean shows it. */

import type { StepContext } from '../context.js';
import { DoorWatch } from '../door.js';
import type { Site } from '../site.js';
import { readDoorOf } from '../watch-door.js';

export async function rejoinRotation(site: Site, run: StepContext): Promise<undefined> {
  const { clock } = run.ports;
  // The containers are those that were just found healthy: from here on their door is listened to anew.
  site.door = new DoorWatch(await readDoorOf(site, run.target), clock.now());
  // Traffic comes only after the balancer's checks: until then its silence says nothing.
  delete site.before;
  await run.target.rejoin(site.droplet.id, () => run.lease.ensure(site.droplet.id));
  // Should settling fail, it does not count as serving before the balancer must have seen it well.
  site.stumbled = true;
  site.wellSince = clock.now();
}
