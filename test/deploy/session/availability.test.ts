import { expect, it } from 'vitest';
import { watchAvailability } from '../../../src/deploy/session/availability.js';
import type { DeployError } from '../../../src/errors.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const URL = 'https://shop.example.com/healthz';

const PROBE = { url: URL, intervalMs: 1_000, timeoutMs: 5_000, expect: [{ from: 200, to: 399 }] };

function watchOn(
  answer: (request: number) => { afterMs: number; detail: string; status?: number },
  maxFailures?: number,
) {
  const clock = new VirtualClock({ start: Date.UTC(2026, 10, 21, 7, 45) });
  let requests = 0;
  const web = {
    async get() {
      const { afterMs, ...given } = answer(requests++);
      await clock.sleep(afterMs);
      return given;
    },
  };
  const failures: DeployError[] = [];
  const told: [seconds: number, text: string][] = [];
  const began = clock.now();
  const { settle, stop } = watchAvailability(
    { web, clock },
    { ...PROBE, maxFailures },
    (error) => failures.push(error),
    ({ total, failed }) => told.push([(clock.now() - began) / 1_000, `${failed} of ${total}`]),
  );
  return { clock, settle, stop, failures, told };
}

it('probes once a second and reports the slowest answer', async () => {
  const { clock, stop } = watchOn((request) => ({ afterMs: 20 + request, status: 200, detail: 'HTTP 200' }));
  await clock.advance(9_500);
  expect(await clock.run(stop())).toEqual({ url: URL, total: 10, failed: 0, slowestMs: 29 });
});

it('counts failed probes, reports the first, and waits for pending ones', async () => {
  const { clock, stop } = watchOn((request) =>
    request < 3 ? { afterMs: 5_000, detail: `hung ${request}` } : { afterMs: 10, status: 302, detail: '' },
  );
  await clock.advance(4_200);
  expect(await clock.run(stop())).toEqual({
    url: URL,
    total: 5,
    failed: 3,
    slowestMs: 5_000,
    firstFailure: { at: '2026-11-21T07:45:00.000Z', detail: 'hung 0' },
  });
});

it('reports once that more have failed than are allowed, and goes on counting', async () => {
  const failsFrom = (first: number) => (request: number) =>
    request < first
      ? { afterMs: 10, status: 200, detail: 'HTTP 200' }
      : { afterMs: 10, status: 503, detail: 'HTTP 503' };
  const { clock, stop, failures } = watchOn(failsFrom(2), 3);
  await clock.advance(4_900);
  expect(failures).toEqual([]);
  await clock.advance(5_000);
  expect(failures.map(({ code, message }) => [code, message])).toEqual([
    ['probe-failed', `4 of 6 requests to ${URL} failed, and rollout.probe.max_failures allows 3. The last: HTTP 503.`],
  ]);
  expect(await clock.run(stop())).toMatchObject({ total: 10, failed: 8 });
});

it('tells of a probe that fails only while its end is waited for', async () => {
  const { clock, settle, failures } = watchOn(() => ({ afterMs: 400, detail: 'connection refused' }), 0);
  await clock.advance(100);
  expect(failures).toEqual([]);
  await clock.run(settle());
  expect(failures).toMatchObject([{ code: 'probe-failed' }]);
});

it('stops nothing where failures are only counted', async () => {
  const { clock, failures } = watchOn(() => ({ afterMs: 10, detail: 'connection refused' }));
  await clock.advance(60_000);
  expect(failures).toEqual([]);
});

it('tells its counts every two seconds, and each failure at once', async () => {
  const { clock, told } = watchOn((request) => ({ afterMs: 0, detail: '', status: request === 3 ? 503 : 200 }));
  await clock.advance(6_500);
  expect(told).toEqual([
    [0, '0 of 1'],
    [2, '0 of 3'],
    [3, '1 of 4'],
    [5, '1 of 6'],
  ]);
});
