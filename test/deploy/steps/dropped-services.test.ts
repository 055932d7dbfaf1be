/** Services whose profiles the release no longer turns on: compose would leave their containers as they are. */
import { expect, it } from 'vitest';
import type { Member } from '../../../src/deploy/droplet/member.js';
import type { StoredRelease } from '../../../src/deploy/release/stored-release.js';
import type { StepContext } from '../../../src/deploy/steps/run.js';
import { switchRelease } from '../../../src/deploy/steps/switch-release.js';
import type { RemoteCommand } from '../../../src/ports.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const release = (id: string, names: readonly string[], profiles?: string[]) =>
  ({
    ...{ app: 'shop', id, profiles, images: {}, composeFiles: [], envFiles: [] },
    services: names.map((name) => ({ name, image: name, replicas: 1, stays: true, oneShot: false })),
  }) as unknown as StoredRelease;

/** What the switch removes before it starts the release; undefined: nothing. */
async function dropped(held: StoredRelease[], running: readonly string[], next: StoredRelease): Promise<unknown> {
  const clock = new VirtualClock({ start: 0 });
  let switched: RemoteCommand | undefined;
  const run = async (command: RemoteCommand) => {
    if (command.name === 'switch') switched = command;
    return { code: 0, stdout: 'now 0\n[]', stderr: '' };
  };
  const containers = running.map((service) => ({ id: service, service }));
  const member = {
    ...{ droplet: { id: 1 }, host: { name: 'web-1' }, connection: { run }, services: [], survey: { releases: held } },
    get containers() {
      return containers;
    },
    set containers(_) {},
  } as unknown as Member;
  const settings = { app: 'shop', rollout: { healthTimeoutMs: 1_000 }, target: { kind: 'tag', tag: 'web' } };
  const context = { ports: { clock }, settings, release: next, id: 'run', progress: () => {} };
  await clock.run(switchRelease(member, context as unknown as StepContext));
  const { dropped } = (switched?.args ?? {}) as { dropped?: unknown };
  const lines = switched?.script.split('\n').filter((line) => line.includes('docker rm')) ?? [];
  expect(lines.map((line) => /service=(\w+)/.exec(line)?.[1])).toEqual(dropped ?? []);
  return dropped;
}

it('are removed before the release starts, if an earlier release brought them', async () => {
  const before = release('v1', ['app', 'worker', 'cron'], ['worker']);
  expect(await dropped([before], ['app', 'worker', 'cron'], release('v2', ['app', 'cron']))).toEqual(['worker']);
  expect(await dropped([before], ['app', 'worker'], release('v2', ['app', 'worker'], ['worker']))).toBeUndefined();
  expect(await dropped([before], ['app'], release('v2', ['app']))).toBeUndefined();
});

it('stay where no release of ours turned a profile on: somebody has started them by hand', async () => {
  const before = release('v1', ['app'], ['worker']);
  expect(await dropped([before], ['app', 'debug'], release('v2', ['app']))).toBeUndefined();
  expect(await dropped([release('v1', ['app', 'old'])], ['app', 'old'], release('v2', ['app']))).toBeUndefined();
});
