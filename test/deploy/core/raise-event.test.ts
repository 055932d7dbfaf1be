import { describe, expect, it } from 'vitest';
import { raiseEvent } from '../../../src/deploy/core/raise-event.js';
import { DeployError } from '../../../src/errors.js';
import type { Handler, LifecycleEvent, LifecyclePayload } from '../../../src/rollout/lifecycle.js';
import { CollectingReporter } from '../../support/collecting-reporter.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const payload = (event: LifecycleEvent): LifecyclePayload => ({
  event,
  at: '2026-11-21T07:45:00.000Z',
  command: 'deploy',
  app: 'shop',
  environment: 'production',
  release: { id: 'r2', imageTag: 'v2' },
  previous: [],
  who: 'ann@laptop',
  droplets: ['web-1'],
});

const verbs = {
  run: async () => ({ code: 0, output: '', done: 'now' as const }),
  process: async () => ({ reached: 0, expected: 0 }),
  confirm: async () => false,
};

function handler(name: string, handle: Handler['handle'], more: Partial<Handler> = {}): Handler {
  return { name, event: 'pre_deploy', priority: 50, timeoutMs: 30_000, handle, ...more };
}

function setup() {
  const clock = new VirtualClock();
  const reporter = new CollectingReporter();
  const stop = new AbortController();
  const raise = (handlers: Handler[], event: LifecycleEvent = 'pre_deploy') =>
    clock.run(raiseEvent({ clock, reporter }, handlers, payload(event), verbs, stop.signal));
  return { clock, reporter, stop, raise };
}

