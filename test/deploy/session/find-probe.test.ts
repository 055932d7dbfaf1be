import { expect, it } from 'vitest';
import type { ProbeSettings, RolloutSettings } from '../../../src/config/settings.js';
import { findProbe } from '../../../src/deploy/session/find-probe.js';
import type { WebAnswer } from '../../../src/ports.js';

const URL = 'http://203.0.113.9/healthz';
const USUAL = { intervalMs: 1_000, timeoutMs: 5_000, expect: [{ from: 200, to: 399 }] };

async function found(probe: ProbeSettings | false | undefined, answer: WebAnswer, publicUrl: string | undefined = URL) {
  const asked: [string, number][] = [];
  const web = {
    get: async (url: string, timeoutMs: number) => {
      asked.push([url, timeoutMs]);
      return answer;
    },
  };
  const rollout = { probe } as RolloutSettings;
  return { ...(await findProbe({ web }, { rollout }, { publicUrl })), asked };
}

it('an address of the settings is probed, whether or not it answers now', async () => {
  const probe = { ...USUAL, url: 'https://shop.example.com', maxFailures: 3 };
  expect(await found(probe, { detail: 'no answer' })).toEqual({ probe, asked: [] });
});

it('without one the balancer is probed, if it answers soon, with what the settings say besides', async () => {
  const answers = await found(undefined, { status: 200, detail: 'HTTP 200' });
  expect(answers).toEqual({
    probe: { ...USUAL, url: URL },
    message: `Probing the balancer at ${URL}.`,
    asked: [[URL, 2_000]],
  });
  const strict = { ...USUAL, maxFailures: 0 };
  expect(await found(strict, { status: 200, detail: '' })).toMatchObject({ probe: { url: URL, maxFailures: 0 } });
});

it.each([
  [{ detail: 'no answer within 2 s' }, 'no answer within 2 s'],
  [{ status: 404, detail: 'HTTP 404' }, 'HTTP 404'],
])('one that does not answer as expected is not probed, and the user is told', async (answer, reason) => {
  const { probe, message } = await found(undefined, answer);
  expect(probe).toBeUndefined();
  expect(message).toContain(`does not answer from here (${reason}).`);
});

it('who wants the probe and has no address to probe is told so', async () => {
  const web = { get: () => Promise.reject(new Error('nobody asked for it')) };
  const rollout = { probe: { ...USUAL, maxFailures: 3 } } as RolloutSettings;
  const { probe, message } = await findProbe({ web }, { rollout }, { description: 'tag "workers"' });
  expect(probe).toBeUndefined();
  expect(message).toMatch(/^Nothing is probed, because tag "workers" has no address .* rollout\.probe\.url/);
});

it('nothing is probed with `probe: false`, nor where there is no balancer', async () => {
  expect(await found(false, { status: 200, detail: '' })).toEqual({ asked: [] });
  const web = { get: () => Promise.reject(new Error('nobody asked for it')) };
  expect(await findProbe({ web }, { rollout: {} as RolloutSettings }, {})).toEqual({});
});
