import { describe, expect, it } from 'vitest';
import { TrafficRecord } from '../../../src/deploy/drain/traffic-record.js';
import { arrivals, counted, recordOf, UNREADABLE } from '../../support/traffic-readings.js';

/** Readings that take no time. */
const record = (...readings: [at: number, reading: ReturnType<typeof counted>][]) => {
  const traffic = new TrafficRecord();
  for (const [at, reading] of readings) traffic.add(reading, at, at);
  return traffic;
};

describe('a traffic record', () => {
  it('knows the last arrival and until when nothing followed', () => {
    const traffic = record([0, counted(10)], [1_000, counted(13)], [4_000, counted(13)]);
    expect([traffic.lastArrivalAt, traffic.until]).toEqual([1_000, 4_000]);
  });

  it('hears no silence while an answer is on its way', () => {
    const traffic = new TrafficRecord();
    traffic.add(counted(1), 0, 100);
    traffic.add(counted(1), 2_000, 9_000);
    expect(traffic.until).toBe(2_000);
  });

  it('begins again after a reading that could not be read', () => {
    const traffic = record([0, counted(1)], [1_000, counted(1)], [2_000, UNREADABLE]);
    expect(traffic.isCounting).toBe(false);
    traffic.add(counted(9), 3_000, 3_050);
    expect([traffic.isCounting, traffic.from, traffic.lastArrivalAt]).toEqual([true, 3_050, 3_050]);
  });

  it('begins again with the counters of a new container', () => {
    const traffic = record([0, counted(500)], [1_000, counted(2)], [2_000, counted(3)]);
    expect(traffic.from).toBe(1_000);
    expect(traffic.checks).toEqual([{ after: 1_000, at: 2_000 }]);
  });

  it('counts at least what arrived between two readings within a time, and at most what arrived between two around it', () => {
    const traffic = recordOf((ms) => Math.floor(ms / 100), 2_000, { everyMs: 500 });
    // Read at 480, 980 and 1,480 ms.
    expect(traffic.atLeast(400, 1_600)).toBe(10);
    expect(traffic.atMost(600, 1_400)).toBe(10);
    expect(traffic.atMost(600, 5_000), 'not known yet').toBeUndefined();
  });
});

describe("do-deploy's own checks", () => {
  const withOwnCheck = async (counts: [number, number, number]) => {
    const traffic = record([0, counted(counts[0])]);
    await traffic.ownCheck(
      () => 500,
      async () => {},
    );
    traffic.add(counted(counts[1]), 1_000, 1_000);
    traffic.add(counted(counts[2]), 2_000, 2_000);
    return traffic;
  };

  it('never count as heard, nor does what arrives beside them', async () => {
    expect((await withOwnCheck([0, 2, 2])).checks).toEqual([]);
    expect((await withOwnCheck([0, 2, 2])).lastHeardAt).toBeUndefined();
    expect((await withOwnCheck([0, 1, 2])).checks).toEqual([{ after: 1_000, at: 2_000 }]);
  });

  it('break a silence, because one of the balancer may have arrived with them', async () => {
    expect((await withOwnCheck([0, 1, 1])).lastArrivalAt).toBe(1_000);
  });

  it('may be under way while a reading is', async () => {
    const traffic = record([0, counted(0)]);
    let end = () => {};
    const check = traffic.ownCheck(
      () => 900,
      () => new Promise<void>((resolve) => (end = resolve)),
    );
    traffic.add(counted(0), 1_000, 1_100);
    traffic.add(counted(1), 1_500, 1_600);
    end();
    await check;
    expect(traffic.checks).toEqual([]);
  });
});