describe('an event', () => {
  it('runs its handlers one after another, lower priorities first, and no others', async () => {
    const { clock, raise } = setup();
    const order: string[] = [];
    const slow = (name: string) => async () => {
      order.push(`${name} begins`);
      await clock.sleep(1_000);
      order.push(`${name} ends`);
    };
    await raise([
      handler('late', slow('late'), { priority: 60 }),
      handler('first', slow('first'), { priority: 10 }),
      handler('usual', slow('usual')),
      handler('other', slow('other'), { event: 'deploy' }),
    ]);
    expect(order).toEqual(['first', 'usual', 'late'].flatMap((name) => [`${name} begins`, `${name} ends`]));
  });

  it('survives a thrown value that throws when it is looked at', async () => {
    const { raise, reporter } = setup();
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const bad = handler('layer own', async () => {
      throw proxy;
    });
    await expect(raise([bad])).rejects.toMatchObject({ code: 'layer-failed' });
    await raise([{ ...bad, event: 'deploy_failed' }], 'deploy_failed');
    expect(reporter.events.at(-1)).toMatchObject({ type: 'notice', level: 'warning' });
  });

  it('that a user stopped by an answer says so by its code', async () => {
    const { raise } = setup();
    const no = async () => {
      throw new DeployError('not-confirmed', 'snapshot is not confirmed', { source: 'user', hint: 'Confirm it.' });
    };
    await expect(raise([handler('layer checklist', no)])).rejects.toMatchObject({
      code: 'not-confirmed',
      message: 'Layer checklist failed at pre_deploy: snapshot is not confirmed.',
      source: 'user',
      hint: 'Confirm it.',
    });
  });

  it('that leaves something running says where, and how to stop it', async () => {
    const { clock, reporter, stop } = setup();
    const left = {
      message: 'It may still run in the container shop-migrate-once on web-1.',
      hint: 'To stop it: ssh …',
    };
    const raised = raiseEvent(
      { clock, reporter },
      [handler('layer migrate', () => new Promise(() => {}), { timeoutMs: 2_000 })],
      payload('pre_deploy'),
      { ...verbs, leftRunning: () => left },
      stop.signal,
    );
    await expect(clock.run(raised)).rejects.toMatchObject({
      message: `Layer migrate failed at pre_deploy: it did not finish within 2 s. ${left.message}`,
      hint: left.hint,
    });
  });

  it('that was interrupted and leaves something running says so, because the end has no error', async () => {
    const { clock, reporter, stop } = setup();
    const left = { message: 'It may still run on web-1.', hint: 'To stop it: ssh …' };
    const task = raiseEvent(
      { clock, reporter },
      [handler('layer migrate', () => new Promise(() => {}))],
      payload('pre_deploy'),
      { ...verbs, leftRunning: () => left },
      stop.signal,
    );
    stop.abort();
    await expect(clock.run(task)).rejects.toMatchObject({ code: 'interrupted' });
    expect(reporter.of('notice').map(({ message }) => message)).toEqual([
      'It may still run on web-1. To stop it: ssh …',
    ]);
  });

  it('fails with the name of the handler and the event, and runs no further handler', async () => {
    const { raise } = setup();
    let ran = false;
    const handlers = [
      handler('layer migrate', async () => {
        throw new Error('exit code 3.');
      }),
      handler('next', async () => {
        ran = true;
      }),
    ];
    await expect(raise(handlers)).rejects.toMatchObject({
      code: 'layer-failed',
      message: 'Layer migrate failed at pre_deploy: exit code 3.',
    });
    expect(ran).toBe(false);
  });

  it('fails when a handler throws before it returns a promise, or throws no error', async () => {
    const { raise } = setup();
    const broken = handler('layer broken', () => {
      throw 'nonsense';
    });
    await expect(raise([broken])).rejects.toMatchObject({ message: 'Layer broken failed at pre_deploy: nonsense.' });
  });

  it('ends a handler at its timeout, and drops what it prints later', async () => {
    const { clock, reporter, raise } = setup();
    let aborted = false;
    const hanging = handler('layer slack', async (_, { signal, log }) => {
      signal.addEventListener('abort', () => {
        aborted = true;
      });
      log('waiting');
      await clock.sleep(60_000);
      log('too late');
    });
    const began = clock.now();
    await expect(raise([{ ...hanging, timeoutMs: 5_000 }])).rejects.toMatchObject({
      message: 'Layer slack failed at pre_deploy: it did not finish within 5 s.',
    });
    expect(clock.now() - began).toBeLessThan(6_000);
    expect(aborted).toBe(true);
    await clock.run(clock.sleep(60_000));
    expect(reporter.events.flatMap((event) => (event.type === 'layer-output' ? event.line : []))).toEqual(['waiting']);
  });

  it('waits for the end of a handler that needs time for it, and shows what it prints', async () => {
    const { clock, reporter, stop } = setup();
    const order: string[] = [];
    const cleaning: Handler['handle'] = async (_, { signal, log }) => {
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      await clock.sleep(2_000);
      log('cleaned');
      order.push('cleaned');
      throw new Error('exit code 1');
    };
    const began = clock.now();
    const handlers = [{ ...handler('hook deploy', cleaning), timeoutMs: 3_000, endMs: 5_000 }];
    const raised = raiseEvent({ clock, reporter }, handlers, payload('pre_deploy'), verbs, stop.signal);
    await expect(clock.run(raised)).rejects.toMatchObject({
      message: 'Hook deploy failed at pre_deploy: it did not finish within 3 s.',
    });
    expect(order).toEqual(['cleaned']);
    expect(reporter.of('layer-output').map(({ line }) => line)).toEqual(['cleaned']);
    expect(clock.now() - began).toBeLessThan(6_000);
  });

  it('does not wait for one that outlives its own end', async () => {
    const { clock, raise } = setup();
    const began = clock.now();
    const deaf = { ...handler('hook deploy', () => new Promise(() => {})), timeoutMs: 3_000, endMs: 5_000 };
    await expect(raise([deaf])).rejects.toThrow('it did not finish within 3 s');
    expect(clock.now() - began).toBe(10_000);
  });

  it('ends a handler when the run is stopped', async () => {
    const { clock, stop, raise } = setup();
    const hanging = handler('layer slack', async () => {
      void clock.sleep(1_000).then(() => stop.abort());
      await clock.sleep(20_000);
    });
    await expect(raise([hanging])).rejects.toMatchObject({ message: expect.stringContaining('it was stopped') });
  });

  it.each<LifecycleEvent>(['after_rejoin', 'deploy_succeeded', 'deploy_skipped', 'deploy_failed'])(
    'only warns at %s, and continues',
    async (event) => {
      const { reporter, raise } = setup();
      let ran = false;
      await raise(
        [
          handler('layer slack', () => Promise.reject(new Error('HTTP 500')), { event }),
          handler(
            'layer next',
            async () => {
              ran = true;
            },
            { event },
          ),
        ],
        event,
      );
      expect(ran).toBe(true);
      expect(reporter.events).toContainEqual(
        expect.objectContaining({
          type: 'notice',
          level: 'warning',
          message: `Layer slack failed at ${event}: HTTP 500.`,
        }),
      );
    },
  );

  it("keeps the code of do-deploy's own errors, such as a lost lease", async () => {
    const { raise } = setup();
    const lost = new DeployError('lease-lost', 'Another run has taken the lock.');
    await expect(raise([handler('layer migrate', () => Promise.reject(lost))])).rejects.toMatchObject({
      code: 'lease-lost',
      message: 'Layer migrate failed at pre_deploy: Another run has taken the lock.',
    });
  });

  it.each([
    [Object.create(null)],
    [Object.assign(new Error(), { message: 7 })],
    [
      {
        toString: () => {
          throw new Error();
        },
      },
    ],
  ])('names the layer whatever it throws', async (thrown) => {
    const { raise, reporter } = setup();
    const failing = [handler('layer odd', () => Promise.reject(thrown))];
    await expect(raise(failing)).rejects.toThrow(/^Layer odd failed at pre_deploy: /);
    await raise([{ ...failing[0], event: 'deploy_failed' } as Handler], 'deploy_failed');
    expect(reporter.of('notice').map(({ level }) => level)).toEqual(['warning']);
  });
});
