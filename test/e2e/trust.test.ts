import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { step } from './lab/command.js';
import { Fleet, TOKEN } from './lab/fleet.js';
import { SECRET_KEY } from './lab/project.js';
import { PRIVATE_REGISTRY, REGISTRY, REGISTRY_LOGIN } from './lab/region.js';
import { moveTag } from './lab/registry.js';

const NO_FAILURE = { failed: 0, failures: [] };
const TLS_KEY = '-----BEGIN PRIVATE KEY-----\nTUlJRXRsc2tleQ-5d1e\n-----END PRIVATE KEY-----\n';
const SECRETS = [TOKEN, SECRET_KEY, REGISTRY_LOGIN.password, 'TUlJRXRsc2tleQ-5d1e'];
/** The events of droplets that left rotation. */
const left = (end: { events: { type: string }[] }) =>
  end.events.filter((event) => event.type === 'step-started' && 'step' in event && event.step === 'leave');

describe('secrets, keys and digests', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await Fleet.start({ droplets: 2, diskMegabytes: 800 });
    await fleet.deployFirst('v1');
  });
  afterAll(() => fleet.stop());

  it('a registry login leaves no trace, and secrets are only where they belong', async () => {
    await fleet.project.write('config/nginx/tls.key', TLS_KEY, 0o600);
    await fleet.project.write(
      'config/.env.common',
      `APP_IMAGE=${PRIVATE_REGISTRY}/shop\nNGINX_IMAGE=${REGISTRY}/nginx:1\n`,
    );
    const env = `DO_TOKEN=${TOKEN}\nDOCKER_PASSWORD=${REGISTRY_LOGIN.password}\n`;
    await fleet.project.write('config/.env', env, 0o600);
    const { username } = REGISTRY_LOGIN;
    await fleet.project.configure({ registry: { server: PRIVATE_REGISTRY, username, password: '$DOCKER_PASSWORD' } });
    const watches = fleet.machines.map((machine) => machine.sh(WATCH_PROCESSES));

    const load = fleet.load();
    const end = await fleet.deploy('v2', '--debug');
    expect(await load.stop()).toMatchObject(NO_FAILURE);
    expect(end).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(await fleet.versions()).toEqual(fleet.all('v2'));

    for (const secret of SECRETS) expect(end.stdout + end.stderr).not.toContain(secret);
    for (const [index, machine] of fleet.machines.entries()) {
      await machine.must('touch /tmp/watched');
      expect((await watches[index])?.stdout).toContain('start-up.sh');
      for (const secret of SECRETS) {
        expect((await watches[index])?.stdout, 'the process list').not.toContain(secret);
        const logs = await machine.sh(`docker logs shop-app-1 2>&1; docker logs shop-nginx-1 2>&1; cat /var/log/*.log`);
        expect(logs.stdout).not.toContain(secret);
        expect(await machine.must('docker inspect shop-nginx-1')).not.toContain(secret);
      }
      expect(await machine.must('docker inspect shop-app-1')).toContain(SECRET_KEY);
      const elsewhere = `grep -rlE '${TOKEN}|${REGISTRY_LOGIN.password}' /root /home /tmp /run/user /dev/shm /etc 2>/dev/null`;
      expect((await machine.sh(elsewhere)).stdout).toBe('');
      expect((await machine.sh('cat ~/.docker/config.json ~/.*history 2>/dev/null')).stdout).toBe('');
      const modes =
        'cd ~/do-deploy/shop && stat -Lc "%a %n" . current/config/.env.production current/config/nginx/tls.key';
      expect(await machine.must(modes)).toBe(
        '700 .\n600 current/config/.env.production\n600 current/config/nginx/tls.key\n',
      );
    }
  });

  it('a wrong registry password is reported before anything leaves rotation, and not shown', async () => {
    await fleet.project.write('config/.env', `DO_TOKEN=${TOKEN}\nDOCKER_PASSWORD=wrong-3c7f1d\n`, 0o600);
    const load = fleet.load();
    const end = await fleet.deploy('v3');
    await fleet.project.write('config/.env', `DO_TOKEN=${TOKEN}\n`, 0o600);
    await fleet.project.configure({});
    expect(end).toMatchObject({ code: 2, result: { outcome: 'failed', error: { code: 'registry-login' } } });
    expect(end.stdout + end.stderr).not.toContain('wrong-3c7f1d');
    expect(left(end)).toEqual([]);
    expect(await load.stop()).toMatchObject(NO_FAILURE);
  });

  it('a tag that moves during a deploy does not split the fleet', async () => {
    await fleet.project.write('config/.env.common', `APP_IMAGE=${REGISTRY}/shop\nNGINX_IMAGE=${REGISTRY}/nginx:1\n`);
    await moveTag('latest', 'v3');
    const load = fleet.load();
    const deploy = fleet.startDeploy('latest');
    await deploy.event(step('step-started', 'web-1', 'switch'));
    await moveTag('latest', 'v1');
    expect(await deploy.ended).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(await load.stop()).toMatchObject(NO_FAILURE);
    expect(await fleet.versions()).toEqual(fleet.all('v3'));
    const images = await Promise.all(
      fleet.machines.map((machine) => machine.must("docker inspect --format '{{.Image}}' shop-app-1")),
    );
    expect(new Set(images).size).toBe(1);
  });

  it('a changed host key is refused', async () => {
    const kept = `${fleet.knownHosts}.kept`;
    await copyFile(fleet.knownHosts, kept);
    const [one, other] = fleet.machines;
    const keys = await readFile(kept, 'utf8');
    await writeFile(fleet.knownHosts, keys.replace(one?.hostKey ?? '', other?.hostKey ?? ''));
    const load = fleet.load();
    const end = await fleet.deploy('v1');
    expect(end).toMatchObject({
      code: 1,
      result: { outcome: 'failed', error: { code: 'ssh-host-key', droplet: 'web-1' } },
    });
    expect(left(end)).toEqual([]);
    expect(await load.stop()).toMatchObject(NO_FAILURE);
    await copyFile(kept, fleet.knownHosts);
  });

  it('a full disk is reported before anything leaves rotation', async () => {
    await fleet.machine('web-2').must('fallocate -l 500M /var/lib/docker/ballast');
    const load = fleet.load();
    const end = await fleet.deploy('v1');
    expect(end).toMatchObject({
      code: 1,
      result: { outcome: 'failed', error: { code: 'disk-full', droplet: 'web-2' } },
    });
    expect(left(end)).toEqual([]);
    expect(await load.stop()).toMatchObject(NO_FAILURE);
    await fleet.machine('web-2').must('rm /var/lib/docker/ballast');
  });

  it('a disk that fills up during a pull is reported before anything leaves rotation', async () => {
    const machine = fleet.machine('web-2');
    await machine.must('docker image prune --all --force >/dev/null');
    fleet.balancer.watchServing();
    const load = fleet.load();
    const registry = 'OUTPUT -p tcp --dport 5000:5001 -j DROP';
    await machine.must(`iptables -I ${registry}`);
    const deploy = fleet.startDeploy('v2');
    await deploy.event(step('step-started', 'web-2', 'pull'));
    // Room for a part of the image only: its random bytes are 2 MB.
    await machine.must(LEAVE_ONE_MEGABYTE);
    await machine.must(`iptables -D ${registry}`);
    const end = await deploy.ended;
    await machine.must('rm /var/lib/docker/ballast');
    expect(end).toMatchObject({
      code: 1,
      result: { outcome: 'failed', error: { code: 'disk-full', droplet: 'web-2', step: 'pull' } },
    });
    expect(end.result?.error?.message).toContain('no space left on device');
    expect(left(end)).toEqual([]);
    expect(fleet.balancer.fewestServing).toBe(2);

    expect(await fleet.deploy('v2')).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(await load.stop()).toMatchObject(NO_FAILURE);
    expect(await fleet.versions()).toEqual(fleet.all('v2'));
    expect(await fleet.rotation()).toEqual(fleet.whole);
  });
});

const LEAVE_ONE_MEGABYTE = `
  free=$(df --output=avail -k /var/lib/docker | tail -n 1)
  fallocate -l $((free - 1024))K /var/lib/docker/ballast`;

/** Prints all command lines repeatedly until /tmp/watched exists. */
const WATCH_PROCESSES = `
  rm -f /tmp/watched
  while ! [ -e /tmp/watched ]; do ps -ww -eo args; sleep 0.1; done | sort -u`;
