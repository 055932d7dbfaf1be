/** Workers take no new jobs before their droplet is changed, and get time to finish those that they have. */
import { constants } from 'node:os';
import { z } from 'zod';
import type { ProcessAction } from '../rollout/lifecycle.js';
import { defineLayer } from './layer.js';
import { durationMs } from './settings.js';

const SERVICES = 'must be a list of services';
const SIGNAL = 'must be the name of a signal, such as TSTP';

const config = z.strictObject({
  services: z.array(z.string(SERVICES).min(1, SERVICES), SERVICES).min(1, SERVICES),
  quiet: z.string(SIGNAL).refine(isSignal, SIGNAL).optional(),
  stop_timeout: durationMs.default(30_000),
});

/** `TSTP` or `SIGTSTP`. */
function isSignal(name: string): boolean {
  return `SIG${name.replace(/^SIG/, '')}` in constants.signals;
}

/** For asking Docker, besides the wait. */
const OVERHEAD_MS = 30_000;

export default defineLayer({
  name: 'workers',
  kind: 'application',
  config,
  // Before other layers: the jobs that it waits for may need what they change.
  priority: 40,
  services: ({ services }) =>
    services.map((name, index) => ({ name, path: ['services', index], mayBeNew: true, isWorker: true })),
  timeoutMs: ({ stop_timeout }) => stop_timeout + OVERHEAD_MS,
  on: {
    async before_leave(_, { config: { services, quiet, stop_timeout: graceMs }, process, logger }) {
      const each = async (action: ProcessAction) =>
        await Promise.all(services.map(async (name) => ({ name, ...(await process(name, action)) })));
      const tell = (some: readonly { name: string }[], what: string) => {
        if (some.length > 0) logger.info(`${some.map(({ name }) => name).join(', ')}: ${what}`);
      };
      if (quiet !== undefined) {
        const told = await each({ signal: quiet, graceMs });
        tell(
          told.filter(({ reached }) => reached > 0),
          `no new jobs (${quiet})`,
        );
      }
      const stopped = await each({ stop: { graceMs } });
      tell(
        stopped.filter(({ reached }) => reached > 0),
        'stopped',
      );
      // Elsewhere the droplet's release does not have them.
      tell(
        stopped.filter(({ reached, expected }) => reached === 0 && expected > 0),
        'no container',
      );
    },
    /** Those of the release run already; of a droplet that returns as it was, they are started again. */
    async after_rejoin(_, { config: { services }, process }) {
      await Promise.all(services.map((service) => process(service, 'start')));
    },
  },
});
