import { expect, it } from 'vitest';
import { awaitStart } from '../../../src/deploy/droplet/await-start.js';
import { parseContainers } from '../../../src/deploy/droplet/containers-command.js';
import { type Member, NOTHING_KNOWN } from '../../../src/deploy/droplet/member.js';
import { oneContainer } from '../../support/one-container.js';
import { VirtualClock } from '../../support/virtual-clock.js';

/** At this time of the virtual clock, its container is started; it has a healthcheck that passes after `passesAfterMs`. */
function setup(passesAfterMs: number) {
  const clock = new VirtualClock();
  const begin = clock.now();
  let looks = 0;
  const seen = () => {
    const health = clock.now() - begin < passesAfterMs ? 'starting' : 'healthy';
    return oneContainer(80).replace('"Pid":7', `"Pid":7,"Health":{"Status":"${health}","Log":[]}`);
  };
  const first = parseContainers(seen());
  const run = async () => {
    looks += 1;
    return { code: 0, stdout: seen(), stderr: '' };
  };
  const member = {
    host: { name: 'web-1' },
    connection: { run },
    survey: { ...NOTHING_KNOWN, containers: first },
    containers: first.containers,
    services: [{ name: 'web', image: 'web', replicas: 1, stays: true, oneShot: false }],
  } as unknown as Member;
  const wait = async () => {
    await clock.run(awaitStart(member, clock, { app: 'shop', timeoutMs: 60_000 }));
    return { waitedMs: clock.now() - begin, health: member.containers[0]?.health, looks };
  };
  return wait;
}

it('waits until a healthcheck has passed', async () => {
  const { waitedMs, health } = await setup(4_000)();
  expect(health).toBe('healthy');
  expect(waitedMs).toBeGreaterThanOrEqual(4_000);
  expect(waitedMs).toBeLessThan(5_000);
});

it('gives up when its time is over', async () => {
  const { waitedMs, health, looks } = await setup(Number.POSITIVE_INFINITY)();
  expect(health).toBe('starting');
  expect(waitedMs).toBeGreaterThanOrEqual(60_000);
  expect(waitedMs).toBeLessThan(65_000);
  expect(looks).toBeLessThan(100);
});

it('does not wait for what is healthy', async () => {
  expect(await setup(0)()).toEqual({ waitedMs: 0, health: 'healthy', looks: 0 });
});
