import { describe, expect, it } from 'vitest';
import {
  type Holding,
  isBelieved,
  mostCommon,
  provenRelease,
  releaseForHalfChanged,
} from '../../src/rollout/choose-release.js';

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

describe('the release of a droplet that stopped in the middle of a switch', () => {
  it.each<[string, Holding, Holding[], string | undefined]>([
    [
      'is the old one, when it was the first',
      switching('r2', '2', 'r1'),
      [verified('r1', '1'), verified('r1', '1')],
      'r1',
    ],
    [
      'is the old one, when the rollout stopped early',
      switching('r2', '3', 'r1'),
      [verified('r2', '2'), verified('r1', '1'), verified('r1', '1')],
      'r1',
    ],
    [
      'is the new one, when the rollout was almost done',
      switching('r2', '4', 'r1'),
      [verified('r2', '2'), verified('r2', '3'), verified('r1', '1')],
      'r2',
    ],
    [
      'is the one that was verified last, of equally common ones',
      switching('r2', '3', 'r1'),
      [verified('r2', '2'), verified('r1', '1')],
      'r2',
    ],
    [
      'is the same, when it was going back',
      switching('r1', '3', 'r1'),
      [verified('r1', '2'), verified('r2', '1')],
      'r1',
    ],
    ['is its own last one, where it is alone', switching('r2', '2', 'r1'), [], 'r1'],
    [
      'is its own last one, when the whole batch was in the middle of it',
      switching('r2', '2', 'r1'),
      [switching('r2', '2', 'r1')],
      'r1',
    ],
    [
      'is only one that it holds',
      { ...switching('r2', '2', 'r1'), holds: ['r1', 'r2'] },
      [verified('r3', '3'), verified('r3', '3')],
      'r1',
    ],
    ['is what was being deployed, on a first deploy', switching('r1', '1'), [{ holds: HOLDS }], 'r1'],
    [
      'is none, where it holds nothing that was verified',
      { ...switching('r2', '2'), holds: ['r2'] },
      [verified('r1', '1')],
      undefined,
    ],
  ])('%s', (_name, droplet, others, expected) => {
    expect(releaseForHalfChanged(droplet, [droplet, ...others])).toBe(expected);
    expect(releaseForHalfChanged(droplet, [...others, droplet])).toBe(expected);
  });
});

describe('of equally common releases', () => {
  const half = switching('r2', '3', 'r1');
  const fleet = [verified('r2', '2'), half, verified('r1', '9')];

  it('the one that was anchored last counts, whatever the clocks of deployers said', () => {
    expect(releaseForHalfChanged(half, fleet, ['r2', 'r1'])).toBe('r2');
    expect(releaseForHalfChanged(half, fleet, ['r1', 'r2'])).toBe('r1');
    expect(mostCommon(fleet, ['r2', 'r1'])).toEqual(['r2', 'r1']);
  });

  it('an anchored one comes before one that was never anchored', () => {
    expect(releaseForHalfChanged(half, fleet, ['r2'])).toBe('r2');
    expect(releaseForHalfChanged(half, fleet, [])).toBe('r1');
  });
});

it('the newest anchor is not believed while more than half of the droplets run what was never anchored', () => {
  expect(isBelieved(['a', 'b', 'b'], ['a', 'b'])).toBe(true);
  expect(isBelieved(['a', 'x'], ['a'])).toBe(true);
  expect(isBelieved(['a', 'x', 'x'], ['a'])).toBe(false);
  expect(isBelieved([], ['a'])).toBe(true);
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
