import { expect, it } from 'vitest';
import { describeChange } from '../../src/commands/shared/preview.js';
import type { Settings } from '../../src/config/settings.js';
import type { StatusRow } from '../../src/rollout/model.js';

const settings = { rollout: { batch: [1] } } as unknown as Settings;
const OLD = 'a'.repeat(40);
const NEW = 'b'.repeat(40);
const row = (name: string, changes: Partial<StatusRow> = {}): StatusRow => ({
  id: 1,
  name,
  address: '203.0.113.1',
  rotation: 'in',
  release: 'r2',
  imageTag: 'v2',
  commit: OLD,
  health: 'healthy',
  outcome: 'not deployed',
  ...changes,
});
/** NEW is two commits after OLD. */
const repository = {
  commitsBetween: (from: string) =>
    from === OLD ? { total: 2, newest: [{ commit: NEW, subject: 'Fix the login' }] } : { total: 0, newest: [] },
};

it('shows what runs, what will, the commits between, and the batches', () => {
  const rows = ['web-1', 'web-2', 'web-3'].map((name) => row(name));
  expect(describeChange(rows, { imageTag: 'v3', commit: NEW }, settings, repository)).toEqual([
    '  now    v2 (commit aaaaaaa)',
    '  new    v3 (commit bbbbbbb)',
    '         2 commits ahead:',
    '           bbbbbbb Fix the login',
    '           and 1 more',
    '  fleet  3 droplets, in 3 batches',
  ]);
});

it('shows which droplets differ, and what is wrong with them', () => {
  const rows = [
    row('web-1'),
    row('web-2', { imageTag: 'v1', commit: undefined }),
    row('web-3', { release: '', imageTag: undefined, commit: undefined, health: 'unknown', rotation: 'out' }),
  ];
  expect(describeChange(rows, { imageTag: 'v3' }, settings)).toEqual([
    '  now    v2 (commit aaaaaaa) on web-1',
    '         v1 on web-2',
    '         unknown (not reachable) on web-3',
    '  new    v3',
    '  fleet  3 droplets, in 3 batches, out of rotation: web-3, not healthy: web-3',
  ]);
});

it('shows the commits that a rollout takes away', () => {
  expect(
    describeChange([row('web-1', { commit: NEW })], { imageTag: 'v1', commit: OLD }, settings, repository),
  ).toEqual([
    '  now    v2 (commit bbbbbbb)',
    '  new    v1 (commit aaaaaaa)',
    '         without 2 commits that run now:',
    '           bbbbbbb Fix the login',
    '           and 1 more',
    '  fleet  1 droplet, in one batch',
  ]);
});
