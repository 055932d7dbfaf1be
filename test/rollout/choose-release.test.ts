import { describe, expect, it } from 'vitest';
import { chooseRelease, type Holding, provenRelease } from '../../src/rollout/choose-release.js';

const HOLDS = ['r1', 'r2'];
const verified = (release: string, since: string): Holding => ({
  holds: HOLDS,
  current: release,
  state: { release, phase: 'verified', since },
});
const switching = (release: string, since: string, current?: string): Holding => ({
  holds: HOLDS,
  current,
  state: { release, phase: 'switching', since },
});

describe('the release that a fleet is healed to', () => {
  it.each<[string, Holding[], string | undefined]>([
    [
      'back, when the first droplet was in the middle of it',
      [switching('r2', '2', 'r1'), verified('r1', '1'), verified('r1', '1')],
      'r1',
    ],
    [
      'forward, when one droplet has proven the new release',
      [verified('r2', '2'), switching('r2', '3', 'r1'), verified('r1', '1')],
      'r2',
    ],
    ['forward, when the run died between two droplets', [verified('r2', '2'), verified('r1', '1')], 'r2'],
    ['back, when the run was going back', [verified('r2', '2'), switching('r1', '3', 'r1'), verified('r1', '1')], 'r1'],
    ['back, when a droplet was reverted last', [verified('r2', '2'), verified('r1', '3'), verified('r1', '1')], 'r1'],
    [
      'back, when a whole batch was in the middle of it',
      [switching('r2', '2', 'r1'), switching('r2', '2', 'r1')],
      'r1',
    ],
    ['forward, on a first deploy', [switching('r1', '1'), { holds: HOLDS }], 'r1'],
    ['only to what every droplet holds', [verified('r2', '2'), { ...verified('r1', '1'), holds: ['r1'] }], 'r1'],
    [
      'to nothing, where they hold nothing in common',
      [
        { ...verified('r2', '2'), holds: ['r2'] },
        { ...verified('r1', '1'), holds: ['r1'] },
      ],
      undefined,
    ],
    ['to nothing, where nothing was ever deployed', [{ holds: [] }, { holds: [] }], undefined],
  ])('%s', (_name, droplets, expected) => {
    expect(chooseRelease(droplets)).toBe(expected);
  });
});

describe('the release that droplets are compared with and brought to', () => {
  const newcomer: Holding = { holds: [] };
  it.each<[string, Holding[], string | undefined]>([
    [
      'is what runs, also where a newcomer does not hold it',
      [verified('r2', '2'), newcomer, verified('r2', '2')],
      'r2',
    ],
    [
      'is not what an old image of a droplet came with',
      [verified('r2', '2'), { ...verified('r1', '1'), holds: ['r1'] }],
      'r2',
    ],
    [
      'is the old one while no droplet has proven the new one',
      [switching('r2', '3', 'r1'), verified('r1', '1'), newcomer],
      'r1',
    ],
    ['is what the fleet went back to', [verified('r1', '3'), verified('r2', '2')], 'r1'],
    [
      'is one that a droplet still holds',
      [
        { ...verified('r2', '2'), holds: ['r1'] },
        { ...verified('r1', '1'), holds: ['r1'] },
      ],
      'r1',
    ],
    ['is none, before anything was verified', [switching('r1', '1'), newcomer], undefined],
  ])('%s', (_, droplets, expected) => {
    for (const order of [droplets, [...droplets].reverse()]) expect(provenRelease(order)).toBe(expected);
  });
});
