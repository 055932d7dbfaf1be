/** When a gate stops a rollout. */
import { describe, expect, it } from 'vitest';
import type { GateSettings } from '../../../src/config/settings.js';
import type { DeployPorts } from '../../../src/deploy/core/deploy-ports.js';
import { askGates, watchGates } from '../../../src/deploy/session/watch-gates.js';
import type { DeployError } from '../../../src/errors.js';
import { CollectingReporter } from '../../support/collecting-reporter.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const COMMAND: GateSettings = {
  name: 'errors',
  place: 'config/deploy.yml:12',
  command: 'scripts/error-rate.sh',
  everyMs: 30_000,
  failAfter: 2,
  timeoutMs: 10_000,
};

interface Answer {
  ok: boolean;
  detail: string;
  status?: number;
  isUnusable?: boolean;
  isUnresolved?: boolean;
  afterMs?: number;
}

function portsFor(answer: (question: number) => Answer) {
  const clock = new VirtualClock({ start: 0 });
  const reporter = new CollectingReporter();
  const asked: { at: number; what: string; variables?: object }[] = [];
  const reply = async (what: string, variables?: object) => {
    const { afterMs = 0, ...given } = answer(asked.length);
    asked.push({ at: clock.now(), what, variables });
    await clock.sleep(afterMs);
    return given;
  };
  const ports = {
    clock,
    reporter,
    commands: { run: (line: string, { variables }: { variables: object }) => reply(line, variables) },
    web: { get: (url: string) => reply(url) },
  } as unknown as DeployPorts;
  return { ports, clock, reporter, asked };
}

/** Plays ten minutes. `answer` is given the number of the question, from 0. */
async function play(gate: GateSettings, answer: (question: number) => Answer, stopAtMs = 600_000) {
  const { ports, clock, reporter, asked } = portsFor(answer);
  const failed: { error: DeployError; at: number }[] = [];
  const stop = new AbortController();
  void clock.sleep(stopAtMs).then(() => stop.abort());
  const onFailure = (error: DeployError) => failed.push({ error, at: clock.now() });
  const variables = { DO_DEPLOY_APP: 'shop' };
  await clock.run(watchGates(ports, { gates: [gate], variables, onFailure, signal: stop.signal }).ended);
  const warnings = reporter.events.flatMap((event) => (event.type === 'notice' ? [event.message] : []));
  return { asked, failed, warnings, endedAt: clock.now() };
}

const YES = { ok: true, detail: 'exit code 0' };
const NO = { ok: false, detail: 'exit code 1: 3.1% errors' };

it('is asked at once and then at its interval, and gets the variables of the rollout and its own name', async () => {
  const { asked, failed } = await play(COMMAND, () => YES, 70_000);
  expect(asked.map(({ at }) => at)).toEqual([0, 30_000, 60_000]);
  expect(asked[0]).toMatchObject({
    what: 'scripts/error-rate.sh',
    variables: { DO_DEPLOY_APP: 'shop', DO_DEPLOY_GATE: 'errors' },
  });
  expect(failed).toEqual([]);
});

it('stops the rollout after so many failures in a row, and says what it printed last', async () => {
  const { failed, warnings, endedAt } = await play(COMMAND, (question) => (question < 2 ? YES : NO));
  expect(failed.map(({ error, at }) => [error.code, error.message, at])).toEqual([
    ['gate-failed', 'Gate errors failed 2 times in a row: exit code 1: 3.1% errors.', 90_000],
  ]);
  expect(warnings).toEqual(['Gate errors failed (1 of 2): exit code 1: 3.1% errors']);
  expect(endedAt).toBe(90_000);
});

it('stops nothing while failures do not follow each other', async () => {
  const { failed, warnings } = await play(COMMAND, (question) => (question % 2 === 0 ? NO : YES));
  expect(failed).toEqual([]);
  expect(warnings.length).toBeGreaterThan(5);
});

describe('at an address', () => {
  const gate: GateSettings = {
    name: 'alarms',
    place: 'config/deploy.yml:13',
    url: 'https://alarms.example.com',
    expect: [{ from: 200, to: 204 }],
    everyMs: 1_000,
    failAfter: 1,
    timeoutMs: 5_000,
  };

  it.each([
    [200, 0],
    [204, 0],
    [302, 1],
    [undefined, 1],
  ])('status %s fails it %s times', async (status, times) => {
    const { failed, asked } = await play(gate, () => ({ ok: true, detail: `HTTP ${status}`, status }), 2_500);
    expect(asked[0]?.what).toBe('https://alarms.example.com');
    expect(failed.map(({ error }) => error.message)).toEqual(
      times === 0 ? [] : [`Gate alarms failed: HTTP ${status}.`],
    );
  });
});

it('an answer that comes after the end does not count, and is not waited for', async () => {
  const late = await play({ ...COMMAND, failAfter: 1 }, () => ({ ...NO, afterMs: 60_000 }), 10_000);
  expect(late).toMatchObject({ failed: [], endedAt: 10_000 });
});

