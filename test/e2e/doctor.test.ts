/** `doctor` where Docker, compose, sshd and the registry decide: what they really print, and that nothing is left behind. */
import { chmod, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { DoctorFinding, DoctorReport } from '../../src/rollout/doctor.js';
import { Fleet } from './lab/fleet.js';
import { REGISTRY } from './lab/region.js';

const PRODUCTION = 'compose/docker-compose.production.yml';

let fleet: Fleet;
let compose: string;
beforeAll(async () => {
  fleet = await Fleet.start({ droplets: 2 });
  await chmod(join(fleet.project.folder, 'config/.env.common'), 0o600);
  compose = await readFile(join(fleet.project.folder, PRODUCTION), 'utf8');
  await fleet.deployFirst('v1');
});
afterEach(() => fleet.project.write(PRODUCTION, compose));
afterAll(() => fleet.stop());

const shown = ({ name, droplets }: DoctorFinding) => [name, droplets.join()].filter(Boolean).join(' ');

async function doctor(...args: string[]): Promise<{ code: number | null; report: DoctorReport; names: string[] }> {
  const { code, stdout, stderr } = await fleet.run(['doctor', 'production', '--json', ...args]);
  expect(stderr).toBe('');
  const report = JSON.parse(stdout) as DoctorReport;
  return { code, report, names: report.findings.map(shown) };
}

/** Everything that a look could leave on a droplet. */
async function traces(): Promise<string[]> {
  const look = [
    "find /dev/shm /tmp -name 'do-deploy-*'",
    'find /root/do-deploy -printf "%p %m %T@ %s\\n" | sort',
    'docker ps -aq --no-trunc',
    'docker image ls -q --no-trunc',
    'cat /root/.docker/config.json 2>/dev/null || :',
  ].join('; ');
  return await Promise.all(fleet.machines.map((machine) => machine.must(look)));
}

/** A second compose file on top of the usual one. */
async function withServices(services: object, top: object = {}): Promise<void> {
  const { project } = fleet;
  await project.write('compose/extra.yml', stringify({ services, ...top }));
  await project.configure({
    compose: ['compose/docker-compose.yml', PRODUCTION, 'compose/extra.yml'],
  });
}

describe('doctor on real droplets', { shuffle: false }, () => {
  afterEach(() => fleet.project.configure({}));

  it('finds nothing on a fleet that is well, and leaves no trace', async () => {
    const before = await traces();
    const { code, report, names } = await doctor();
    expect(names).toEqual([]);
    expect(code).toBe(0);
    expect(report).toMatchObject({ droplets: 2 });
    expect(report.unchecked.filter((one) => one.includes('did not'))).toEqual([]);
    expect(await traces()).toEqual(before);
  });

  it('reads times, ports and restart policies as compose prints them', async () => {
    await withServices({
      app: { healthcheck: { interval: '1m30s', start_period: '0s', retries: 1 } },
      worker: {
        image: `${REGISTRY}/shop:v1`,
        container_name: 'worker',
        deploy: { restart_policy: { condition: 'any' } },
      },
      other: { image: `${REGISTRY}/shop:v1`, ports: ['127.0.0.1:8081:3000'] },
    });
    expect((await doctor()).names.sort()).toEqual([
      'healthcheck-missing',
      'healthcheck-missing',
      'healthcheck-slow',
      'restart-missing',
    ]);
  });

  it('knows what cannot start: one name or one port for two, and what is not there', async () => {
    await withServices({ other: { image: `${REGISTRY}/shop:v1`, restart: 'always', ports: ['80:3000'] } });
    expect((await doctor()).names).toContain('compose-port-clash web-1,web-2');
    await withServices({ app: { networks: ['proxy'] } }, { networks: { proxy: { external: true } } });
    expect((await doctor()).names).toContain('compose-network-missing web-1,web-2');
    await withServices({ app: { depends_on: ['nobody'] } });
    expect((await doctor()).names).toEqual(['compose-config web-1,web-2']);
  });

  it('asks the registry, as a pull would', async () => {
    const { names, code } = await doctor('--set', 'image_tag=v77');
    expect(names).toEqual(['image-unavailable web-1,web-2']);
    expect(code).toBe(1);
  });

  it('says that a user who is not root may not count connections', async () => {
    const config = await fleet.addUser('deployer');
    const { names } = await doctor('--config', config);
    expect(names).toContain('connections-uncounted web-1,web-2');
  });

  it('one droplet that does not answer is one finding', async () => {
    const machine = fleet.machine('web-2');
    await machine.must('kill -STOP $(cat /run/sshd.pid)');
    try {
      const { names, report } = await doctor();
      expect(names).toHaveLength(1);
      expect(names[0]).toMatch(/^ssh-(unreachable|timeout) web-2$/);
      expect(report.droplets).toBe(1);
    } finally {
      await machine.must('kill -CONT $(cat /run/sshd.pid)');
    }
  });
});