describe('strangers', () => {
  it('are not heard as the balancer, which is heard beside them', () => {
    const traffic = record([0, counted(0)], [1_000, counted(1, 'a')], [2_000, counted(3, 'a', 'b')]);
    expect(traffic.checks).toEqual([{ after: 1_000, at: 2_000 }]);
  });

  it('are not heard as the balancer when they arrive between the two parts of a reading', () => {
    const traffic = record([0, counted(0)], [1_000, counted(0, 'a')], [1_250, counted(1, 'a')]);
    expect(traffic.checks).toEqual([]);
    traffic.add(counted(2, 'a'), 1_500, 1_500);
    expect(traffic.checks).toHaveLength(1);
  });

  it('are not heard as the balancer when they arrived during the first reading', () => {
    const traffic = record([0, counted(0, 'a')], [250, counted(1, 'a')]);
    expect(traffic.checks).toEqual([]);
    traffic.add(counted(2, 'a'), 500, 500);
    expect(traffic.checks).toHaveLength(1);
  });

  it('may have left the socket table between two readings a minute apart: then nothing is heard', () => {
    expect(record([0, counted(0)], [60_000, counted(3)]).checks).toHaveLength(3);
    const traffic = record([0, counted(0)], [60_001, counted(3)]);
    expect(traffic.checks).toEqual([]);
    expect(traffic.lastArrivalAt).toBe(60_001);
    traffic.add(counted(4), 61_000, 61_000);
    expect(traffic.checks).toHaveLength(1);
  });

  it('never hide an arrival: at the latest it is noticed one reading later', () => {
    // The stranger is seen, the balancer's connection is counted.
    const traffic = record([0, counted(0)], [1_000, counted(1, 'a')]);
    expect(traffic.lastArrivalAt).toBe(0);
    traffic.add(counted(2, 'a'), 1_250, 1_250);
    expect(traffic.lastArrivalAt).toBe(1_250);
  });
});

describe('the time of a check', () => {
  const INTERVAL_MS = 3_000;
  const WINDOW_MS = 3_800;
  const lastCheck = (times: number[], until: number) => recordOf(arrivals(times), until).lastCheck(WINDOW_MS);

  it('is known from three single arrivals', () => {
    const check = lastCheck([1_000, 4_100, 7_200, 10_300], 12_000);
    expect(check?.at).toBeGreaterThanOrEqual(10_300);
    expect(check?.at).toBeLessThanOrEqual(10_550);
    expect(check?.after).toBeLessThan(10_300);
  });

  it('is not known while another one may be the check', () => {
    // A request shortly before the check at 10.3 s: it is not taken for it, before that arrives or after.
    const times = [1_000, 4_100, 7_200, 10_100];
    expect(lastCheck(times, 10_500)?.at).toBeLessThan(8_000);
    expect(lastCheck([...times, 10_600], 11_500)?.at).toBeLessThan(8_000);
    expect(lastCheck(times.slice(2), 11_500)).toBeUndefined();
  });

  it('is not known under load', () => {
    expect(recordOf((ms) => Math.floor(ms / 300), 20_000).lastCheck(WINDOW_MS)).toBeUndefined();
  });

  it('is not known from two that arrive in one reading, or close to each other', () => {
    expect(lastCheck([1_000, 4_100, 4_110, 7_200], 12_000)).toBeUndefined();
    expect(lastCheck([1_000, 1_600, 2_200], 12_000)).toBeUndefined();
  });

  it('is right for any traffic beside the checks', () => {
    for (let seed = 1; seed <= 1_000; seed += 1) {
      let state = seed;
      const chance = () => {
        state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
        return state / 0x7fffffff;
      };
      const checks = [chance() * INTERVAL_MS];
      while (checks.length < 8) checks.push((checks.at(-1) ?? 0) + INTERVAL_MS + chance() * (WINDOW_MS - INTERVAL_MS));
      const requests = Array.from({ length: Math.floor(chance() * 6) }, () => chance() * 25_000);
      const everyMs = 200 + chance() * 800;
      const found = recordOf(arrivals([...checks, ...requests]), 26_000, { everyMs }).lastCheck(WINDOW_MS);
      if (found === undefined) continue;
      expect(
        checks.some((check) => check >= found.after && check <= found.at),
        `seed ${seed}`,
      ).toBe(true);
    }
  });
});
