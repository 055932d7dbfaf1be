/** `rollout.probe`: requests to the public address during a rollout. */
import { z } from 'zod';
import type { ProbeSettings } from '../settings.js';
import { map } from '../values.js';
import { address, expected, time, toMs, toRanges } from './gates.js';

const COUNT = 'must be a whole number from 0 to 1000000';
const FORM =
  'must be an address that begins with https:// or http://, false, or a map with url, interval, timeout, max_failures and expect';

export const probe = z
  .union(
    [
      z.literal(false),
      address,
      map(
        {
          url: address,
          interval: time,
          timeout: time.meta({ examples: ['5s'] }),
          max_failures: z.int({ error: COUNT }).min(0, { error: COUNT }).max(1_000_000, { error: COUNT }),
          expect: expected.meta({ examples: ['200-399'] }),
        },
        FORM,
      ),
    ],
    { error: FORM },
  )
  .meta({
    description:
      'Address of your site, requested once a second during a rollout; the number of failed requests is printed at the end and kept in the history. Or a map: `url`, `interval` (`1s`), `timeout` (`5s`), `expect` (`200-399`) and `max_failures`, more than which stop the rollout. By default the address of the balancer, if it answers; `false`: none. See [rollout.md](rollout.md#probe).',
    examples: [
      'https://shop.example.com/healthz',
      { url: 'https://shop.example.com/healthz', interval: '1s', max_failures: 3 },
      false,
    ],
  });

export function resolveProbe(written: z.output<typeof probe> | undefined): ProbeSettings | false | undefined {
  if (written === undefined || written === false) return written;
  const map = typeof written === 'string' ? { url: written } : written;
  const { url, interval = '1s', timeout = '5s', max_failures: maxFailures, expect } = map;
  return { url, intervalMs: toMs(interval), timeoutMs: toMs(timeout), maxFailures, expect: toRanges(expect) };
}
