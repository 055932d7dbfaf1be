/** What is asked before a rollout changes anything. */
import { describe, expect, it } from 'vitest';
import type { ProbeSettings } from '../../../src/config/settings.js';
import type { Member } from '../../../src/deploy/droplet/member.js';
import type { StoredRelease } from '../../../src/deploy/release/stored-release.js';
import { askApps, askFirst } from '../../../src/deploy/session/ask-first.js';
import type { Session } from '../../../src/deploy/session/session.js';
import type { Run } from '../../../src/deploy/steps/run.js';
import { type DeployError, ShellError } from '../../../src/errors.js';
import type { WebAnswer } from '../../../src/ports.js';
import { start } from '../../../src/rollout/rollout-state.js';
import { CollectingReporter } from '../../support/collecting-reporter.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const URL = 'https://shop.example.com/';
const PROBE = { url: URL, intervalMs: 1_000, timeoutMs: 5_000, expect: [{ from: 200, to: 399 }] };

function sessionWith(command: string, rollout: object, options: object = {}) {
  const clock = new VirtualClock({ start: 0 });
  const reporter = new CollectingReporter();
  const session = {
    command,
    ports: { clock, reporter },
    release: { id: 'r2', imageTag: 'v2' },
    previous: [],
    rows: [],
    options: {
      interrupted: new AbortController().signal,
      settings: { app: 'shop', environment: 'production', rollout },
      deployer: { who: 'ann' },
      ...options,
    },
  } as unknown as Session;
  const notices = () => reporter.events.flatMap((event) => (event.type === 'notice' ? [event.message] : []));
  return { session, clock, notices };
}

const POLICY = { batch: [1], onFailure: 'stop', allowDowntime: false, balanced: true, isFleet: true } as const;

describe('the probe', () => {
  async function ask(
    probe: Partial<ProbeSettings>,
    answers: readonly WebAnswer[],
    { command = 'deploy', healthy = true } = {},
  ) {
    const settings = { ...PROBE, ...probe };
    const { session, clock, notices } = sessionWith(command, { probe: settings });
    let asked = 0;
    const get = async () => answers[asked++] ?? answers.at(-1);
    Object.assign(session.ports, { web: { get } });
    session.probe = Promise.resolve({ probe: { ...settings, url: URL } });
    const state = start(POLICY, [{ id: 1, rotation: 'in', healthy, inLedger: false, upToDate: false }]);
    const error = await clock.run(
      askFirst(session, [state]).then(
        () => undefined,
        (thrown: DeployError) => thrown,
      ),
    );
    return { asked, code: error?.code, source: error?.source, hint: error?.hint, notices: notices() };
  }

  const SILENT = { detail: 'connection refused' };
  const BAD = { status: 404, detail: 'HTTP 404' };
  const GOOD = { status: 200, detail: 'HTTP 200' };

  it('one good answer is enough', async () => {
    expect(await ask({ maxFailures: 0 }, [GOOD])).toMatchObject({ asked: 1, code: undefined, notices: [] });
    expect(await ask({ maxFailures: 0 }, [SILENT, BAD, GOOD])).toMatchObject({ asked: 3, code: undefined });
  });

  it('an address that never answers is refused, also where failures are only counted', async () => {
    expect(await ask({}, [SILENT])).toMatchObject({ asked: 3, code: 'probe-unanswered', source: 'user' });
  });

  it('a wrong answer is refused where failures stop the rollout, and otherwise told', async () => {
    expect(await ask({ maxFailures: 3 }, [SILENT, BAD])).toMatchObject({ code: 'probe-failed', source: 'user' });
    const { code, notices } = await ask({}, [BAD]);
    expect([code, notices]).toEqual([
      undefined,
      [
        `${URL} answers HTTP 404, not 200-399, before any droplet has changed. Every such answer counts as a failed request.`,
      ],
    ]);
  });

  it('is not asked where nothing serves, nor by what leads away from a release', async () => {
    expect(await ask({ maxFailures: 0 }, [SILENT], { healthy: false })).toMatchObject({ asked: 0, code: undefined });
    expect(await ask({ maxFailures: 0 }, [SILENT], { command: 'rollback' })).toMatchObject({
      asked: 0,
      code: undefined,
    });
  });
});

describe('rollout.health.http', () => {
  type Says = boolean | 'unreachable' | 'down' | 'half-changed';

  async function ask(says: readonly Says[], command = 'deploy', options: object = {}) {
    const healthHttp = { port: 8080, path: '/healthz', intervalMs: 2_000, timeoutMs: 5_000 };
    const { session, clock, notices } = sessionWith(command, { healthHttp }, options);
    const members = says.map((one, index): Member => {
      const name = `web-${index + 1}`;
      const state = { release: 'r1', phase: one === 'half-changed' ? 'switching' : 'verified' };
      const checkHealth = async () => {
        if (one === 'unreachable') throw new ShellError('lost', 'unknown', 'The connection broke.');
        return { passed: one === true, detail: one === true ? 'HTTP 200' : 'connection refused', ms: 1 };
      };
      return {
        droplet: { id: index + 1, name },
        host: { name },
        connection: { checkHealth },
        survey: { current: 'r1', state, containers: { now: 60_000 } },
        services: [{ name: 'web', image: 'shop', replicas: 1, stays: true, oneShot: false }],
        containers: [
          {
            service: 'web',
            state: one === 'down' ? 'exited' : 'running',
            restarts: 0,
            startedAt: 0,
            ports: [],
            exitCode: 1,
          },
        ],
      } as unknown as Member;
    });
    const run = {
      ports: session.ports,
      settings: session.options.settings,
      target: {},
      lease: {},
      contacts: { ownRequest: (_: Member, task: () => unknown) => task() },
    } as unknown as Run;
    const goals = [{ id: 'r2' } as StoredRelease];
    const end = await clock.run(
      askApps(session, { run, members }, goals).then(
        (unasked) => ({ unasked: [...unasked] }),
        ({ code, message, hint, source }: DeployError) => ({ code, message, hint, source }),
      ),
    );
    return { ...end, notices: notices() };
  }

  it('that one of the droplets answers is right', async () => {
    expect(await ask([false, true])).toEqual({ unasked: [], notices: [] });
  });

  it('that no droplet answers is refused, with both remedies', async () => {
    const again = (...options: string[]) => ['do-deploy production v2 --yes', ...options].join(' ');
    expect(await ask([false, false, 'unreachable'], 'deploy', { again })).toMatchObject({
      code: 'app-check-wrong',
      source: 'user',
      message:
        'No droplet that serves answers rollout.health.http (http port 8080 /healthz): web-1: connection refused.',
      hint: expect.stringMatching(/config\/deploy\.yml\..* do-deploy production v2 --yes --skip-first-check$/),
    });
    expect(await ask([false], 'adopt')).toMatchObject({
      code: 'app-check-wrong',
      hint: expect.not.stringMatching(/--/),
    });
  });

  it('is not held against what runs, where the user says that it is new, or where a rollback leads', async () => {
    const told = await ask([false], 'deploy', { skipFirstCheck: true });
    expect(told).toMatchObject({ unasked: ['r1'], notices: [expect.stringContaining('Only the new release')] });
    expect(await ask([false], 'heal')).toMatchObject({ unasked: ['r1'], notices: [expect.any(String)] });
  });

  it.each(['down', 'half-changed', 'unreachable'] as const)(
    'cannot be judged by droplets that are %s',
    async (says) => {
      expect(await ask([says, says])).toEqual({ unasked: [], notices: [] });
    },
  );
});
