/** Services of one droplet that are switched one after the other: which of them first, and what happens if one fails. */
import { describe, expect, it } from 'vitest';
import { parseContainers } from '../../../src/deploy/droplet/containers-command.js';
import type { Member } from '../../../src/deploy/droplet/member.js';
import { replicasInOrder } from '../../../src/deploy/steps/replicas.js';
import type { StepContext } from '../../../src/deploy/steps/run.js';
import { switchRelease } from '../../../src/deploy/steps/switch-release.js';
import type { RemoteCommand } from '../../../src/ports.js';
import type { ContainerView } from '../../../src/rollout/health.js';
import { CollectingReporter } from '../../support/collecting-reporter.js';
import { oneContainer } from '../../support/one-container.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const NOW = 1_000_000_000;
const spec = (name: string) => ({ name, image: name, replicas: 1, stays: true, oneShot: false });
const [shown] = parseContainers(oneContainer(80)).containers;

function aContainer(service: string, more: Partial<ContainerView> = {}): ContainerView {
  if (shown === undefined) throw new Error('no container');
  return { ...shown, id: service, service, health: 'healthy', startedAt: 0, ...more };
}

describe('the order', () => {
  const replicas = { services: ['web', 'web2', 'web3'] };
  const release = { services: ['nginx', 'web', 'web2', 'web3'].map(spec) };
  const order = (...containers: ContainerView[]) =>
    replicasInOrder(release, replicas, containers, NOW).map(({ name }) => name);

  it('is that of the settings', () => {
    expect(order(aContainer('web3'), aContainer('web2'), aContainer('web'))).toEqual(['web', 'web2', 'web3']);
  });

  it('begins with those that do not serve', () => {
    expect(order(aContainer('web'), aContainer('web2', { health: 'unhealthy' }), aContainer('web3'))).toEqual([
      ...['web2', 'web', 'web3'],
    ]);
    expect(order(aContainer('web'), aContainer('web3'))).toEqual(['web2', 'web', 'web3']);
    expect(order(aContainer('web', { health: 'starting' }), aContainer('web2'), aContainer('web3'))[0]).toBe('web');
  });

  it('does not matter where none runs, or the release has only one of them', () => {
    expect(order(aContainer('nginx'))).toEqual([]);
    expect(order(aContainer('web', { state: 'exited' }))).toEqual([]);
    expect(replicasInOrder({ services: [spec('web')] }, replicas, [aContainer('web')], NOW)).toEqual([]);
  });
});

interface Story {
  /** Services whose new container is never healthy. */
  sick?: string[];
  /** The script of the release is one of an earlier version. */
  old?: boolean;
  /** It runs this release already. */
  same?: boolean;
}

/** What start-up.sh was told to do, in order, and how it ended. */
async function switched({ sick = [], old = false, same = false }: Story) {
  const clock = new VirtualClock({ start: NOW });
  const containers = new Map(['web', 'web2', 'nginx'].map((name) => [name, { id: `${name}-old`, at: 0, sick: false }]));
  const verbs: string[] = [];
  const reporter = new CollectingReporter();
  const replace = (names: readonly string[]) => {
    for (const name of names) {
      containers.set(name, { id: `${name}-${clock.now()}`, at: clock.now(), sick: sick.includes(name) });
    }
  };
  const run = async (command: RemoteCommand) => {
    if (command.name === 'switch') {
      const [, verb = ''] = /start-up\.sh (up.*?) 2>&1/.exec(command.script) ?? [];
      if (old && verb.includes('only')) return { code: 64, stdout: "unexpected argument 'only'", stderr: '' };
      verbs.push(verb);
      const { only } = command.args as { only?: string[] };
      if (only || old) replace(only ?? [...containers.keys()]);
      return { code: 0, stdout: '', stderr: '' };
    }
    const views = [...containers].map(([service, one]) => {
      const health = one.sick ? 'unhealthy' : 'healthy';
      return JSON.stringify([
        {
          Id: one.id,
          Image: 'sha256:2',
          RestartCount: 0,
          State: {
            ...{ Status: 'running', OOMKilled: false, ExitCode: 0, Error: '', Pid: 7 },
            StartedAt: new Date(one.at).toISOString(),
            Health: { Status: health, Log: [] },
          },
          Config: { Image: service, Labels: { 'com.docker.compose.service': service } },
          HostConfig: { RestartPolicy: { Name: 'no' }, NetworkMode: 'shop_default' },
          NetworkSettings: { Ports: {} },
        },
      ]).slice(1, -1);
    });
    return { code: 0, stdout: `now ${Math.floor(clock.now() / 1_000)}\n[${views.join(',')}]`, stderr: '' };
  };
  const survey = same ? { releases: [], current: 'v2', state: { release: 'v2', phase: 'verified' } } : { releases: [] };
  const member = {
    droplet: { id: 1 },
    host: { name: 'web-1' },
    connection: { run },
    containers: [],
    services: [],
    survey,
  };
  const replicas = { services: ['web', 'web2'], timeoutMs: 20_000 };
  const context = {
    ports: { clock, reporter },
    settings: { app: 'shop', rollout: { healthTimeoutMs: 60_000 }, target: { kind: 'droplet', id: 1, replicas } },
    release: {
      app: 'shop',
      id: 'v2',
      services: ['web', 'web2', 'nginx'].map(spec),
      images: {},
      composeFiles: [],
      envFiles: [],
    },
    id: 'run',
    progress: () => {},
  } as unknown as StepContext;
  const { failure } = await clock.run(switchRelease(member as unknown as Member, context));
  const said = reporter.events.flatMap((event) => (event.type === 'notice' ? [event.message] : []));
  return { verbs, failure, said, ms: clock.now() - NOW };
}

describe('a switch', () => {
  it('starts one replica after the other, and then the rest', async () => {
    const { verbs, failure, said, ms } = await switched({});
    expect(failure).toBeUndefined();
    expect(said).toEqual(['Replica web is healthy (1 of 2).', 'Replica web2 is healthy (2 of 2).']);
    expect(verbs).toEqual(['up only web', 'up only web2', 'up']);
    expect(ms, 'each has run for 3 s before the next is touched').toBeGreaterThanOrEqual(6_000);
  });

  it('never touches what comes after a replica that fails', async () => {
    const first = await switched({ sick: ['web'] });
    expect(first.failure).toMatchObject({ code: 'unhealthy' });
    expect(first.verbs).toEqual(['up only web']);
    const second = await switched({ sick: ['web2'] });
    expect(second.failure).toMatchObject({ code: 'unhealthy' });
    expect(second.verbs).toEqual(['up only web', 'up only web2']);
  });

  it('to the release that runs already recreates them one by one, never all at once', async () => {
    expect((await switched({ same: true })).verbs).toEqual([
      ...['up again only web', 'up again only web2', 'up again only nginx', 'up'],
    ]);
  });

  it('to a release of an earlier version, whose script knows no replicas, starts all together', async () => {
    const { verbs, failure } = await switched({ old: true });
    expect(failure).toBeUndefined();
    expect(verbs).toEqual(['up']);
  });
});
