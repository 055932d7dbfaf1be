/** Pauses and the bake: what is watched then, how they end, and what a failure in them leaves. */
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { parse, stringify } from 'yaml';
import type { DeployEvent } from '../../src/rollout/model.js';
import { SHOP } from '../../src/sandbox/docker/images/example-registry.js';
import { shopImage } from '../../src/sandbox/docker/images/shop.js';
import { dividedFleet } from './divided-fleet.js';

/** Says no as soon as its file is there. */
function gate(name: string) {
  const command = `test ! -e ${name}.bad && exit; echo "$DO_DEPLOY_GATE of $DO_DEPLOY_IMAGE_TAG: 3.1% errors"; exit 7`;
  return { name: 'errors', command, every: '200ms', fail_after: 2 };
}

const BAKING = { pause: '1s', bake: '2s' };

const divided = dividedFleet({
  calm: { settings: { rollout: BAKING } },
  sick: { settings: { rollout: { ...BAKING, bake: '5m' } } },
  'sick-fleet': { settings: { rollout: { ...BAKING, bake: '5m', on_failure: 'revert-fleet' } } },
  'sick-pause': { settings: { rollout: { ...BAKING, pause: '5m', on_failure: 'stop' } } },
  'cut-pause': { settings: { rollout: { pause: '5m' } } },
  'gate-pause': { settings: { rollout: { pause: '5m', gates: [gate('gate-pause')] } } },
  'gate-bake': { settings: { rollout: { bake: '5m', on_failure: 'revert-fleet', gates: [gate('gate-bake')] } } },
  probe: {},
  refused: {},
  'wrong-check': {},
  'no-probe': { settings: { rollout: { probe: false } } },
  'cut-bake': { settings: { rollout: { bake: '5m' } } },
});

/** By environment: whether its release is fit to serve. */
const unfit = new Set<string>();

beforeAll(() => {
  for (const name of ['sick', 'sick-fleet', 'sick-pause']) {
    divided.fleet.region.registry.push(
      SHOP,
      name,
      shopImage(name, () => !unfit.has(name)),
    );
  }
});

const isRest = (rest: 'pause' | 'bake') => (event: DeployEvent) => event.type === 'rest-started' && event.rest === rest;

/** Deploys, and acts once the rest has begun. */
async function during(name: string, release: string, rest: 'pause' | 'bake', act: (kill: () => void) => void) {
  const part = divided.part(name);
  const running = part.startDeploy(release);
  running.onEvent((event) => {
    if (isRest(rest)(event)) act(() => running.child.kill('SIGINT'));
  });
  return { part, end: await running.ended };
}

it.concurrent('a rollout pauses between its batches and bakes after the last one, for as long as it is told', async () => {
  const part = divided.part('calm');
  const { end, report } = await part.underLoad(() => part.deploy('v2'));
  expect(end).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
  const rests = end.events.flatMap((event) => (event.type === 'rest-finished' ? [event] : []));
  expect(rests.map(({ rest }) => rest)).toEqual(['pause', 'bake']);
  expect(rests[0]?.ms).toBeGreaterThanOrEqual(1_000);
  expect(rests[1]?.ms).toBeGreaterThanOrEqual(2_000);
  expect(report).toMatchObject({ failed: 0, failures: [] });
});

