import { describe, expect, it } from 'vitest';
import { lateness } from '../../../src/deploy/drain/balancer-timing.js';
import { othersKeptReceiving, quietPeriod, worthListening } from '../../../src/deploy/drain/quiet-period.js';
import { NO_TRAFFIC, TrafficWatch } from '../../../src/deploy/drain/traffic-watch.js';
import { counted, sockets } from '../../support/door-readings.js';

describe('the silence that proves that the balancer has let go', () => {
  const steady = (rate: number) => ({ ...NO_TRAFFIC, rate, listenedMs: 60_000 });

  it.each([
    ['health checks alone', 'counters', 0.1, 10_000, 10_000 + lateness(10_000)],
    ['some traffic', 'counters', 4, 10_000, 5_000],
    ['much traffic', 'counters', 200, 10_000, 1_000],
    ['an unknown rate', 'counters', 0, 2_000, 2_000 + lateness(2_000)],
    ['samples', 'sockets', 200, 2_000, 4_000 + lateness(2_000)],
    ['no instrument', 'none', 200, 2_000, 2_000 + lateness(2_000)],
  ] as const)('with %s', (_name, instrument, rate, interval, expected) => {
    expect(quietPeriod(instrument, steady(rate), 1, interval, false)).toBe(expected);
  });

  it('is much longer than any pause before, however much comes in between', () => {
    const bursts = { ...steady(200), longestSilence: 1_200 };
    expect(quietPeriod('counters', bursts, 1, 10_000, false)).toBe(4_600);
    expect(quietPeriod('counters', { ...bursts, longestSilence: 9_000 }, 1, 10_000, false)).toBe(
      10_000 + lateness(10_000),
    );
  });

  it('is no shorter than speaks for what has been listened to', () => {
    expect(quietPeriod('counters', { ...steady(200), listenedMs: 9_000 }, 1, 10_000, false)).toBe(1_000);
    expect(quietPeriod('counters', { ...steady(200), listenedMs: 8_000 }, 1, 10_000, false)).toBe(
      10_000 + lateness(10_000),
    );
  });

  it('allows for several nodes, each with its part of the connections', () => {
    expect(quietPeriod('counters', steady(10), 3, 10_000, false)).toBe(6_000);
    expect(quietPeriod('counters', { ...steady(200), longestSilence: 500 }, 2, 10_000, false)).toBe(4_000);
  });
});

describe('listening on before a droplet leaves', () => {
  const steady = (rate: number, listenedMs: number) => ({ ...NO_TRAFFIC, rate, listenedMs });

  it.each([
    ['until bursts of some seconds would have been noticed', 200, 5_900, 2_000, 100],
    ['also from the beginning where the checks come seldom', 200, 0, 6_000, 6_000],
    ['up to an interval, without the silence that then proves enough', 200, 0, 10_000, 9_000],
    ['and no longer', 200, 9_000, 10_000, 0],
    ['for as long as the silence', 2.5, 6_000, 10_000, 2_000],
    ['not where the checks stop sooner', 10, 0, 3_000, 0],
    ['not where nobody comes', 0, 1_000, 2_000, 0],
  ])('%s', (_name, rate, listened, interval, expected) => {
    expect(worthListening('counters', steady(rate, listened), 1, interval, false)).toBe(expected);
  });

  it('takes never longer in all, and makes the time out of rotation shorter', () => {
    for (const interval of [1_000, 2_000, 3_000, 10_000, 60_000]) {
      for (const rate of [1, 3, 10, 17, 100]) {
        for (const listened of [0, 500, 1_400, 5_000, 9_000]) {
          const before = quietPeriod('counters', steady(rate, listened), 1, interval, false);
          const wait = worthListening('counters', steady(rate, listened), 1, interval, false);
          const after = quietPeriod('counters', steady(rate, listened + wait), 1, interval, false);
          expect(wait + after).toBeLessThanOrEqual(before + 1);
          if (wait > 0) expect(worthListening('counters', steady(rate, listened + wait), 1, interval, false)).toBe(0);
        }
      }
    }
  });

  it('is done sooner beside others, for what is known by then if all goes on as until now', () => {
    const heard = { ...NO_TRAFFIC, rate: 0.4, arrivals: 5, watchedMs: 500, listenedMs: 500 };
    expect(worthListening('counters', heard, 1, 10_000, true)).toBe(1_000);
    expect(worthListening('counters', { ...heard, listenedMs: 2_000 }, 1, 10_000, true)).toBe(0);
    // The checks have stopped by then.
    expect(worthListening('counters', heard, 1, 2_000, true)).toBe(0);
    // Alone: up to an interval, less the silence of 2.3 s that a rate known for six seconds asks for.
    expect(worthListening('counters', heard, 1, 10_000, false)).toBeCloseTo(7_000, -3);
  });

  it('is not worth it where connections are not counted', () => {
    expect(worthListening('sockets', steady(200, 900), 1, 2_000, false)).toBe(0);
  });
});

