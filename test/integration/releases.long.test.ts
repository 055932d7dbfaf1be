/** Releases on droplets behind no balancer: files, images, and the droplet's address. */
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import type { SandboxDroplet } from '../../src/sandbox/droplets/droplet.js';
import { SandboxFleet } from './sandbox-fleet.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let fleet: SandboxFleet;
beforeAll(async () => {
  fleet = await SandboxFleet.start({ droplets: 3 });
});
afterAll(() => fleet.stop());

it.concurrent('the same release is deployed once, --force deploys it again, and a changed nginx.conf makes another release', async () => {
  const { droplet, cwd } = await alone('web-1');
  const deploy = (...flags: string[]) => fleet.run(['alone', 'v1', '--json', ...flags], { cwd });
  expect(await deploy()).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
  expect(await get(droplet, '/healthz')).toBe('200 ok');
  const first = containersOf(droplet);

  expect(await deploy()).toMatchObject({ code: 0, result: { outcome: 'skipped' } });
  expect(containersOf(droplet), 'nothing was started again').toEqual(first);

  expect(await deploy('--force')).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
  const second = containersOf(droplet);
  for (const id of first) expect(second, 'every container is a new one').not.toContain(id);

  const conf = join(cwd, 'config/nginx/nginx.conf');
  const text = await readFile(conf, 'utf8');
  await writeFile(
    conf,
    text.replace('location / {', 'location = /robots.txt { return 200 "none"; }\n    location / {'),
  );
  expect(await get(droplet, '/robots.txt')).toBe('404 not found');
  expect(await deploy()).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
  expect(await get(droplet, '/robots.txt')).toBe('200 none');

  // Edited on the droplet: the same deploy restores it and restarts the containers that read it.
  const there = join(droplet.home, 'do-deploy/shop/current/config/nginx/nginx.conf');
  const deployed = await readFile(there, 'utf8');
  await writeFile(there, deployed.replace('"none"', '"by hand"'));
  const third = containersOf(droplet);
  expect(await deploy()).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
  expect(await readFile(there, 'utf8')).toBe(deployed);
  for (const id of third) expect(containersOf(droplet)).not.toContain(id);
  expect(await get(droplet, '/robots.txt')).toBe('200 none');
});

it.concurrent('a thousand small files arrive with their content', async () => {
  const { droplet, cwd } = await alone('web-2');
  await mkdir(join(cwd, 'config/pages/many'), { recursive: true });
  const names = Array.from({ length: 1000 }, (_, index) => `page-${index}.html`);
  await Promise.all(names.map((name) => writeFile(join(cwd, 'config/pages/many', name), `<h1>${name}</h1>\n`)));
  await edit(cwd, (settings) => ({ ...settings, files: [...settings.files, 'config/pages/'] }));

  expect(await fleet.run(['alone', 'v1', '--json'], { cwd })).toMatchObject({ code: 0 });
  const arrived = join(droplet.home, 'do-deploy/shop/current/config/pages/many');
  expect(readdirSync(arrived).sort()).toEqual(names.sort());
  expect(names.map((name) => readFileSync(join(arrived, name), 'utf8'))).toEqual(
    names.map((name) => `<h1>${name}</h1>\n`),
  );
});

it.concurrent('ssh.address: private connects to the address in the VPC', async () => {
  const { droplet, cwd } = await alone('web-3');
  // The ssh configuration knows only its private address.
  const sshConfig = await readFile(fleet.region.sshConfigPath, 'utf8');
  await writeFile(join(cwd, 'ssh_config'), sshConfig.replace(/^Host \S+ \S+ /gm, 'Host '));
  await edit(cwd, (settings) => ({ ...settings, ssh: { ...settings.ssh, config: 'ssh_config', address: 'private' } }));

  const end = await fleet.run(['alone', 'v1', '--json'], { cwd });
  expect(end).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
  expect(end.result?.rows.map(({ address }) => address)).toEqual([droplet.privateAddress]);
});

/** A checkout with an environment `alone` of one droplet. */
async function alone(name: string): Promise<{ droplet: SandboxDroplet; cwd: string }> {
  const droplet = fleet.region.droplet(name);
  const cwd = await fleet.freshCheckout();
  await writeFile(join(cwd, 'config/.env.alone'), '');
  await edit(cwd, (settings) => ({ ...settings, environments: { alone: { droplet: droplet.id } } }));
  return { droplet, cwd };
}

interface DeployFile {
  files: string[];
  ssh: object;
}

async function edit(cwd: string, change: (settings: DeployFile) => object): Promise<void> {
  const file = join(cwd, 'config/deploy.yml');
  await writeFile(file, stringify(change(parse(await readFile(file, 'utf8')))));
}

function containersOf({ engine }: SandboxDroplet): string[] {
  return engine.containers().map(({ id }) => id);
}

/** The answer of port 80 of the droplet: `200 ok`. */
async function get(droplet: SandboxDroplet, path: string): Promise<string> {
  const socket = await droplet.connect(80);
  return await new Promise((resolve, reject) => {
    http
      .get({ path, host: 'droplet', createConnection: () => socket }, async (response) => {
        const body = Buffer.concat(await response.toArray()).toString('utf8');
        resolve(`${response.statusCode} ${body.trim()}`);
      })
      .on('error', reject);
  });
}
