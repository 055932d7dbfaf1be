/** Takes the droplet out of the balancer; done when DigitalOcean shows it. */
import type { StepContext } from '../context.js';
import type { Site } from '../site.js';

export async function leaveRotation(site: Site, run: StepContext): Promise<undefined> {
  const { clock } = run.ports;
  // Until it has shown, the last try may be the one that takes effect.
  let how: 'asked' | 'shown' = 'asked';
  site.leaving = { how, at: clock.now() };
  try {
    how = await run.target.leave(site.droplet.id, () => run.lease.ensure(site.droplet.id));
  } finally {
    site.leaving = { how, at: clock.now() };
  }
}
