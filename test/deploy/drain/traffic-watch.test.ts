import { describe, expect, it } from 'vitest';
import { quietPeriod } from '../../../src/deploy/drain/quiet-period.js';
import { parseTraffic, trafficCommand } from '../../../src/deploy/drain/traffic-command.js';
import { NO_TRAFFIC, TrafficWatch, watchedPorts } from '../../../src/deploy/drain/traffic-watch.js';
import type { ContainerView } from '../../../src/rollout/health.js';
import { counted, sockets } from '../../support/door-readings.js';

describe('a watch at the door', () => {
  it('counts arrivals and the silence since the last', () => {
    const watch = new TrafficWatch(counted(10), 0);
    watch.add(counted(13), 1_000);
    watch.add(counted(13), 4_000);
    expect([watch.arrivals, watch.silentMs]).toEqual([3, 3_000]);
  });

  it('knows when the first came, and when so many had come: not before the reading before', () => {
    const watch = new TrafficWatch(counted(0), 0);
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
    const watch = new TrafficWatch(counted(0), 0);
    expect(watch.rate).toEqual({ lowest: 0, highest: 0 });
    watch.add(counted(4), 500, 500);
    // 8 a second if it goes on so; after so few nobody knows.
    expect(watch.rate).toEqual({ lowest: expect.closeTo(0.75), highest: 16 });
    watch.add(counted(100), 10_000, 10_000);
    expect(watch.rate).toEqual({ lowest: expect.closeTo(9.13), highest: 12 });
  });

  it.each([3, 24, 100, 10_000])('calls silent what %i before make as unlikely as e to the power of -20', (count) => {
    const watch = new TrafficWatch(counted(0), 0);
    watch.add(counted(count), 2_000, 2_000);
    const traffic = { ...NO_TRAFFIC, rate: watch.rate.lowest, listenedMs: 1e9 };
    const silence = quietPeriod('counters', traffic, 1, 1e9, false) / 1_000;
    // At any rate as likely as any other before they came: the share of a silence among what may come next.
    const chance = (2 / (2 + silence)) ** (count + 1);
    expect(silence === 1 ? chance <= Math.exp(-20) : Math.abs(Math.log(chance) + 20) < 1e-6).toBe(true);
  });

  it('knows the rate of the latest time that is long enough, and not too long', () => {
    const watch = new TrafficWatch(counted(0), 0);
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
    const watch = new TrafficWatch(counted(0), 0);
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
    const watch = new TrafficWatch(counted(500), 0);
    watch.add(counted(2), 1_000);
    expect(watch.arrivals).toBe(2);
  });

  it('does not take its own requests for the balancer', () => {
    const watch = new TrafficWatch(counted(0), 0);
    watch.ownRequest();
    watch.add(counted(1), 1_000);
    expect(watch.arrivals).toBe(0);
    watch.add(counted(2), 2_000);
    expect(watch.arrivals).toBe(1);
  });

  it('does not take strangers for the balancer, and never overlooks the balancer beside them', () => {
    const watch = new TrafficWatch(counted(0), 0);
    watch.add(counted(1, { strangers: new Set(['0050 scanner']) }), 1_000);
    expect(watch.arrivals).toBe(0);
    watch.add(counted(2, { strangers: new Set(['0050 other']), peers: new Set(['0050 balancer']) }), 2_000);
    expect(watch.arrivals).toBe(1);
  });

  it('counts a connection once that comes after the counters were read and before the sockets', () => {
    const watch = new TrafficWatch(counted(0), 0);
    const check = { peers: new Set(['0050 balancer']) };
    watch.add(counted(0, check), 1_000);
    expect(watch.arrivals).toBe(1);
    watch.add(counted(1, check), 1_250);
    expect([watch.arrivals, watch.silentMs]).toEqual([1, 250]);
    watch.add(counted(2, check), 3_000);
    expect(watch.arrivals).toBe(2);
  });

  it('does not take a stranger for the balancer who comes just then', () => {
    const watch = new TrafficWatch(counted(0), 0);
    const scanned = { strangers: new Set(['0050 scanner']) };
    watch.add(counted(0, scanned), 1_000);
    watch.add(counted(1, scanned), 1_250);
    expect(watch.arrivals).toBe(0);
    watch.add(counted(2, scanned), 1_500);
    expect(watch.arrivals).toBe(1);
  });

  it('overlooks nothing where the counters miss some, or begin anew', () => {
    const watch = new TrafficWatch(counted(5), 0);
    watch.add(counted(5, { peers: new Set(['0050 a']) }), 250);
    watch.add(counted(5, { peers: new Set(['0050 a', '0050 b']) }), 500);
    watch.add(counted(2), 750);
    expect(watch.arrivals).toBe(4);
  });

  it('goes by sockets where the counters cannot be read', () => {
    const watch = new TrafficWatch(sockets('a'), 0);
    watch.add(sockets('a', 'b'), 1_000);
    watch.add(sockets('b'), 2_000);
    expect([watch.instrument, watch.arrivals, watch.silentMs]).toEqual(['sockets', 1, 1_000]);
  });

  it('hears no silence in a reading that failed, nor in the time that an answer took', () => {
    const watch = new TrafficWatch(counted(1), 0);
    watch.add({ peers: new Set(), strangers: new Set() }, 5_000);
    expect(watch.silentMs).toBe(0);
    watch.add(counted(1), 9_000, 2_000);
    expect(watch.silentMs).toBe(2_000);
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
    expect(watchedPorts(containers, [80, 443])).toEqual([{ host: 80, container: 8080, pid: 7 }]);
  });

  it('are the droplet’s own where a container uses its network', () => {
    expect(watchedPorts([container({ hostNetwork: true })], [80])).toEqual([{ host: 80, container: 80, pid: 7 }]);
  });
});

describe('a reading', () => {
  const ports = [{ host: 80, container: 8080, pid: 7 }];

  it('asks for the container’s port in the kernel’s hexadecimal, and changes nothing', () => {
    const { script, repeatable } = trafficCommand(ports);
    expect(script).toContain('/proc/7/net/tcp');
    expect(script).toContain('1F90');
    expect(script).not.toMatch(/iptables[^|]* -[ADIFRXZ]\b/);
    expect(repeatable).toBe(true);
  });

  it('adds the rules of its ports and leaves out others', () => {
    const said = 'rule 80 12\nrule 5432 99\nreadable\nsocket 1F90 0101600A:C350 01\nsocket 1F90 0101600A:C351 06\n';
    const { counted: count, established, peers } = parseTraffic(said, ports, true);
    expect([count, established, peers.size]).toEqual([12, 1, 2]);
  });

  it('tells strangers by their public address, IPv4 in IPv6 too, where the balancer comes over the VPC', () => {
    const said = [
      'readable',
      'socket 1F90 057100CB:C350 01', // 203.0.113.5
      'socket 1F90 0000000000000000FFFF0000057100CB:C351 01',
      'socket 1F90 0101600A:C352 01', // 10.96.1.1
    ].join('\n');
    const overVpc = parseTraffic(said, ports, true);
    expect([overVpc.strangers.size, overVpc.peers.size, overVpc.established]).toEqual([2, 1, 1]);
    const anywhere = parseTraffic(said, ports, false);
    expect([anywhere.strangers.size, anywhere.peers.size, anywhere.established]).toEqual([0, 3, 3]);
  });

  it('knows the difference between nothing and not readable', () => {
    expect(parseTraffic('', ports, true)).toMatchObject({ peers: new Set() });
    expect(parseTraffic('', ports, true).established).toBeUndefined();
    expect(parseTraffic('readable\n', ports, true).established).toBe(0);
  });
});