describe('a droplet that falls sick', () => {
  it.concurrent('in the bake is reverted', async () => {
    const { part, end } = await during('sick', 'sick', 'bake', () => unfit.add('sick'));
    expect(end).toMatchObject({ code: 1, result: { outcome: 'failed' } });
    expect(['unhealthy', 'balancer-check-failed']).toContain(end.result?.error?.code);
    expect(end.events.filter(({ type }) => type === 'watch-failed')).toHaveLength(1);
    expect(end.result?.evidence).toHaveLength(1);
    // The first that was found sick: both run the release.
    expect(part.summary().filter((one) => one === 'in v1')).toHaveLength(1);
  });

  it.concurrent('in the bake takes the fleet back under revert-fleet', async () => {
    const { part, end } = await during('sick-fleet', 'sick-fleet', 'bake', () => unfit.add('sick-fleet'));
    expect(end).toMatchObject({ code: 1, result: { outcome: 'failed' } });
    expect(end.result?.rows.map(({ outcome, rotation }) => [outcome, rotation])).toEqual([
      ['reverted', 'in'],
      ['reverted', 'in'],
    ]);
    expect(part.summary()).toEqual(['in v1', 'in v1']);
  });

  it.concurrent('in a pause leaves rotation under stop, recorded, and no batch follows', async () => {
    const { part, end } = await during('sick-pause', 'sick-pause', 'pause', () => unfit.add('sick-pause'));
    expect(end).toMatchObject({ code: 1, result: { outcome: 'failed', next: 'do-deploy heal sick-pause' } });
    expect(part.summary()).toEqual(['out sick-pause do-deploy:out:shop:sick-pause', 'in v1']);
  });
});

describe('a gate that fails', () => {
  const turnBad = (name: string) => writeFileSync(join(divided.fleet.folder, `${name}.bad`), '');

  it.concurrent('in a pause takes back the batch before, and no other begins', async () => {
    const { part, end } = await during('gate-pause', 'v2', 'pause', () => turnBad('gate-pause'));
    expect(end).toMatchObject({ code: 1, result: { outcome: 'failed' } });
    expect(end.result?.error).toMatchObject({
      code: 'gate-failed',
      message: 'Gate errors failed 2 times in a row: exit code 7: errors of v2: 3.1% errors.',
    });
    expect(end.result?.rows.map(({ outcome }) => outcome)).toEqual(['reverted', 'not deployed']);
    expect(part.summary()).toEqual(['in v1', 'in v1']);
  });

  it.concurrent('in the bake takes back the fleet under revert-fleet, and no request fails', async () => {
    const part = divided.part('gate-bake');
    const { end, report } = await part.underLoad(async () => {
      return (await during('gate-bake', 'v2', 'bake', () => turnBad('gate-bake'))).end;
    });
    expect(end).toMatchObject({ code: 1, result: { outcome: 'failed', error: { code: 'gate-failed' } } });
    expect(end.result?.rows.map(({ outcome }) => outcome)).toEqual(['reverted', 'reverted']);
    expect(part.summary()).toEqual(['in v1', 'in v1']);
    expect(report).toMatchObject({ failed: 0, failures: [] });
    expect(part.balancer.fewestServing).toBe(1);
  });
});

