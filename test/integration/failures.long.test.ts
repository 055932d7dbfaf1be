/** A release that fails on a droplet fails no request and leaves the fleet as `on_failure` says. */
import { beforeAll, describe, expect, it } from 'vitest';
import { SHOP } from '../../src/sandbox/docker/images/example-registry.js';
import { shopImage } from '../../src/sandbox/docker/images/shop.js';
import { dividedFleet } from './divided-fleet.js';

const divided = dividedFleet({
  broken: {},
  crash: {},
  oom: {},
  exits: {},
  // It is unhealthy before the balancer has seen it healthy twice.
  flaky: { checkEverySeconds: 2 },
  halt: { settings: { rollout: { on_failure: 'stop' } } },
  'whole-fleet': { settings: { rollout: { on_failure: 'revert-fleet' } } },
  new: { fresh: true },
});
beforeAll(async () => {
  divided.fleet.region.registry.push(SHOP, 'second-is-sick', sickFromSecondOn());
});

describe('a release that', () => {
  it.concurrent.each([
    [
      'broken',
      'never becomes healthy',
      /^Service app is unhealthy: wget: server returned error: HTTP\/1\.1 503 Service Unavailable\.$/,
    ],
    ['crash', 'crashes again and again', /^Service app exited 1: Error: cannot reach the database\.$/],
    ['oom', 'runs out of memory', /^Service app ran out of memory and was killed \(exit code 137\)\.$/],
    ['exits', 'ends at once', /^Service app exited 3: Error: SECRET_KEY has the wrong length\.$/],
  ])('is %s (%s) is taken back from the droplet in hand', async (release, _, message) => {
    const part = divided.part(release);
    const [first, second] = part.droplets;
    const [, untouched] = part.state();
    const { end, report } = await part.underLoad(() => part.deploy(release));

    expect(end).toMatchObject({ code: 1, result: { outcome: 'failed', summary: 'All 2 droplets are in rotation.' } });
    expect(end.result?.error).toEqual({
      code: 'start-failed',
      message: expect.stringMatching(message),
      source: 'external',
      hint: expect.stringMatching(
        release === 'oom' ? /^Raise mem_limit / : /^Fix the image or its settings, then deploy again\.$/,
      ),
      droplet: first?.name,
      step: 'switch',
    });
    expect(end.result?.rows.map(({ name, outcome, rotation, health }) => [name, outcome, rotation, health])).toEqual([
      [first?.name, 'reverted', 'in', 'healthy'],
      [second?.name, 'not deployed', 'in', 'healthy'],
    ]);
    expect(end.result?.evidence).toMatchObject([
      { droplet: first?.name, evidence: { containers: [{ service: 'app' }] } },
    ]);
    expect(part.summary()).toEqual(['in v1', 'in v1']);
    expect(part.state()[1], 'the other droplet was left alone').toEqual(untouched);
    expect(report).toMatchObject({ failed: 0, failures: [], byVersion: { v1: report.total } });
  });

  it.concurrent('is healthy at first (flaky) does not pass the settle step', async () => {
    const part = divided.part('flaky');
    const { end, report } = await part.underLoad(() => part.deploy('flaky'));
    expect(end).toMatchObject({ code: 1, result: { outcome: 'failed', error: { droplet: part.droplets[0]?.name } } });
    expect(['unhealthy', 'balancer-check-failed']).toContain(end.result?.error?.code);
    expect(end.result?.rows.map(({ outcome, rotation }) => [outcome, rotation])).toEqual([
      ['reverted', 'in'],
      ['not deployed', 'in'],
    ]);
    expect(part.summary()).toEqual(['in v1', 'in v1']);
    // It was in rotation when it became unhealthy: its answers until the balancer noticed do not count.
    expect(report.failures.filter(({ reason }) => reason !== 'HTTP 503')).toEqual([]);
  });
});

it.concurrent('on_failure: stop leaves the droplet out and in the ledger until heal restores it', async () => {
  const part = divided.part('halt');
  const [first] = part.droplets;
  const { report } = await part.underLoad(async () => {
    const end = await part.deploy('broken');
    expect(end).toMatchObject({ code: 1, result: { outcome: 'failed', next: 'do-deploy heal halt' } });
    expect(end.result?.rows.map(({ outcome, rotation }) => [outcome, rotation])).toEqual([
      ['deploy failed', 'out'],
      ['not deployed', 'in'],
    ]);
    expect(part.summary()).toEqual(['out broken do-deploy:out:shop:halt', 'in v1']);

    const status = await part.run(['status', 'halt']);
    expect(status).toMatchObject({ code: 0, stderr: '' });
    expect(status.stdout).toMatch(
      new RegExp(`^${first?.name} +203\\.0\\.113\\.\\d+ +out +\\S+-v1 +app is unhealthy`, 'm'),
    );
    expect(status.stdout).toMatch(
      new RegExp(
        `^ {2}${first?.name}: out since \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d UTC by a deploy of broken \\(\\S+@\\S+\\)$`,
        'm',
      ),
    );

    expect(await part.run(['heal', 'halt', '--json'])).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(part.summary()).toEqual(['in v1', 'in v1']);
    await part.serves();
  });
  expect(report).toMatchObject({ failed: 0, failures: [] });
});

it.concurrent('on_failure: revert-fleet also reverts the droplets that were done', async () => {
  const part = divided.part('whole-fleet');
  const { end, report } = await part.underLoad(() => part.deploy('second-is-sick'));
  expect(end).toMatchObject({ code: 1, result: { outcome: 'failed', error: { droplet: part.droplets[1]?.name } } });
  expect(end.result?.rows.map(({ outcome, rotation, health }) => [outcome, rotation, health])).toEqual([
    ['reverted', 'in', 'healthy'],
    ['reverted', 'in', 'healthy'],
  ]);
  expect(part.summary()).toEqual(['in v1', 'in v1']);
  expect(report).toMatchObject({ failed: 0, failures: [] });
  expect(part.balancer.fewestServing).toBe(1);
});

it.concurrent('a failed first deploy has nothing to revert to: the droplet stays out, and the next deploy fixes it', async () => {
  const part = divided.part('new');
  const failed = await part.deploy('broken');
  expect(failed).toMatchObject({ code: 1, result: { outcome: 'failed', error: { code: 'start-failed' } } });
  expect(failed.result?.rows.map(({ outcome, rotation }) => [outcome, rotation])).toEqual([
    ['deploy failed', 'out'],
    ['not deployed', 'in'],
  ]);
  expect(part.summary()).toEqual(['out broken do-deploy:out:shop:new', 'in nothing']);

  expect(await part.deploy('v1')).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
  expect(part.summary()).toEqual(['in v1', 'in v1']);
});

/** Healthy in its first container, broken in all others: like a release that fails on some droplets only. */
function sickFromSecondOn() {
  const image = shopImage('second-is-sick');
  const sick = shopImage('second-is-sick', () => false);
  let starts = 0;
  return {
    ...image,
    program: (container: Parameters<typeof image.program>[0]) => {
      starts += 1;
      return (starts < 2 ? image : sick).program(container);
    },
  };
}