describe('one that cannot be asked', () => {
  const gone = { ok: false, isUnusable: true, detail: 'exit code 127: sh: 1: scripts/error-rate.sh: not found' };

  it('accuses no release: it has an error of its own, with its line', async () => {
    const { failed, warnings } = await play(COMMAND, (question) => (question < 2 ? YES : gone));
    expect(failed.map(({ error }) => [error.code, error.message])).toEqual([
      ['gate-unusable', `The command of the gate errors (config/deploy.yml:12) cannot be used: ${gone.detail}.`],
    ]);
    expect(failed[0]?.error.hint).not.toContain('release');
    expect(warnings).toEqual([`Gate errors cannot be asked (1 of 2): ${gone.detail}`]);
  });

  it('accuses none beside a no either: too few have said it', async () => {
    const { failed } = await play(COMMAND, (question) => (question === 0 ? gone : NO));
    expect(failed[0]?.error).toMatchObject({ code: 'gate-unusable', message: expect.stringContaining(gone.detail) });
  });

  it('is also one whose host name leads nowhere', async () => {
    const { command: _, ...common } = COMMAND;
    const gate = { ...common, url: 'https://alarms.example.com', expect: [{ from: 200, to: 200 }] };
    const answer = { ok: false, isUnresolved: true, detail: 'getaddrinfo ENOTFOUND alarms.example.com' };
    expect((await play(gate, () => answer)).failed[0]?.error).toMatchObject({
      code: 'gate-unusable',
      hint: expect.stringContaining('config/deploy.yml:12'),
    });
  });
});

describe('before a rollout', () => {
  async function askFirst(answer: (question: number) => Answer, signal = new AbortController().signal) {
    const { ports, clock, asked } = portsFor(answer);
    const end = askGates(ports, { gates: [COMMAND], variables: {}, signal }, 'do-deploy production v2');
    const error = await clock.run(end.then(() => undefined).catch((thrown: DeployError) => thrown));
    return { asked: asked.length, error };
  }

  it('a yes is enough', async () => {
    expect(await askFirst(() => YES)).toEqual({ asked: 1, error: undefined });
    expect(await askFirst((question) => (question === 0 ? NO : YES))).toEqual({ asked: 2, error: undefined });
  });

  it('one that says no as often as it may stops the run, which has to be repeated by the user', async () => {
    const { asked, error } = await askFirst(() => NO);
    expect(asked).toBe(2);
    expect(error).toMatchObject({
      code: 'gate-failed',
      source: 'user',
      message: 'Gate errors failed 2 times in a row: exit code 1: 3.1% errors.',
      hint: expect.stringMatching(/: do-deploy production v2$/),
    });
  });

  it('none is asked after the signal', async () => {
    expect(await askFirst(() => NO, AbortSignal.abort())).toEqual({ asked: 0, error: undefined });
  });
});

describe('at the end of a rest, or of the rollout', () => {
  /** Decided at `atMs`: until when that took, what was asked, and what failed. */
  async function decide(
    gate: GateSettings,
    atMs: number,
    at: 'boundary' | 'end',
    answer: (question: number) => Answer,
  ) {
    const { ports, clock, asked } = portsFor(answer);
    const failed: string[] = [];
    const stop = new AbortController();
    const onFailure = (error: DeployError) => failed.push(error.code);
    const given = { gates: [gate], variables: {}, askedAt: 0, onFailure, signal: stop.signal };
    const whole = async () => {
      const watched = watchGates(ports, given);
      await clock.sleep(atMs);
      await watched.decide(at);
      const decidedAt = clock.now();
      stop.abort();
      await watched.ended;
      return { decidedAt, asked: asked.map((one) => one.at), failed };
    };
    return await clock.run(whole());
  }
  const every5 = { ...COMMAND, everyMs: 5_000 };

  it('a gate is asked again, whatever its interval', async () => {
    expect(await decide(COMMAND, 5_000, 'boundary', () => YES)).toEqual({
      decidedAt: 5_000,
      asked: [5_000],
      failed: [],
    });
  });

  it('one that says no is asked until it has failed', async () => {
    expect(await decide(COMMAND, 5_000, 'boundary', () => NO)).toEqual({
      decidedAt: 35_000,
      asked: [5_000, 35_000],
      failed: ['gate-failed'],
    });
    expect(await decide(every5, 7_000, 'boundary', () => NO)).toMatchObject({
      asked: [5_000, 7_000],
      failed: ['gate-failed'],
    });
  });

  it('or until it says yes', async () => {
    const once = (question: number) => (question === 0 ? NO : YES);
    expect(await decide(COMMAND, 5_000, 'boundary', once)).toEqual({
      decidedAt: 35_000,
      asked: [5_000, 35_000],
      failed: [],
    });
  });

  it('an answer that is on its way counts, and so does one of this moment', async () => {
    const slow = (ms: number) => () => ({ ...NO, afterMs: ms });
    expect(await decide({ ...every5, failAfter: 1 }, 5_500, 'end', slow(2_000))).toMatchObject({
      decidedAt: 7_000,
      failed: ['gate-failed'],
    });
    expect(await decide(every5, 10_500, 'boundary', () => YES)).toEqual({
      decidedAt: 10_500,
      asked: [5_000, 10_000],
      failed: [],
    });
  });

  it('without a rest, only one that has said no is asked again', async () => {
    expect(await decide(every5, 4_000, 'end', () => NO)).toEqual({ decidedAt: 4_000, asked: [], failed: [] });
    expect(await decide({ ...every5, failAfter: 3 }, 6_000, 'end', () => NO)).toMatchObject({
      decidedAt: 15_000,
      failed: ['gate-failed'],
    });
  });
});