/** An address of this machine: what it answers can be changed. */
async function anAddress() {
  const answer = { status: 200 };
  const server = createServer((_request, response) => response.writeHead(answer.status).end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return { answer, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

/** The project's settings with another `rollout`, in a file of their own. */
function withRollout(name: string, rollout: object): string {
  const file = join(divided.fleet.folder, `config/${name}.yml`);
  const settings = parse(readFileSync(join(divided.fleet.folder, 'config/deploy.yml'), 'utf8')) as object;
  writeFileSync(file, stringify({ ...settings, rollout }));
  return file;
}

it('a probe that fails more often than it may stops the rollout, and the droplet in hand goes back', async () => {
  const part = divided.part('probe');
  const { answer, url } = await anAddress();
  const file = withRollout('probe', { bake: '5m', probe: { url, interval: '200ms', max_failures: 3 } });
  const { end, report } = await part.underLoad(async () => {
    const running = part.startDeploy('v2', ['--config', file]);
    running.onEvent(({ type }) => {
      if (type === 'batch-started') answer.status = 503;
    });
    return await running.ended;
  });
  expect(end).toMatchObject({ code: 1, result: { outcome: 'failed', error: { code: 'probe-failed' } } });
  expect(end.result?.error?.message).toMatch(
    /^4 of \d+ requests to .* failed, and rollout.probe.max_failures allows 3\./,
  );
  expect(end.result?.probes?.failed).toBeGreaterThan(3);
  expect(part.summary()).toEqual(['in v1', 'in v1']);
  expect(report).toMatchObject({ failed: 0, failures: [] });
});

describe('before anything changes', () => {
  const isUntouched = (events: readonly DeployEvent[]) => !events.some(({ type }) => type === 'batch-started');

  it.each([
    ['a gate that says no', 'gate-failed', { gates: [{ name: 'errors', command: 'echo 3.1% errors; exit 7' }] }],
    ['a gate that cannot be run', 'gate-unusable', { gates: [{ name: 'errors', command: 'no-such-command' }] }],
    ['a probe that nobody answers', 'probe-unanswered', { probe: { url: 'http://127.0.0.1:9/', interval: '100ms' } }],
    ['a wrong rollout.health.http', 'app-check-wrong', { health: { http: { port: 9, path: '/healthz' } } }],
  ])('%s is refused', async (_, code, rollout) => {
    const part = divided.part('refused');
    const end = await part.deploy('v2', ['--config', withRollout(`refused-${code}`, rollout)]);
    expect(end).toMatchObject({ code: 2, result: { outcome: 'failed', error: { code, source: 'user' } } });
    expect(isUntouched(end.events)).toBe(true);
    expect(part.summary()).toEqual(['in v1', 'in v1']);
  });
});

it('a wrong rollout.health.http that is insisted on fails the deploy, and strands no droplet', async () => {
  const part = divided.part('wrong-check');
  const file = withRollout('wrong-check', { health: { timeout: '3s', http: { port: 9, interval: '200ms' } } });
  const { end, report } = await part.underLoad(() => part.deploy('v2', ['--config', file, '--skip-first-check']));
  expect(end).toMatchObject({ code: 1, result: { outcome: 'failed', error: { code: 'app-check-failed' } } });
  expect(end.result?.rows.map(({ outcome, rotation }) => [outcome, rotation])).toEqual([
    ['reverted', 'in'],
    ['not deployed', 'in'],
  ]);
  expect(part.summary()).toEqual(['in v1', 'in v1']);
  expect(report).toMatchObject({ failed: 0, failures: [] });
});

it.concurrent('`probe: false` probes nothing and says nothing of it', async () => {
  const end = await divided.part('no-probe').deploy('v2');
  expect(end).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
  expect(end.result?.probes).toBeUndefined();
  const notices = end.events.flatMap((event) => (event.type === 'notice' ? [event.message] : []));
  expect(notices.filter((message) => message.includes('probe'))).toEqual([]);
});

describe('Ctrl-C', () => {
  it.concurrent('ends a pause at once: the rollout stops before the next batch', async () => {
    const { part, end } = await during('cut-pause', 'v2', 'pause', (kill) => kill());
    expect(end).toMatchObject({ code: 130, result: { outcome: 'interrupted' } });
    expect(end.result?.ways?.forward).toBe('do-deploy cut-pause v2');
    expect(part.summary()).toEqual(['in v2', 'in v1']);
    expect(end.result?.durationMs).toBeLessThan(120_000);
  });

  it.concurrent('ends a bake at once: every droplet runs the release, and the run says that it was not waited for', async () => {
    const { part, end } = await during('cut-bake', 'v2', 'bake', (kill) => kill());
    expect(end).toMatchObject({
      code: 130,
      result: {
        outcome: 'interrupted',
        summary: 'All 2 droplets are in rotation. Every droplet runs the release, but the bake was not waited for.',
        next: 'do-deploy cut-bake v2',
      },
    });
    expect(part.summary()).toEqual(['in v2', 'in v2']);
    // The next deploy of the release makes up for it.
    const again = part.startDeploy('v2');
    again.onEvent((event) => {
      if (isRest('bake')(event)) again.child.kill('SIGINT');
    });
    const { code, events } = await again.ended;
    expect(code).toBe(130);
    expect(events.filter(({ type }) => type === 'batch-started')).toEqual([]);
  });
});
