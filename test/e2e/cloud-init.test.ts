/** Droplets of an autoscale pool that boot into the release by their user data, as root on Debian, with nobody deploying. */
import { generateKeyPairSync } from 'node:crypto';
import { appendFile, cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ObjectStorage } from '../support/object-storage.js';
import { addUser, Fleet } from './lab/fleet.js';
import type { Machine } from './lab/machine.js';
import { SECRET_KEY } from './lab/project.js';
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
  let bundle: Record<string, string>;
  beforeAll(async () => {
    storage = await ObjectStorage.start({ bucket: 'bundles', users: [WRITER, READER], host: BRIDGE_PRIVATE });
    const { username } = REGISTRY_LOGIN;
    bundle = {
      endpoint: storage.url,
      bucket: 'bundles',
      access_key: WRITER.accessKey,
      secret_key: '$BUNDLE_SECRET',
      signing_key: '$BUNDLE_SIGNING',
      read_access_key: READER.accessKey,
      read_secret_key: '$BUNDLE_READ_SECRET',
    };
    fleet = await Fleet.start({
      droplets: 2,
      later: 3,
      tagManaged: true,
      user: USER,
      settings: {
        registry: { server: PRIVATE_REGISTRY, username, password: '$DOCKER_PASSWORD' },
        bundle,
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
    userData = await printed();
  });
  afterAll(async () => {
    await fleet.stop();
    await storage.stop();
  });

  async function printed(): Promise<string> {
    const { code, stdout, stderr } = await fleet.run(['cloud-init', 'production']);
    expect(code, stderr).toBe(0);
    return stdout;
  }

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
  });

  it('takes env files from its image where they are left out of the bundle, only those of the release', async () => {
    await fleet.project.configure({ bundle: { ...bundle, secrets: 'leave-out' } });
    expect(await fleet.run(['adopt', 'production', '--json'])).toMatchObject({ code: 0 });
    const contents = [...storage.objects.values()].map((content) => content.toString('latin1'));
    expect(contents.join()).not.toContain(SECRET_KEY);
    userData = await printed();
    expect(userData).not.toContain(REGISTRY_LOGIN.password);

    const machine = await fleet.join();
    await addUser(machine, USER);
    const missing = await boot(machine);
    expect(missing.code).toBe(1);
    expect(missing.log).toMatch(
      /refused: \/etc\/do-deploy\/shop\/config\/\.env\.\w+ is missing, or is not that of release/,
    );
    // What whoever makes the image puts there.
    const folder = '/etc/do-deploy/shop/config';
    await machine.must(`mkdir -p ${folder}`);
    for (const name of ['.env.common', '.env.production']) {
      await cp(
        join(fleet.project.folder, 'config', name),
        join(fleet.folder, machine.name, `etc/do-deploy/shop/config/${name}`),
      );
    }
    const { username, password } = REGISTRY_LOGIN;
    await machine.must(`chown -R ${USER} /etc/do-deploy && chmod 600 ${folder}/.env*
      su ${USER} -c 'echo ${password} | docker login --username ${username} --password-stdin ${PRIVATE_REGISTRY}' 2>&1`);
    await machine.must(`echo '# edited' >>${folder}/.env.production`);
    const edited = await boot(machine);
    expect(edited.log.trimEnd().split('\n').slice(-3).join()).toMatch(/\.env\.production is missing, or is not that/);
    expect(await machine.must('docker ps -aq')).toBe('');
    await machine.must(`sed -i '$d' ${folder}/.env.production`);
    const { code, log } = await boot(machine);
    expect(code, log).toBe(0);
    await fleet.balancer.allUp();
    expect(await fleet.versions()).toEqual(fleet.all('v2'));
    expect(await fleet.run(['status', 'production', '--check'])).toMatchObject({ code: 0 });
    expect(await machine.must(`stat -c '%a %U' ${APP}/current/config/.env.production`)).toBe(`600 ${USER}\n`);
  });
});
