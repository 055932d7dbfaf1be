import { expect, it } from 'vitest';
import { describeMark } from '../../../src/deploy/inspect/read-status.js';

it.each([
  ['deploy 20261129T020249Z-v2 2026-11-29T02:02:49.375Z root@vm', 'by a deploy of v2 (root@vm)'],
  ['abort 2026-11-29T02:02:49.375Z root@vm', 'by an abort (root@vm)'],
  ['adopt 2026-11-29T02:02:49.375Z root@vm', 'by an adopt (root@vm)'],
])('a mark of %j is told in words', (run, words) => {
  const mark = { run, since: '2026-11-29T02:02:49.375Z', who: 'root@vm' };
  expect(describeMark(mark as Parameters<typeof describeMark>[0])).toBe(`2026-11-29 02:02:49 UTC ${words}`);
});
