/** Some of what `npm run fuzz` plays, from a seed that is the same every time. */
import { describe, expect, it } from 'vitest';
import { play } from './play.js';
import { TARGETS } from './targets/index.js';

describe('spoiled input is read or refused, in bounded time', () => {
  it.each(TARGETS.map((target) => [target.name, target] as const))('%s', async (_, target) => {
    const { failure } = await play(target, { runs: target.runs, seed: 1 });
    expect(failure).toBeUndefined();
  });
});
