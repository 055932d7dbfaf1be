/** Migrations and workers as layers, with real Docker. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DeployEvent } from '../../src/rollout/model.js';
import { Fleet } from './lab/fleet.js';

const NO_FAILURE = { failed: 0, failures: [] };
const DEPLOYED = { code: 0, result: { outcome: 'succeeded' } };
const EXTRA = 'compose/docker-compose.extra.yml';

/**
 * The app runs what a one-off container is given; the worker writes down what it is told. It waits in a way that a signal
 * interrupts: of two that come while a command runs, a shell handles the one with the lower number first.
 */
const SERVICES = `services:
  app:
    entrypoint: [/bin/sh, -c, 'exec "$$0" "$$@"']
    command: [/entrypoint]
  worker:
    image: \${APP_IMAGE}:\${IMAGE_TAG}
    volumes: ['uploads:/app/uploads']
    stop_grace_period: 60s
    entrypoint:
      - /bin/sh
      - -c
      - |
        trap 'echo "quiet $$VERSION" >>/app/uploads/worker' TSTP
        trap 'echo "stops $$VERSION" >>/app/uploads/worker; exit 0' TERM
        while :; do usleep 100000 & wait $$!; done
`;

/** Only run in one-off containers. */
const TOOL = `  tool:
    image: \${APP_IMAGE}:\${IMAGE_TAG}
    profiles: [tools]
    volumes: ['uploads:/app/uploads']
    entrypoint: [/bin/sh, -c, 'exec "$$0" "$$@"']
`;

const compose = ['compose/docker-compose.yml', 'compose/docker-compose.production.yml', EXTRA];

