/** The part of a fleet that a canary is for. */
import { expect, it } from 'vitest';
import type { Fleet } from '../../../src/deploy/fleet/find-fleet.js';
import { type Part, planPart } from '../../../src/deploy/session/canary.js';
import type { Policy } from '../../../src/rollout/rollout-state.js';

const droplets = [1, 2, 3, 4].map((id) => ({ droplet: { id, name: `web-${id}` } }));
const planned = (part: Part) =>
  planPart(part, { membership: { droplets } } as unknown as Fleet, { batch: [1] } as unknown as Policy, 'production');

it.each<[Part, string]>([
  [{ canary: 4 }, 'Deploy to fewer, with --canary 2, or to all, without --canary.'],
  [
    { droplets: ['web-4', '3', 'web-2', 'web-1'] },
    'Deploy to fewer, with --droplets web-1,web-2, or to all, without --droplets.',
  ],
])('of %j, which are all, is refused with fewer', (part, hint) => {
  expect(() => planned(part)).toThrow(expect.objectContaining({ code: 'canary-of-all', hint }));
});
