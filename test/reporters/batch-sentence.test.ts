import { expect, it } from 'vitest';
import { batchSentence } from '../../src/reporters/phrases.js';

it.each([
  [{}, 'Batch 2: web-3 (the last batch)'],
  [{ left: 2 }, 'Batch 2: web-3 (2 droplets after this)'],
  [{ role: 'web', left: 1 }, 'web, batch 2: web-3 (1 droplet of web after this)'],
  [
    { role: 'web', later: [{ role: 'worker', droplets: 3 }] },
    'web, batch 2: web-3 (the last batch of web, then worker: 3 droplets)',
  ],
  [{ role: 'web', back: true as const }, 'Taking the release back from web-3'],
  [{ back: true as const, left: 1 }, 'Taking the release back from web-3 (1 droplet after this)'],
])('a batch with %j is told as: %s', (more, sentence) => {
  expect(batchSentence({ type: 'batch-started', batch: 2, droplets: ['web-3'], left: 0, ...more } as never)).toBe(
    sentence,
  );
});
