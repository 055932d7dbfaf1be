import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Region, type RegionOptions } from '../../src/sandbox/region.js';

let folder: string;
const regions: Region[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'region-'));
});
afterEach(async () => {
  for (const region of regions.splice(0)) await region.stop();
  await rm(folder, { recursive: true, force: true });
});

async function start(options: Partial<RegionOptions> = {}): Promise<Region> {
  const region = await Region.start({ folder, droplets: 2, ...options });
  regions.push(region);
  return region;
}

async function control(region: Region, method: string, path: string, body?: unknown): Promise<number> {
  const init = { method, ...(body !== undefined && { body: JSON.stringify(body) }) };
  return (await fetch(region.controlUrl + path, init)).status;
}

/** Logs in with only the files that the region wrote, and runs a command. */
async function runOn(region: Region, name: string, command: string): Promise<string> {
  const { droplets } = JSON.parse(await readFile(join(region.folder, 'sandbox.json'), 'utf8'));
  const { sshPort } = droplets.find((droplet: { name: string }) => droplet.name === name);
  const known = await readFile(region.knownHostsPath, 'utf8');
  const client = new ssh2.Client();
  try {
    await new Promise<void>((resolve, reject) => {
      client.on('ready', resolve).on('error', reject);
      readFile(region.clientKeyPath).then((privateKey) => {
        client.connect({
          host: '127.0.0.1',
          port: sshPort,
          username: 'root',
          privateKey,
          hostVerifier: (key: Buffer) =>
            known.includes(`[127.0.0.1]:${sshPort} ssh-ed25519 ${key.toString('base64')}\n`),
        });
      }, reject);
    });
    return await new Promise<string>((resolve, reject) => {
      client.exec(command, (error, channel) => {
        if (error) return reject(error);
        let output = '';
        channel.on('data', (chunk: Buffer) => {
          output += chunk;
        });
        channel.on('close', () => resolve(output));
      });
    });
  } finally {
    client.end();
  }
}

const isOpen = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
const portOf = (url: string) => Number(new URL(url).port);

describe('a region', () => {
  it('has droplets behind a balancer, and one for staging that is not', async () => {
    const region = await start();
    const headers = { authorization: `Bearer ${region.api.token}` };
    // biome-ignore lint/suspicious/noExplicitAny: tests know the shape of the JSON that they expect
    const get = async (path: string): Promise<any> => (await fetch(region.api.url + path, { headers })).json();
    const { droplets } = await get('/droplets');
    expect(droplets.map(({ name }: { name: string }) => name)).toEqual(['web-1', 'web-2', 'staging']);
    const { load_balancers } = await get('/load_balancers');
    expect(load_balancers).toMatchObject([
      { name: region.balancerName, droplet_ids: [droplets[0].id, droplets[1].id], tag: '' },
    ]);
    expect(region.stagingDropletId).toBe(droplets[2].id);
  });

  it('answers 503 at the balancer until something is deployed', async () => {
    const region = await start();
    expect((await fetch(region.balancerUrl)).status).toBe(503);
    expect(region.fewestServing()).toBe(0);
  });

  it('writes files to log in with, which only the owner can read', async () => {
    const region = await start();
    expect(await runOn(region, 'web-2', 'echo $((40 + 2)) > answer; cat answer; pwd')).toBe(
      `42\n${region.droplet('web-2').home}\n`,
    );
    for (const path of [region.clientKeyPath, join(folder, 'sandbox.json')]) {
      expect((await stat(path)).mode & 0o777).toBe(0o600);
    }
    const config = await readFile(region.sshConfigPath, 'utf8');
    expect(config).toContain('Host web-1 203.0.113.1 10.10.0.1\n');
    expect(config.match(/^Host /gm)).toHaveLength(3);
  });

  it('adds and removes droplets while it runs', async () => {
    const region = await start();
    expect(await control(region, 'POST', '/droplets', { name: 'web-3' })).toBe(200);
    expect(await runOn(region, 'web-3', 'hostname -s >/dev/null; echo here')).toBe('here\n');
    expect(await control(region, 'POST', '/droplets', { name: 'web-3' })).toBe(422);
    expect(await control(region, 'POST', '/droplets', { name: '../web-4' })).toBe(422);
    const { sshPort } = region.droplet('web-3');
    expect(await control(region, 'DELETE', '/droplets/web-3')).toBe(200);
    expect(await isOpen(sshPort)).toBe(false);
    expect(await readFile(region.sshConfigPath, 'utf8')).not.toContain('web-3');
  });

  it('sets and clears faults of droplets', async () => {
    const region = await start();
    expect(await control(region, 'POST', '/faults', { droplet: 'web-1', ssh: 'refuse' })).toBe(200);
    await expect(runOn(region, 'web-1', 'true')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(await runOn(region, 'web-2', 'echo here')).toBe('here\n');
    expect(await control(region, 'DELETE', '/faults')).toBe(200);
    expect(await runOn(region, 'web-1', 'echo here')).toBe('here\n');
    expect(await control(region, 'POST', '/faults', { droplet: 'web-1', ssh: 'maybe' })).toBe(422);
    expect(await control(region, 'POST', '/faults', { droplet: 'web-9', ssh: 'refuse' })).toBe(422);
  });

  it('releases all ports when it stops, and its folder can be reused', async () => {
    const region = await start();
    const ports = [region.api.url, region.balancerUrl, region.controlUrl].map(portOf);
    ports.push(...[...region.droplets.values()].map(({ sshPort }) => sshPort));
    expect(await Promise.all(ports.map(isOpen))).toEqual(ports.map(() => true));
    await runOn(region, 'web-1', 'echo old > remains');
    await region.stop();
    expect(await Promise.all(ports.map(isOpen))).toEqual(ports.map(() => false));
    const next = await start();
    expect(await runOn(next, 'web-1', 'ls')).toBe('');
  });

  it('does not share its folder', async () => {
    await start();
    await expect(start()).rejects.toMatchObject({
      code: 'sandbox-folder',
      source: 'user',
      message: expect.stringMatching(/^A sandbox is already running in .*process \d+/),
      hint: expect.stringMatching(/kill \d+`, or choose another folder: --folder/),
    });
  });

  it('reuses the folder of a killed region, even if another process has its id or port', async () => {
    const other = await start({ folder: join(folder, 'other') });
    for (const left of [
      { pid: process.pid, control: 'http://127.0.0.1:1' },
      { pid: 1, control: other.controlUrl },
    ]) {
      await mkdir(join(folder, 'own'), { recursive: true });
      await writeFile(join(folder, 'own/sandbox.json'), JSON.stringify(left));
      await (await start({ folder: join(folder, 'own') })).stop();
    }
  });

  it('does not remove droplets that are not its own', async () => {
    await mkdir(join(folder, 'droplets'));
    await expect(start()).rejects.toMatchObject({
      source: 'user',
      message: expect.stringContaining('was not written by a sandbox'),
    });
  });

  it('manages more than ten droplets by a tag', async () => {
    const region = await start({ droplets: 200 });
    expect(region.droplets.size).toBe(201);
    const record = region.world.balancer(region.balancerId);
    expect([record.tag, record.serving.size]).toEqual(['web', 200]);
    expect(await runOn(region, 'web-200', 'echo here')).toBe('here\n');
  });

  it('refuses more than ten droplets by id', async () => {
    await expect(start({ droplets: 11, tagManaged: false })).rejects.toThrow(/at most 10 droplets by id/);
  });
});
