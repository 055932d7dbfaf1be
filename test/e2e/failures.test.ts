import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fleet } from './lab/fleet.js';

describe('a release that does not work', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await Fleet.start({ droplets: 2 });
    await fleet.deployFirst('v1');
    for (const machine of fleet.machines) {
      await machine.must(`docker exec shop-app-1 sh -c 'echo photo of ${machine.name} >/app/uploads/photo'`);
    }
  });
  afterAll(() => fleet.stop());

  it.each([
    {
      release: 'broken',
      is: 'never healthy',
      tells: /unhealthy|wget: server returned error: HTTP\/1\.[01] 404/,
      logs: 'database',
    },
    {
      release: 'crash',
      is: 'a crash loop',
      tells: /restarting|exited 3/,
      logs: 'fatal: /app/settings.json: no such file',
    },
    { release: 'oom', is: 'out of memory', tells: /out of memory/, logs: undefined },
    { release: 'exits', is: 'one that ends at once', tells: /exited 0|restarting/, logs: 'nothing to do, good bye' },
  ])(
    '($is) is taken back on the first droplet, with the cause, and reaches no other',
    async ({ release, tells, logs }) => {
      fleet.balancer.watchServing();
      const load = fleet.load();
      const end = await fleet.deploy(release);
      const report = await load.stop();

      expect(report).toMatchObject({ failed: 0, failures: [] });
      expect(end).toMatchObject({ code: 1, result: { outcome: 'failed' } });
      const evidence = end.result?.evidence?.[0]?.evidence;
      expect(evidence?.cause).toMatch(tells);
      expect(end.result?.error?.message).toMatch(tells);
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

  it('(no such image) is found out before anything leaves rotation', async () => {
    fleet.balancer.watchServing();
    const load = fleet.load();
    const end = await fleet.deploy('v99');

    expect(await load.stop()).toMatchObject({ failed: 0, failures: [] });
    expect(end).toMatchObject({ code: 1, result: { outcome: 'failed', error: { code: 'pull-failed' } } });
    expect(end.events.filter((event) => event.type === 'step-started' && event.step === 'leave')).toEqual([]);
    expect(fleet.balancer.fewestServing).toBe(2);
    expect(await fleet.rotation()).toEqual(fleet.whole);
  });

  it('(a migration that fails) is taken back, and one that works runs once', async () => {
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

describe('a release that would not fail by itself', () => {
  let fleet: Fleet;
  const extra = 'compose/docker-compose.extra.yml';
  beforeAll(async () => {
    fleet = await Fleet.start({ droplets: 2 });
    await fleet.deployFirst('v1');
    await fleet.project.configure({
      compose: ['compose/docker-compose.yml', 'compose/docker-compose.production.yml', extra],
      rollout: { health: { timeout: '10s' } },
    });
  });
  afterAll(() => fleet.stop());

  it.each([
    {
      is: 'a migration that never ends, for which compose waits',
      compose: MIGRATION.replace('[/migrate]', "[sleep, '3600']"),
      code: 'health-timeout',
    },
    {
      is: 'one that answers on the droplet itself, and not where the balancer asks',
      compose: "services:\n  nginx:\n    ports: !override ['127.0.0.1:80:80']\n",
      code: 'balancer-check-failed',
    },
  ])('($is) is taken back', async ({ compose, code }) => {
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

const MIGRATION = `services:
  migrate:
    image: \${APP_IMAGE}:\${IMAGE_TAG}
    entrypoint: [/migrate]
    volumes: ['uploads:/app/uploads']
  app:
    depends_on:
      migrate: { condition: service_completed_successfully }
`;