describe('layers on real droplets', { shuffle: false }, () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await Fleet.start({ droplets: 2 });
    await fleet.project.write(EXTRA, SERVICES);
    await fleet.project.configure({ compose });
    await fleet.deployFirst('v1');
    await fleet.project.configure({
      compose,
      layers: {
        migrate: { service: 'app', command: '/migrate' },
        workers: { services: ['worker'], quiet: 'TSTP', stop_timeout: '20s' },
      },
    });
  });
  afterAll(() => fleet.stop());

  /** A file of the volume, by droplet; '' where it does not exist. */
  const uploaded = (name: string) =>
    Promise.all(
      fleet.machines.map((machine) =>
        machine.must(`docker exec shop-app-1 sh -c 'cat /app/uploads/${name} 2>/dev/null || :'`),
      ),
    );
  const migrated = (event: DeployEvent) =>
    event.type === 'layer-finished' && event.name === 'layer migrate' && event.event === 'deploy';

  it('migrate once, on one droplet; workers get no new jobs, and end before their droplet is changed', async () => {
    const load = fleet.load();
    const end = await fleet.deploy('v2');
    expect(end).toMatchObject(DEPLOYED);
    expect(await load.stop()).toMatchObject(NO_FAILURE);
    expect(await uploaded('migrations')).toEqual(['migrated to v2\n', '']);
    expect(await uploaded('worker')).toEqual(['quiet v1\nstops v1\n', 'quiet v1\nstops v1\n']);
    const order = end.events.flatMap((event) => {
      if (migrated(event)) return 'migrated';
      return event.type === 'step-started' && (event.step === 'leave' || event.step === 'pull') ? event.step : [];
    });
    expect(order).toEqual(['pull', 'pull', 'migrated', 'leave', 'leave']);
    for (const machine of fleet.machines) {
      expect(await machine.must("docker inspect --format '{{.State.Status}}' shop-worker-1")).toBe('running\n');
      expect(await machine.must('docker ps -aq --filter label=com.docker.compose.oneoff=True')).toBe('');
    }
  });

  it('do not migrate again after a crash', async () => {
    const killed = fleet.startDeploy('v3');
    await killed.event(migrated);
    killed.child.kill('SIGKILL');
    await killed.ended;
    expect(await fleet.versions()).toEqual(fleet.all('v2'));
    expect(await fleet.deploy('v3', '--wait-lock', '1m')).toMatchObject(DEPLOYED);
    expect(await uploaded('migrations')).toEqual(['migrated to v2\nmigrated to v3\n', '']);
    expect(await fleet.rotation()).toEqual(fleet.whole);
  });

  it('end a deploy whose migration fails, with nothing changed in rotation', async () => {
    fleet.balancer.watchServing();
    const load = fleet.load();
    const end = await fleet.deploy('bad-migration');
    expect(await load.stop()).toMatchObject(NO_FAILURE);
    expect(end).toMatchObject({ code: 1, result: { outcome: 'failed', error: { code: 'layer-failed' } } });
    expect(end.result?.error?.message).toBe(
      'Layer migrate failed at deploy: /migrate ended with exit code 4: migration 7 failed: column exists.',
    );
    const lines = end.events.flatMap((event) => (event.type === 'layer-output' ? event.line : []));
    expect(lines, 'without the time at which Docker got it').toContain('migration 7 failed: column exists');
    expect(fleet.balancer.fewestServing).toBe(2);
    expect(await fleet.versions()).toEqual(fleet.all('v3'));
    expect(await uploaded('worker')).toEqual(Array(2).fill('quiet v1\nstops v1\nquiet v2\nstops v2\n'));
  });

  it('run once when the deployer is killed while a migration prints: the next deploy waits for its end', async () => {
    const script =
      'echo began >>/app/uploads/slow; until [ -e /app/uploads/go ]; do echo printing || exit 9; sleep 1; done; echo ended >>/app/uploads/slow';
    const layers = { migrate: { service: 'app', command: ['sh', '-c', script] } };
    await fleet.project.configure({ compose, layers });
    const says = (words: RegExp) => (event: DeployEvent) => event.type === 'layer-output' && words.test(event.line);
    const killed = fleet.startDeploy('v2');
    await killed.event(says(/^printing$/));
    killed.child.kill('SIGKILL');
    await killed.ended;
    const second = fleet.startDeploy('v2', '--wait-lock', '1m');
    await second.event(
      says(/^waiting for the container shop-migrate-once, which an earlier run has started for .*-v2$/),
    );
    await second.event(says(/^printing$/));
    const [first] = fleet.machines;
    expect(await first?.must('docker ps -q --filter label=do-deploy.one-off=migrate | wc -l')).toBe('1\n');
    await first?.must("docker exec shop-app-1 sh -c ': >/app/uploads/go'");
    expect(await second.ended).toMatchObject(DEPLOYED);
    expect(await uploaded('slow')).toEqual(['began\nended\n', '']);
    expect(await fleet.deploy('v2', '--force')).toMatchObject(DEPLOYED);
    expect(await uploaded('slow')).toEqual(['began\nended\n', '']);
    for (const machine of fleet.machines) {
      expect(await machine.must('docker ps -aq --filter label=do-deploy.one-off')).toBe('');
    }
    expect(await first?.must("ps -eo args | grep '[a]wait_end' || :"), 'nothing is left that looks after it').toBe('');
    expect(await fleet.rotation()).toEqual(fleet.whole);
  });

  it('are known although their container is removed, and nobody has looked after it', async () => {
    const script =
      'echo began >>/app/uploads/orphan; until [ -e /app/uploads/end ]; do echo printing; sleep 1; done; echo ended >>/app/uploads/orphan';
    await fleet.project.configure({ compose, layers: { migrate: { service: 'app', command: ['sh', '-c', script] } } });
    const killed = fleet.startDeploy('v3');
    await killed.event((event) => event.type === 'layer-output' && event.line === 'printing');
    killed.child.kill('SIGKILL');
    await killed.ended;
    const [first] = fleet.machines;
    await first?.must("kill -9 $(ps -eo pid,args | awk '/[a]wait_end/ { print $1 }')");
    await first?.must("docker exec shop-app-1 sh -c ': >/app/uploads/end'");
    expect(await first?.must('docker wait shop-migrate-once')).toBe('0\n');
    expect(await first?.must('cat ~/do-deploy/shop/done/migrate')).toMatch(/-v2\n$/);
    expect(await fleet.deploy('v2', '--force', '--skip-migrate', '--wait-lock', '1m')).toMatchObject(DEPLOYED);
    // This compose may keep it as well; others remove it as an orphan.
    await first?.must('docker rm -v shop-migrate-once 2>/dev/null || :');
    expect(await first?.must('cat ~/do-deploy/shop/done/migrate')).toMatch(/-v3\n$/);
    expect(await fleet.deploy('v3')).toMatchObject(DEPLOYED);
    expect(await uploaded('orphan')).toEqual(['began\nended\n', '']);
    expect(await fleet.deploy('v2', '--skip-migrate')).toMatchObject(DEPLOYED);
  });

  it('run in a service behind a profile', async () => {
    await fleet.project.write(EXTRA, `${SERVICES}${TOOL}`);
    await fleet.project.configure({ compose, layers: { migrate: { service: 'tool', command: '/migrate' } } });
    expect(await fleet.deploy('v3', '--force')).toMatchObject(DEPLOYED);
    const [first = ''] = await uploaded('migrations');
    expect(first.split('\n').slice(-2)).toEqual(['migrated to v3', '']);
    expect(await fleet.machines[0]?.must('docker ps -aq --filter label=com.docker.compose.service=tool')).toBe('');
  });
});
