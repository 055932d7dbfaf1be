/** Takes the droplet out of the balancer; done when DigitalOcean shows it. */
import type { StepContext } from '../context.js';
import type { Site } from '../site.js';

export async function leaveRotation(site: Site, run: StepContext): Promise<undefined> {
  const { clock } = run.ports;
  site.leaving = { how: 'asked', at: clock.now() };
  const how = await run.target.leave(site.droplet.id, () => run.lease.ensure(site.droplet.id));
  site.leaving = { how, at: clock.now() };
}
