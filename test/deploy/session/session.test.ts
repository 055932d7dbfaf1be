/** The end of a session. */
import { describe, expect, it } from 'vitest';
import type { DeployPorts } from '../../../src/deploy/core/deploy-ports.js';
import { reportStep } from '../../../src/deploy/core/report.js';
import type { Member } from '../../../src/deploy/droplet/member.js';
import { raise } from '../../../src/deploy/session/lifecycle.js';
import {
  NO_RELEASE_YET,
  runSession,
  type SessionOptions,
  stopIfInterrupted,
} from '../../../src/deploy/session/session.js';
import type { Run } from '../../../src/deploy/steps/run.js';
import { DeployError } from '../../../src/errors.js';
import type { RemoteCommand } from '../../../src/ports.js';
import type { Handler } from '../../../src/rollout/lifecycle.js';
import { CollectingReporter } from '../../support/collecting-reporter.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const NEVER = new AbortController().signal;

describe('a run that fails under the lease before anything rolls', () => {
  /** The commands that it runs on its droplet, and the time at its end in ms. */
  async function failing(error: DeployError, { release = 'v2', rolling = false, hangs = false } = {}) {
    const clock = new VirtualClock({ start: 0 });
    const ports = { clock, reporter: { report: () => {} } } as unknown as DeployPorts;
    const commands: RemoteCommand[] = [];
    const run = (command: RemoteCommand) => {
      commands.push(command);
      return hangs ? new Promise(() => {}) : Promise.resolve({ code: 0, stdout: '', stderr: '' });
    };
    const member = { droplet: { id: 7 }, connection: { run, close: async () => {} } } as unknown as Member;
    const lease = { ensure: async () => {}, release: async () => {} };
    const settings = { app: 'shop', environment: 'production' };
    const options = { settings, interrupted: NEVER, aborted: NEVER } as unknown as SessionOptions;
    const end = runSession('deploy', ports, options, { id: release, imageTag: 'v2' }, async (session) => {
      const known = { ports, settings, id: 'run', deployer: { who: 'ann@desk' }, lease } as unknown as Run;
      Object.assign(session, { run: known, members: [member], rolling });
      await clock.sleep(2_000);
      throw error;
    });
    await clock.run(end);
    return { commands, ms: clock.now() };
  }
  const failed = new DeployError('pull-failed', 'The images cannot be pulled.');

  it('is written into the history', async () => {
    const { commands } = await failing(failed);
    expect(commands.map(({ name }) => name)).toEqual(['write-history']);
    const [line = '{}'] = /\{"at".*\}/.exec(commands[0]?.script ?? '') ?? [];
    expect(JSON.parse(line)).toEqual({
      at: '1970-01-01T00:00:02.000Z',
      run: 'run',
      environment: 'production',
      command: 'deploy',
      who: 'ann@desk',
      release: 'v2',
      imageTag: 'v2',
      outcome: 'failed',
      durationMs: 2_000,
      error: { code: 'pull-failed' },
    });
  });

  it('is written when it was interrupted, within 2 s', async () => {
    const interrupted = new DeployError('interrupted', 'Interrupted.', { source: 'user' });
    const { commands } = await failing(interrupted);
    expect(commands.map(({ script }) => script.includes('"outcome":"interrupted"'))).toEqual([true]);
    expect((await failing(interrupted, { hangs: true })).ms).toBe(4_000);
  });

  it('is not written when the request was wrong, its release is unknown, or droplets were rolled', async () => {
    const wrong = new DeployError('no-such-release', 'No droplet holds it.', { source: 'user' });
    expect(await failing(wrong)).toMatchObject({ commands: [] });
    expect(await failing(failed, { release: '' })).toMatchObject({ commands: [] });
    expect(await failing(failed, { rolling: true })).toMatchObject({ commands: [] });
  });

  it('waits at most 5 s for a droplet that hangs', async () => {
    expect((await failing(failed, { hangs: true })).ms).toBe(7_000);
  });
});

it('an interruption before rolling ends the run at once, and the steps that it leaves are not reported as failures', async () => {
  const clock = new VirtualClock();
  const reporter = new CollectingReporter();
  const ports = { clock, reporter } as unknown as DeployPorts;
  const interrupted = new AbortController();
  const options = {
    settings: { environment: 'production' },
    interrupted: interrupted.signal,
    aborted: NEVER,
  } as SessionOptions;
  let endPull: (error: Error) => void = () => {};
  const running = runSession('deploy', ports, options, NO_RELEASE_YET, async (_, gated) => {
    await reportStep(gated, { droplet: 'web-1', step: 'pull' }, () => {
      return new Promise((_, reject) => {
        endPull = reject;
      });
    });
    throw new Error('not reached');
  });
  interrupted.abort();
  expect(await running).toMatchObject({ outcome: 'interrupted', summary: 'Nothing was changed in rotation.' });
  endPull(new Error('the connection was closed'));
  await clock.advance(1_000);
  expect(reporter.events.map(({ type }) => type)).toEqual(['step-started', 'rollout-finished']);
});

it('an interruption waits for a handler that cleans up, and only then frees the lock', async () => {
  const clock = new VirtualClock();
  const order: string[] = [];
  const ports = { clock, reporter: new CollectingReporter() } as unknown as DeployPorts;
  const interrupted = new AbortController();
  const cleaning: Handler['handle'] = async (_, { signal }) => {
    order.push('begins');
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    await clock.sleep(2_000);
    order.push('cleaned');
  };
  const hook = { name: 'hook', event: 'pre_deploy', priority: 50, timeoutMs: 60_000, endMs: 5_000, handle: cleaning };
  const options = {
    settings: { app: 'shop', environment: 'production' },
    deployer: { who: 'ann@desk' },
    handlers: [hook],
    interrupted: interrupted.signal,
    aborted: NEVER,
  } as unknown as SessionOptions;
  const running = runSession('deploy', ports, options, NO_RELEASE_YET, async (session) => {
    const release = async () => void order.push('lock is free');
    session.run = { lease: { ensure: async () => {}, release } } as unknown as Run;
    await raise(session, 'pre_deploy');
    throw new Error('not reached');
  });
  void clock.sleep(1_000).then(() => interrupted.abort());
  expect(await clock.run(running)).toMatchObject({ outcome: 'interrupted' });
  expect(order).toEqual(['begins', 'cleaned', 'lock is free']);
});

describe('an interruption while handlers of deploy run', () => {
  async function play(signals: number) {
    const [first, second] = [new AbortController(), new AbortController()];
    const options = { settings: { environment: 'production' }, interrupted: first.signal, aborted: second.signal };
    const ports = { clock: new VirtualClock(), reporter: new CollectingReporter() } as unknown as DeployPorts;
    let isMigrated = false;
    let migrate = () => {};
    const end = runSession('deploy', ports, options as SessionOptions, NO_RELEASE_YET, async (session) => {
      session.underway = true;
      await new Promise<void>((resolve) => {
        migrate = resolve;
      });
      isMigrated = true;
      stopIfInterrupted(session);
      throw new Error('not reached');
    });
    await new Promise((wake) => setImmediate(wake));
    first.abort();
    if (signals === 2) second.abort();
    else migrate();
    return { ...(await end), isMigrated };
  }

  it('waits for them, and then nothing is rolled', async () => {
    expect(await play(1)).toMatchObject({ outcome: 'interrupted', isMigrated: true });
  });

  it('does not wait after the second signal', async () => {
    expect(await play(2)).toMatchObject({ outcome: 'interrupted', isMigrated: false });
  });
});