describe('what comes to others in the silence at one', () => {
  /** Read every 250 ms up to `until`, at each of which so many have come. */
  const watch = (came: (ms: number) => number, until: number, first = 0) => {
    const door = new TrafficWatch(counted(came(first)), first);
    for (let at = first + 250; at <= until; at += 250) door.add(counted(came(at)), at, at - 20);
    return door;
  };
  const steady = (ms: number) => Math.floor(ms / 50);
  const left = (door: TrafficWatch) => ({
    ...NO_TRAFFIC,
    rate: door.rate.lowest,
    arrivals: door.arrivals,
    until: door.until,
  });
  const before = left(watch(steady, 3_000));
  const silent = (ms: number) => watch((at) => steady(Math.min(at, 3_000)), 3_000 + ms);

  it('proves that it would have got its part', () => {
    expect(othersKeptReceiving(silent(1_000), before, [watch(steady, 4_000)], 1)).toBe(false);
    expect(othersKeptReceiving(silent(2_000), before, [watch(steady, 5_000)], 1)).toBe(true);
    expect(othersKeptReceiving(silent(2_000), before, [watch(steady, 5_000), watch(steady, 5_000)], 1)).toBe(true);
  });

  it('proves nothing where they pause too, or are not heard', () => {
    const pausing = (ms: number) => steady(Math.min(ms, 3_000));
    expect(othersKeptReceiving(silent(5_000), before, [watch(pausing, 8_000)], 1)).toBe(false);
    expect(othersKeptReceiving(silent(5_000), before, [], 1)).toBe(false);
    // Not read since the one left.
    expect(othersKeptReceiving(silent(5_000), before, [watch(steady, 2_500)], 1)).toBe(false);
    const deaf = new TrafficWatch(sockets('a'), 0);
    for (let at = 500; at <= 8_000; at += 500) deaf.add(sockets(`${at}`), at);
    expect(othersKeptReceiving(silent(5_000), before, [deaf], 1)).toBe(false);
  });

  it('has to be the more, the less the one got of it, and the more nodes let go by themselves', () => {
    const tenfold = watch((ms) => steady(ms) * 10, 5_000);
    expect(othersKeptReceiving(silent(2_000), before, [tenfold], 1)).toBe(true);
    expect(othersKeptReceiving(silent(2_000), { ...before, arrivals: 6 }, [tenfold], 1)).toBe(false);
    expect(othersKeptReceiving(silent(2_000), before, [watch(steady, 5_000)], 2)).toBe(false);
    expect(othersKeptReceiving(silent(3_000), before, [watch(steady, 6_000)], 2)).toBe(true);
  });

  it('counts for more from one that was listened to for a shorter time', () => {
    const silence = silent(2_000);
    // Ten times what came to the one: told in full, or in its last second.
    const few = { ...before, arrivals: 30 };
    const tenfold = (ms: number) => steady(ms) * 10;
    expect(othersKeptReceiving(silence, few, [watch(tenfold, 5_000)], 1)).toBe(false);
    expect(othersKeptReceiving(silence, few, [watch(tenfold, 5_000, 2_000)], 1)).toBe(false);
    expect(othersKeptReceiving(silence, few, [watch(tenfold, 5_000, 3_250)], 1)).toBe(false);
  });

  it('shortens the silence only where connections are counted', () => {
    const traffic = { ...NO_TRAFFIC, rate: 20, longestSilence: 100 };
    expect(quietPeriod('counters', traffic, 1, 10_000, true)).toBe(1_300);
    expect(quietPeriod('counters', traffic, 1, 10_000, false)).toBe(10_000 + lateness(10_000));
    expect(quietPeriod('sockets', traffic, 1, 10_000, true)).toBe(20_000 + lateness(10_000));
    expect(quietPeriod('counters', NO_TRAFFIC, 1, 10_000, true)).toBe(10_000 + lateness(10_000));
  });
});
