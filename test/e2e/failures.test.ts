import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { someOf } from '../support/some-of.js';
import { Fleet } from './lab/fleet.js';

/** Two droplets on v1, which all tests share. */
let fleet: Fleet;
beforeAll(async () => {
  fleet = await Fleet.start({ droplets: 2 });
  await fleet.deployFirst('v1');
  for (const machine of fleet.machines) {
    await machine.must(`docker exec shop-app-1 sh -c 'echo photo of ${machine.name} >/app/uploads/photo'`);
  }
});
afterAll(() => fleet.stop());

describe('a broken release', () => {
  it.each(
    someOf([
      {
        release: 'broken',
        is: 'it is never healthy',
        message: /unhealthy|wget: server returned error: HTTP\/1\.[01] 404/,
        logs: 'database',
      },
      {
        release: 'crash',
        is: 'it crashes in a loop',
        message: /restarting|exited 3/,
        logs: 'fatal: /app/settings.json: no such file',
      },
      { release: 'oom', is: 'it runs out of memory', message: /out of memory|exited 137/, logs: undefined },
      { release: 'exits', is: 'it exits immediately', message: /exited 0|restarting/, logs: 'nothing to do, good bye' },
    ]),
  )(
    'is reverted on the first droplet, with the cause, and reaches no other ($is)',
    async ({ release, message, logs }) => {
      fleet.balancer.watchServing();
      const load = fleet.load();
      const end = await fleet.deploy(release);
      const report = await load.stop();

      expect(report).toMatchObject({ failed: 0, failures: [] });
      expect(end).toMatchObject({ code: 1, result: { outcome: 'failed' } });
      const evidence = end.result?.evidence?.[0]?.evidence;
      expect(evidence?.cause).toMatch(message);
      expect(end.result?.error?.message).toMatch(message);
      if (logs) expect(evidence?.containers.flatMap(({ log }) => log ?? []).join('\n')).toContain(logs);
      expect(end.result?.rows.map(({ outcome }) => outcome)).toEqual(['reverted', 'not deployed']);
      expect(fleet.balancer.fewestServing).toBe(1);
      expect(await fleet.versions()).toEqual(fleet.all('v1'));
      expect(await fleet.rotation()).toEqual(fleet.whole);
      for (const machine of fleet.machines) {
        const page = await fetch(`http://${machine.privateAddress}/uploads`);
        expect(await page.text(), 'the named volume').toBe(`photo of ${machine.name}\n`);
      }
    },
  );

  it('is refused before anything leaves rotation if an image does not exist', async () => {
    fleet.balancer.watchServing();
    const load = fleet.load();
    const end = await fleet.deploy('v99');

    expect(await load.stop()).toMatchObject({ failed: 0, failures: [] });
    expect(end).toMatchObject({ code: 1, result: { outcome: 'failed', error: { code: 'pull-failed' } } });
    expect(end.events.filter((event) => event.type === 'step-started' && event.step === 'leave')).toEqual([]);
    expect(fleet.balancer.fewestServing).toBe(2);
    expect(await fleet.rotation()).toEqual(fleet.whole);
  });
});

describe('a release that would never fail by itself', () => {
  const extra = 'compose/docker-compose.extra.yml';
  beforeAll(() =>
    fleet.project.configure({
      compose: ['compose/docker-compose.yml', 'compose/docker-compose.production.yml', extra],
      rollout: { health: { timeout: '10s' } },
    }),
  );
  afterAll(() => fleet.project.configure({}));

  it.each(
    someOf([
      {
        is: 'compose waits for a migration that never ends',
        compose: MIGRATION.replace('[/migrate]', "[sleep, '3600']"),
        code: 'health-timeout',
      },
      {
        is: 'it answers only on the droplet itself, not to the balancer',
        compose: "services:\n  nginx:\n    ports: !override ['127.0.0.1:80:80']\n",
        code: 'balancer-check-failed',
      },
    ]),
  )('is reverted ($is)', async ({ compose, code }) => {
    await fleet.project.write(extra, compose);
    fleet.balancer.watchServing();
    const load = fleet.load();
    const end = await fleet.deploy('v2');

    expect(await load.stop()).toMatchObject({ failed: 0, failures: [] });
    expect(end).toMatchObject({ code: 1, result: { outcome: 'failed', error: { code } } });
    expect(end.result?.rows.map(({ outcome }) => outcome)).toEqual(['reverted', 'not deployed']);
    expect(fleet.balancer.fewestServing).toBe(1);
    expect(await fleet.versions()).toEqual(fleet.all('v1'));
    expect(await fleet.rotation()).toEqual(fleet.whole);
    for (const machine of fleet.machines) {
      expect((await machine.must("docker ps -a --format '{{.Names}}'")).trim().split('\n').sort()).toEqual([
        'shop-app-1',
        'shop-nginx-1',
      ]);
    }
  });
});

describe('a release with a migration', () => {
  it('is reverted if its migration fails; a working migration runs once', async () => {
    const base = 'compose/docker-compose.migrating.yml';
    await fleet.project.write(base, MIGRATION);
    await fleet.project.configure({
      compose: ['compose/docker-compose.yml', 'compose/docker-compose.production.yml', base],
    });
    const load = fleet.load();
    const bad = await fleet.deploy('bad-migration');
    expect(bad).toMatchObject({ code: 1, result: { outcome: 'failed' } });
    expect(bad.result?.evidence?.[0]?.evidence.cause).toMatch(/migrate exited 4/);
    expect(await fleet.versions()).toEqual(fleet.all('v1'));
    expect(await fleet.rotation()).toEqual(fleet.whole);

    const good = await fleet.deploy('v2');
    expect(await load.stop()).toMatchObject({ failed: 0, failures: [] });
    expect(good).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(await fleet.versions()).toEqual(fleet.all('v2'));
    for (const machine of fleet.machines) {
      expect(await machine.must('docker exec shop-app-1 cat /app/uploads/migrations')).toBe('migrated to v2\n');
    }
  });
});

const MIGRATION = `services:
  migrate:
    image: \${APP_IMAGE}:\${IMAGE_TAG}
    entrypoint: [/migrate]
    volumes: ['uploads:/app/uploads']
  app:
    depends_on:
      migrate: { condition: service_completed_successfully }
`;
