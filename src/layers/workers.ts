/** Workers take no new jobs before their droplet is changed, and get time to finish those that they have. */
import { constants } from 'node:os';
import { z } from 'zod';
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
  services: ({ services }) => services.map((name, index) => ({ name, path: ['services', index], mayBeNew: true })),
  timeoutMs: ({ stop_timeout }) => stop_timeout + OVERHEAD_MS,
  on: {
    async before_leave(_, { config: { services, quiet, stop_timeout: graceMs }, process, logger }) {
      if (quiet !== undefined) {
        await Promise.all(services.map((service) => process(service, { signal: quiet })));
        logger.info(`${services.join(', ')}: no new jobs (${quiet})`);
      }
      await Promise.all(services.map((service) => process(service, { stop: { graceMs } })));
      logger.info(`${services.join(', ')}: stopped`);
    },
    /** Those of the release run already; of a droplet that returns as it was, they are started again. */
    async after_rejoin(_, { config: { services }, process }) {
      await Promise.all(services.map((service) => process(service, 'start')));
    },
  },
});
