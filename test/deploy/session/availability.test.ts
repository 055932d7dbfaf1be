import { expect, it } from 'vitest';
import { watchAvailability } from '../../../src/deploy/session/availability.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const URL = 'https://shop.example.com/healthz';

function watchOn(answer: (request: number) => { afterMs: number; ok: boolean; detail: string }) {
  const clock = new VirtualClock({ start: Date.UTC(2026, 10, 21, 7, 45) });
  let requests = 0;
  const web = {
    async get() {
      const { afterMs, ...given } = answer(requests++);
      await clock.sleep(afterMs);
      return given;
    },
  };
  return { clock, stop: watchAvailability({ web, clock }, URL) };
}

it('probes once a second and reports the slowest answer', async () => {
  const { clock, stop } = watchOn((request) => ({ afterMs: 20 + request, ok: true, detail: 'HTTP 200' }));
  await clock.advance(9_500);
  expect(await clock.run(stop())).toEqual({ url: URL, total: 10, failed: 0, slowestMs: 29 });
});

it('counts failed probes, reports the first, and waits for pending ones', async () => {
  const { clock, stop } = watchOn((request) =>
    request < 3 ? { afterMs: 5_000, ok: false, detail: `hung ${request}` } : { afterMs: 10, ok: true, detail: '' },
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
