/** Droplets of an autoscale pool that boot into the release by their user data, as root on Debian, with nobody deploying. */
import { generateKeyPairSync } from 'node:crypto';
import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ObjectStorage } from '../support/object-storage.js';
import { addUser, Fleet } from './lab/fleet.js';
import type { Machine } from './lab/machine.js';
import { BRIDGE_PRIVATE, PRIVATE_REGISTRY, REGISTRY, REGISTRY_LOGIN } from './lab/region.js';

const USER = 'deploy';
const APP = `/home/${USER}/do-deploy/shop`;
const WRITER = { accessKey: 'writer', secretKey: 'writers-secret-7f1c' };
const READER = { accessKey: 'reader', secretKey: 'readers-secret-03be', readOnly: true };
const POINTER = 'shop/production/current';
const NO_FAILURE = { failed: 0, failures: [] };

describe('a droplet that boots with user data', { shuffle: false }, () => {
  let fleet: Fleet;
  let storage: ObjectStorage;
  let userData: string;
  beforeAll(async () => {
    storage = await ObjectStorage.start({ bucket: 'bundles', users: [WRITER, READER], host: BRIDGE_PRIVATE });
    const { username } = REGISTRY_LOGIN;
    fleet = await Fleet.start({
      droplets: 2,
      later: 2,
      tagManaged: true,
      user: USER,
      settings: {
        registry: { server: PRIVATE_REGISTRY, username, password: '$DOCKER_PASSWORD' },
        bundle: {
          endpoint: storage.url,
          bucket: 'bundles',
          access_key: WRITER.accessKey,
          secret_key: '$BUNDLE_SECRET',
          signing_key: '$BUNDLE_SIGNING',
          read_access_key: READER.accessKey,
          read_secret_key: '$BUNDLE_READ_SECRET',
        },
      },
    });
    const signing = generateKeyPairSync('ed25519').privateKey.export({ format: 'der', type: 'pkcs8' });
    const variables = {
      DOCKER_PASSWORD: REGISTRY_LOGIN.password,
      BUNDLE_SECRET: WRITER.secretKey,
      BUNDLE_SIGNING: signing.toString('base64'),
      BUNDLE_READ_SECRET: READER.secretKey,
    };
    const lines = Object.entries(variables).map(([name, value]) => `${name}=${value}\n`);
    await appendFile(join(fleet.project.folder, 'config/.env'), lines.join(''));
    await fleet.project.write(
      'config/.env.common',
      `APP_NAME=shop\nAPP_IMAGE=${PRIVATE_REGISTRY}/shop\nNGINX_IMAGE=${REGISTRY}/nginx:1\n`,
    );
    await fleet.deployFirst('v1');
    const printed = await fleet.run(['cloud-init', 'production']);
    expect(printed, printed.stderr).toMatchObject({ code: 0 });
    userData = printed.stdout;
  });
  afterAll(async () => {
    await fleet.stop();
    await storage.stop();
  });

  /** As cloud-init runs it: as root, with hardly any environment. */
  async function boot(machine: Machine): Promise<{ code: number | null; log: string }> {
    const path = join(fleet.folder, machine.name, 'root/user-data.sh');
    await writeFile(path, userData, { mode: 0o700 });
    const { code } = await machine.sh(
      'env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DO_DEPLOY_BOOT_WAIT=30 /root/user-data.sh',
    );
    return { code, log: await machine.must('cat /var/log/do-deploy-boot.log') };
  }

  it('runs the release, gets traffic, and nothing is left to do', async () => {
    const load = fleet.load();
    const machine = await fleet.join();
    await addUser(machine, USER);
    expect(await fleet.rotation()).toMatchObject({ members: 3, up: 2 });
    const { code, log } = await boot(machine);
    expect(code, log).toBe(0);
    await fleet.balancer.allUp();
    expect(await load.stop()).toMatchObject(NO_FAILURE);
    expect(await fleet.versions()).toEqual(fleet.all('v1'));

    const check = await fleet.run(['status', 'production', '--check']);
    expect(check, check.stdout).toMatchObject({ code: 0 });
    const adopted = await fleet.run(['adopt', 'production', '--json']);
    expect(adopted).toMatchObject({ code: 0, result: { outcome: 'skipped' } });
    const files =
      'release.json images.yml SHA256SUMS config/.env.production config/nginx/nginx.conf scripts/start-up.sh';
    const modes = (one: Machine) => one.must(`cd ${APP}/current/ && stat -c '%n %a %U' ${files}`);
    expect(await modes(machine)).toBe(await modes(fleet.machine('web-1')));
    for (const secret of [REGISTRY_LOGIN.password, READER.secretKey]) {
      const found = await machine.sh(`grep -rlF ${secret} /home /run /tmp /var/log /root/.docker 2>/dev/null`);
      expect(found.stdout, 'only in the user data').toBe('');
    }
  });

  it('is deployed to like any other, without a failed request', async () => {
    const load = fleet.load();
    const end = await fleet.deploy('v2');
    expect(end, end.stdout + end.stderr).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(await load.stop()).toMatchObject(NO_FAILURE);
    expect(await fleet.versions()).toEqual(fleet.all('v2'));
  });

  it('refuses an altered bundle, starts nothing, and boots once the bundle is whole', async () => {
    const [, object] = /^object (\S+)$/m.exec(storage.objects.get(POINTER)?.toString() ?? '') ?? [];
    const key = `shop/production/${object}`;
    const whole = storage.objects.get(key) as Buffer;
    const altered = Buffer.from(whole);
    altered[altered.length - 20] = (altered.at(-20) ?? 0) ^ 1;
    storage.objects.set(key, altered);
    const machine = await fleet.join();
    await addUser(machine, USER);
    const refused = await boot(machine);
    expect(refused.code).toBe(1);
    expect(refused.log).toMatch(
      /refused: \S+ was altered: it is not what the deployers signed\. Nothing was started\./,
    );
    expect(await machine.must('docker ps -aq')).toBe('');
    expect((await machine.sh(`ls ${APP}`)).code).not.toBe(0);

    storage.objects.set(key, whole);
    const { code, log } = await boot(machine);
    expect(code, log).toBe(0);
    await fleet.balancer.allUp();
    expect(await fleet.versions()).toEqual(fleet.all('v2'));
    expect(await fleet.run(['status', 'production', '--check'])).toMatchObject({ code: 0 });
    // Its lock is free again.
    expect(await fleet.run(['lock', 'status', 'production'])).toMatchObject({ code: 0 });
  });
});
