import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client, ClientChannel } from 'ssh2';
import { describe, expect, it } from 'vitest';
import type { SandboxDroplet } from '../../src/sandbox/droplets/droplet.js';
import { connectTo, endOf, request, run, startDroplet } from './droplet-lab.js';
import { eventually } from './eventually.js';

const COMPOSE = (tag: string, port = '80:3000') => `services:
  app:
    image: example/shop:${tag}
    ports: ['${port}']
    healthcheck: { test: [CMD, wget, -qO-, 'http://127.0.0.1:3000/healthz'], interval: 50ms }
`;

async function deploy(droplet: SandboxDroplet, client: Client, tag: string, port?: string): Promise<void> {
  writeFileSync(join(droplet.home, 'compose.yml'), COMPOSE(tag, port));
  const compose = 'docker compose -p shop -f compose.yml';
  const { code, stderr } = await run(
    client,
    `${compose} pull -q && ${compose} up --detach --no-build --pull never --remove-orphans`,
  );
  expect({ code, stderr }).toMatchObject({ code: 0 });
  await droplet.engine
    .containers()[0]
    ?.until(({ health }) => health?.status === 'healthy', AbortSignal.timeout(30_000));
}

async function serving(tag = 'v1', port?: string) {
  const droplet = await startDroplet();
  const client = await connectTo(droplet);
  await deploy(droplet, client, tag, port);
  return { droplet, client };
}

function forward(client: Client, host: string, port: number): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    client.forwardOut('127.0.0.1', 0, host, port, (error, channel) => (error ? reject(error) : resolve(channel)));
  });
}

async function packets(client: Client): Promise<number[]> {
  const { stdout } = await run(client, 'iptables -w 2 -t nat -L DOCKER -vnx');
  return [...stdout.matchAll(/^ *(\d+) +\d+ DNAT /gm)].map(([, count]) => Number(count));
}

describe("the balancer's connections to a droplet", () => {
  it('reach the container that publishes the port', async () => {
    const { droplet } = await serving('v2');
    expect(await request(await droplet.connect(80))).toContain('shop v2');
  });

  it('are refused if nothing is published, or only on loopback', async () => {
    const { droplet } = await serving('v1', '127.0.0.1:80:3000');
    await expect(droplet.connect(81)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await expect(droplet.connect(80)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('are cut when the container is replaced, and then reach the new one', async () => {
    const { droplet, client } = await serving('v1');
    const ended = endOf(await droplet.connect(80));
    await deploy(droplet, client, 'v2');
    await ended;
    expect(await request(await droplet.connect(80))).toContain('shop v2');
  });

  it('are counted by the DNAT rule, from zero for a new container', async () => {
    const { droplet, client } = await serving();
    expect(await packets(client)).toEqual([0]);
    for (let i = 0; i < 3; i += 1) await request(await droplet.connect(80));
    expect(await packets(client)).toEqual([3]);
    await deploy(droplet, client, 'v2');
    expect(await packets(client)).toEqual([0]);
  });

  it('appear in a rule in the format of iptables', async () => {
    const { droplet, client } = await serving();
    const [container] = droplet.engine.containers();
    const lines = (await run(client, 'iptables -t nat -L DOCKER -vnx')).stdout.split('\n');
    expect(lines[0]).toBe('Chain DOCKER (2 references)');
    expect(lines[1]?.trim().split(/ +/)).toEqual([
      'pkts',
      'bytes',
      'target',
      'prot',
      'opt',
      'in',
      'out',
      'source',
      'destination',
    ]);
    expect(lines[3]).toMatch(
      new RegExp(
        `^ +0 +0 DNAT +tcp +-- +!br-[0-9a-f]{12} \\* +0.0.0.0/0 +0.0.0.0/0 +tcp dpt:80 to:172.18.0.2:${container?.portOf(3000)}$`,
      ),
    );
  });

  it.skipIf(process.platform !== 'linux')(
    'can be distinguished from in-container checks in /proc/net/tcp',
    async () => {
      const { droplet } = await serving();
      const [container] = droplet.engine.containers();
      const socket = await droplet.connect(80);
      const established = () => {
        const port = (container?.portOf(3000) ?? 0).toString(16).toUpperCase().padStart(4, '0');
        const rows = readFileSync(`/proc/${process.pid}/net/tcp`, 'utf8')
          .split('\n')
          .map((row) => row.trim().split(/ +/));
        return rows.filter(
          ([, local, remote, state]) => local?.endsWith(`:${port}`) && state === '01' && remote?.startsWith('0200007F'),
        );
      };
      expect(established()).toHaveLength(1);
      socket.destroy();
      await eventually(() => established().length).toBe(0);
    },
  );
});

describe("forwarding through a droplet's SSH", () => {
  it('reaches published ports by private address, loopback and name', async () => {
    const { droplet, client } = await serving('v3');
    for (const host of [droplet.privateAddress, '127.0.0.1', 'localhost']) {
      expect(await request(await forward(client, host, 80))).toContain('shop v3');
    }
  });

  it('fails for other ports and other hosts', async () => {
    const { droplet, client } = await serving();
    await expect(forward(client, '127.0.0.1', droplet.sshPort)).rejects.toThrow('Channel open failure');
    await expect(forward(client, '10.10.0.99', 80)).rejects.toThrow('Channel open failure');
  });

  it('counts in the DNAT rule by private address, not by loopback, which docker-proxy serves', async () => {
    const { droplet, client } = await serving();
    await request(await forward(client, '127.0.0.1', 80));
    expect(await packets(client)).toEqual([0]);
    await request(await forward(client, droplet.privateAddress, 80));
    expect(await packets(client)).toEqual([1]);
  });
});
