import { describe, expect, it } from 'vitest';
import {
  DoorWatch,
  doorPorts,
  lateness,
  NO_TRAFFIC,
  othersWentOn,
  provingSilence,
  silenceBesideOthers,
  worthListening,
} from '../../src/deploy/door.js';
import { type DoorReading, doorCommand, readDoor } from '../../src/deploy/remote/door.js';
import type { ContainerView } from '../../src/rollout/health.js';

const counted = (count: number, overrides: Partial<DoorReading> = {}): DoorReading => ({
  counted: count,
  established: 0,
  peers: new Set(),
  strangers: new Set(),
  ...overrides,
});
const sockets = (...peers: string[]): DoorReading => ({ established: 0, peers: new Set(peers), strangers: new Set() });

describe('a watch at the door', () => {
  it('counts arrivals and the silence since the last', () => {
    const watch = new DoorWatch(counted(10), 0);
    watch.add(counted(13), 1_000);
    watch.add(counted(13), 4_000);
    expect([watch.arrivals, watch.silentMs]).toEqual([3, 3_000]);
  });

  it('knows when the first came, and when so many had come: not before the reading before', () => {
    const watch = new DoorWatch(counted(0), 0);
    watch.add(counted(0), 1_050, 1_000);
    watch.add(counted(1), 1_550, 1_500);
    watch.add(counted(3), 3_550, 3_500);
    expect([1, 2, 3, 4].map((number) => watch.arrival(number))).toEqual([
      { at: 1_550, after: 1_000, total: 1 },
      { at: 3_550, after: 1_500, total: 3 },
      { at: 3_550, after: 1_500, total: 3 },
      undefined,
    ]);
  });

  it('allows for chance in a short time', () => {
    const watch = new DoorWatch(counted(0), 0);
    expect(watch.rate).toEqual({ lowest: 0, highest: 0 });
    watch.add(counted(4), 500, 500);
    // 8 a second if it goes on so; after so few nobody knows.
    expect(watch.rate).toEqual({ lowest: expect.closeTo(0.75), highest: 16 });
    watch.add(counted(100), 10_000, 10_000);
    expect(watch.rate).toEqual({ lowest: expect.closeTo(9.13), highest: 12 });
  });

  it.each([3, 24, 100, 10_000])('calls silent what %i before make as unlikely as e to the power of -20', (count) => {
    const watch = new DoorWatch(counted(0), 0);
    watch.add(counted(count), 2_000, 2_000);
    const traffic = { ...NO_TRAFFIC, rate: watch.rate.lowest, listenedMs: 1e9 };
    const silence = provingSilence('counters', traffic, 1, 1e9) / 1_000;
    // At any rate as likely as any other before they came: the share of a silence among what may come next.
    const chance = (2 / (2 + silence)) ** (count + 1);
    expect(silence === 1 ? chance <= Math.exp(-20) : Math.abs(Math.log(chance) + 20) < 1e-6).toBe(true);
  });

  it('knows the rate of the latest time that is long enough, and not too long', () => {
    const watch = new DoorWatch(counted(0), 0);
    expect(watch.lately(300, 2_000)).toBeUndefined();
    watch.add(counted(900), 9_000, 9_000);
    expect(watch.lately(300, 2_000)).toBeUndefined();
    watch.add(counted(904), 9_500, 9_500);
    expect(watch.lately(300, 2_000)).toEqual({ lowest: expect.closeTo(0.75), highest: 16 });
    // Too soon after the one before: from the one before that.
    watch.add(counted(909), 9_600, 9_600);
    expect(watch.lately(300, 2_000)).toEqual({ lowest: expect.closeTo(5.22), highest: 25 });
    // What has come by when the answer is on its way is not known: the shorter time counts.
    watch.add(counted(909), 10_600, 10_100);
    expect(watch.lately(300, 2_000)).toEqual({ lowest: expect.closeTo(0), highest: 0 });
  });

  it('remembers the longest pause, and for how long pauses could be heard', () => {
    const watch = new DoorWatch(counted(0), 0);
    watch.add(counted(50), 500);
    watch.add(counted(50), 1_000);
    watch.add(counted(50), 1_800);
    watch.add(counted(90), 2_000);
    watch.add(counted(90), 2_400);
    expect([watch.longestSilence, watch.listenedMs]).toEqual([1_300, 2_400]);
    // In so long a time many a pause may have gone unheard.
    watch.add(counted(900), 60_000);
    expect([watch.longestSilence, watch.listenedMs]).toEqual([1_300, 2_400]);
  });

  it('starts again at zero with a new container', () => {
    const watch = new DoorWatch(counted(500), 0);
    watch.add(counted(2), 1_000);
    expect(watch.arrivals).toBe(2);
  });

  it('does not take its own requests for the balancer', () => {
    const watch = new DoorWatch(counted(0), 0);
    watch.ownRequest();
    watch.add(counted(1), 1_000);
    expect(watch.arrivals).toBe(0);
    watch.add(counted(2), 2_000);
    expect(watch.arrivals).toBe(1);
  });

  it('does not take strangers for the balancer, and never overlooks the balancer beside them', () => {
    const watch = new DoorWatch(counted(0), 0);
    watch.add(counted(1, { strangers: new Set(['0050 scanner']) }), 1_000);
    expect(watch.arrivals).toBe(0);
    watch.add(counted(2, { strangers: new Set(['0050 other']), peers: new Set(['0050 balancer']) }), 2_000);
    expect(watch.arrivals).toBe(1);
  });

  it('goes by sockets where the counters cannot be read', () => {
    const watch = new DoorWatch(sockets('a'), 0);
    watch.add(sockets('a', 'b'), 1_000);
    watch.add(sockets('b'), 2_000);
    expect([watch.instrument, watch.arrivals, watch.silentMs]).toEqual(['sockets', 1, 1_000]);
  });

  it('hears no silence in a reading that failed, nor in the time that an answer took', () => {
    const watch = new DoorWatch(counted(1), 0);
    watch.add({ peers: new Set(), strangers: new Set() }, 5_000);
    expect(watch.silentMs).toBe(0);
    watch.add(counted(1), 9_000, 2_000);
    expect(watch.silentMs).toBe(2_000);
  });
});

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
    expect(provingSilence(instrument, steady(rate), 1, interval)).toBe(expected);
  });

  it('is much longer than any pause before, however much comes in between', () => {
    const bursts = { ...steady(200), longestSilence: 1_200 };
    expect(provingSilence('counters', bursts, 1, 10_000)).toBe(4_600);
    expect(provingSilence('counters', { ...bursts, longestSilence: 9_000 }, 1, 10_000)).toBe(10_000 + lateness(10_000));
  });

  it('is no shorter than speaks for what has been listened to', () => {
    expect(provingSilence('counters', { ...steady(200), listenedMs: 9_000 }, 1, 10_000)).toBe(1_000);
    expect(provingSilence('counters', { ...steady(200), listenedMs: 8_000 }, 1, 10_000)).toBe(
      10_000 + lateness(10_000),
    );
  });

  it('allows for several nodes, each with its part of the connections', () => {
    expect(provingSilence('counters', steady(10), 3, 10_000)).toBe(6_000);
    expect(provingSilence('counters', { ...steady(200), longestSilence: 500 }, 2, 10_000)).toBe(4_000);
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
          const before = provingSilence('counters', steady(rate, listened), 1, interval);
          const wait = worthListening('counters', steady(rate, listened), 1, interval, false);
          const after = provingSilence('counters', steady(rate, listened + wait), 1, interval);
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

describe('the ports of the door', () => {
  const container = (overrides: Partial<ContainerView>) =>
    ({ state: 'running', pid: 7, hostNetwork: false, ports: [], ...overrides }) as ContainerView;

  it('are those that are published for the balancer, of running containers', () => {
    const containers = [
      container({
        ports: [
          { host: 80, container: 8080 },
          { host: 5432, container: 5432 },
        ],
      }),
      container({ state: 'exited', ports: [{ host: 80, container: 80 }] }),
    ];
    expect(doorPorts(containers, [80, 443])).toEqual([{ host: 80, container: 8080, pid: 7 }]);
  });

  it('are the droplet’s own where a container uses its network', () => {
    expect(doorPorts([container({ hostNetwork: true })], [80])).toEqual([{ host: 80, container: 80, pid: 7 }]);
  });
});

describe('a reading', () => {
  const ports = [{ host: 80, container: 8080, pid: 7 }];

  it('asks for the container’s port in the kernel’s hexadecimal, and changes nothing', () => {
    const { script, repeatable } = doorCommand(ports);
    expect(script).toContain('/proc/7/net/tcp');
    expect(script).toContain('1F90');
    expect(script).not.toMatch(/iptables[^|]* -[ADIFRXZ]\b/);
    expect(repeatable).toBe(true);
  });

  it('adds the rules of its ports and leaves out others', () => {
    const said = 'rule 80 12\nrule 5432 99\nreadable\nsocket 1F90 0101600A:C350 01\nsocket 1F90 0101600A:C351 06\n';
    const { counted: count, established, peers } = readDoor(said, ports, true);
    expect([count, established, peers.size]).toEqual([12, 1, 2]);
  });

  it('tells strangers by their public address, IPv4 in IPv6 too, where the balancer comes over the VPC', () => {
    const said = [
      'readable',
      'socket 1F90 057100CB:C350 01', // 203.0.113.5
      'socket 1F90 0000000000000000FFFF0000057100CB:C351 01',
      'socket 1F90 0101600A:C352 01', // 10.96.1.1
    ].join('\n');
    const overVpc = readDoor(said, ports, true);
    expect([overVpc.strangers.size, overVpc.peers.size, overVpc.established]).toEqual([2, 1, 1]);
    const anywhere = readDoor(said, ports, false);
    expect([anywhere.strangers.size, anywhere.peers.size, anywhere.established]).toEqual([0, 3, 3]);
  });

  it('knows the difference between nothing and not readable', () => {
    expect(readDoor('', ports, true)).toMatchObject({ peers: new Set() });
    expect(readDoor('', ports, true).established).toBeUndefined();
    expect(readDoor('readable\n', ports, true).established).toBe(0);
  });
});

describe('what comes to others in the silence at one', () => {
  /** Read every 250 ms up to `until`, at each of which so many have come. */
  const watch = (came: (ms: number) => number, until: number, first = 0) => {
    const door = new DoorWatch(counted(came(first)), first);
    for (let at = first + 250; at <= until; at += 250) door.add(counted(came(at)), at, at - 20);
    return door;
  };
  const steady = (ms: number) => Math.floor(ms / 50);
  const left = (door: DoorWatch) => ({
    ...NO_TRAFFIC,
    rate: door.rate.lowest,
    arrivals: door.arrivals,
    until: door.until,
  });
  const before = left(watch(steady, 3_000));
  const silent = (ms: number) => watch((at) => steady(Math.min(at, 3_000)), 3_000 + ms);

  it('proves that it would have got its part', () => {
    expect(othersWentOn(silent(1_000), before, [watch(steady, 4_000)], 1)).toBe(false);
    expect(othersWentOn(silent(2_000), before, [watch(steady, 5_000)], 1)).toBe(true);
    expect(othersWentOn(silent(2_000), before, [watch(steady, 5_000), watch(steady, 5_000)], 1)).toBe(true);
  });

  it('proves nothing where they pause too, or are not heard', () => {
    const pausing = (ms: number) => steady(Math.min(ms, 3_000));
    expect(othersWentOn(silent(5_000), before, [watch(pausing, 8_000)], 1)).toBe(false);
    expect(othersWentOn(silent(5_000), before, [], 1)).toBe(false);
    // Not read since the one left.
    expect(othersWentOn(silent(5_000), before, [watch(steady, 2_500)], 1)).toBe(false);
    const deaf = new DoorWatch(sockets('a'), 0);
    for (let at = 500; at <= 8_000; at += 500) deaf.add(sockets(`${at}`), at);
    expect(othersWentOn(silent(5_000), before, [deaf], 1)).toBe(false);
  });

  it('has to be the more, the less the one got of it, and the more nodes let go by themselves', () => {
    const tenfold = watch((ms) => steady(ms) * 10, 5_000);
    expect(othersWentOn(silent(2_000), before, [tenfold], 1)).toBe(true);
    expect(othersWentOn(silent(2_000), { ...before, arrivals: 6 }, [tenfold], 1)).toBe(false);
    expect(othersWentOn(silent(2_000), before, [watch(steady, 5_000)], 2)).toBe(false);
    expect(othersWentOn(silent(3_000), before, [watch(steady, 6_000)], 2)).toBe(true);
  });

  it('counts for more from one that was listened to for a shorter time', () => {
    const silence = silent(2_000);
    // Ten times what came to the one: told in full, or in its last second.
    const few = { ...before, arrivals: 30 };
    const tenfold = (ms: number) => steady(ms) * 10;
    expect(othersWentOn(silence, few, [watch(tenfold, 5_000)], 1)).toBe(false);
    expect(othersWentOn(silence, few, [watch(tenfold, 5_000, 2_000)], 1)).toBe(false);
    expect(othersWentOn(silence, few, [watch(tenfold, 5_000, 3_250)], 1)).toBe(false);
  });

  it('shortens the silence only where connections are counted', () => {
    const traffic = { ...NO_TRAFFIC, rate: 20, longestSilence: 100 };
    expect(silenceBesideOthers('counters', traffic, 1)).toBe(1_300);
    expect(silenceBesideOthers('sockets', traffic, 1)).toBe(Number.POSITIVE_INFINITY);
  });
});
