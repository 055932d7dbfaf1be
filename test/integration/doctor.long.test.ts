/** `doctor` on a fleet in the sandbox: what it finds of planted problems, that it is silent without any, and what --fix does. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import type { DoctorFinding, DoctorReport } from '../../src/rollout/doctor.js';
import { shopImage } from '../../src/sandbox/docker/images/shop.js';
import { runCommandLine } from '../support/command-line.js';
import { Bench, PROBLEMS } from './doctor-problems.js';
import { SandboxFleet } from './sandbox-fleet.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const SHOP = 'registry.example.com/acme/shop';
const LOGIN = { username: 'ann', password: '5ecre7pass' };

let fleet: SandboxFleet;
let bench: Bench;
const kept = mkdtempSync(join(tmpdir(), 'do-deploy-doctor-kept-'));

const run = (cwd: string, argv: readonly string[], env: Record<string, string> = {}) =>
  runCommandLine(argv, {
    cwd,
    env: { PATH: process.env.PATH, HOME: kept, XDG_STATE_HOME: kept, CI: 'true', NO_COLOR: '1', ...env },
  });

/** Every file of the droplets and of the project with its content and mode, and what Docker has. */
function stateOf(): string[] {
  const filesIn = (folder: string) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((path) => !path.startsWith('.git/'))
      .sort()
      .map((path) => {
        const stat = statSync(join(folder, path), { throwIfNoEntry: false });
        const content = stat?.isFile()
          ? createHash('sha256')
              .update(readFileSync(join(folder, path)))
              .digest('hex')
          : '';
        return [path, stat?.mode, content].join(' ');
      });
  return [
    ...filesIn(fleet.folder),
    ...bench.droplets.flatMap(({ home, folder, engine }) => [
      ...filesIn(home),
      ...readdirSync(join(folder, 'tmp')),
      ...engine.containers().map(({ id, status }) => `${id} ${status}`),
    ]),
    ...readdirSync('/dev/shm').filter((name) => name.startsWith('do-deploy-doctor')),
  ];
}

interface Examined {
  exit: number;
  report: DoctorReport;
  text: string;
}

/** Runs it twice, as JSON and as text, and sees that neither changes anything. */
async function doctor(cwd = fleet.folder, ...argv: string[]): Promise<Examined> {
  const calls = fleet.region.apiLog.length;
  const before = stateOf();
  const json = await run(cwd, ['doctor', 'sandbox', '--json', ...argv]);
  const text = await run(cwd, ['doctor', 'sandbox', ...argv]);
  expect(fleet.region.apiLog.slice(calls).filter(({ method }) => method !== 'GET')).toEqual([]);
  expect(stateOf()).toEqual(before);
  expect(text.exit).toBe(json.exit);
  expect(json.stdout + text.stdout).not.toContain('5ecre7');
  expect(json.stderr + text.stderr).toBe('');
  return { exit: json.exit, report: JSON.parse(json.stdout), text: text.stdout };
}

function shown({ name, place, droplets }: DoctorFinding): string {
  return [name, place && `@${place}`, droplets.join()].filter(Boolean).join(' ');
}

beforeAll(async () => {
  fleet = await SandboxFleet.start({ registryCredentials: LOGIN, limits: { perMinute: 100_000 } });
  const registry = { server: 'registry.example.com', username: '$DOCKER_USERNAME', password: '$DOCKER_PASSWORD' };
  for (const name of ['config/deploy.yml', 'config/deploy.first.yml']) {
    const file = join(fleet.folder, name);
    await writeFile(file, stringify({ ...parse(await readFile(file, 'utf8')), registry }));
  }
  await appendFile(join(fleet.folder, 'config/.env'), `DOCKER_USERNAME=ann\nDOCKER_PASSWORD=${LOGIN.password}\n`);
  const compose = join(fleet.folder, 'compose/docker-compose.yml');
  await writeFile(
    compose,
    (await readFile(compose, 'utf8')).replace(/image: .*shop.*/, `image: ${SHOP}:\${IMAGE_TAG}`),
  );
  fleet.region.registry.push(SHOP, 'v1', shopImage('v1'));
  const first = ['deploy', 'sandbox', 'v1', '--yes', '--quiet', '--config', 'config/deploy.first.yml'];
  expect(await run(fleet.folder, first)).toMatchObject({ exit: 0 });
  bench = new Bench(fleet, kept);
});
afterEach(() => bench.restore());
afterAll(async () => {
  rmSync(kept, { recursive: true, force: true });
  await fleet.stop();
});

describe('a healthy fleet', () => {
  it('has no findings', async () => {
    const { exit, report, text } = await doctor();
    expect(report.findings).toEqual([]);
    expect(exit).toBe(0);
    expect(report).toMatchObject({ droplets: 3, target: expect.stringContaining('load balancer "web"') });
    expect(text).toMatch(/^Nothing is wrong: 3 droplets looked at\.$/m);
  });
});

describe('a planted problem', { shuffle: false }, () => {
  it.each(PROBLEMS.map((problem) => [problem.what, problem] as const))('%s', async (_, { plant, finds }) => {
    await plant(bench);
    const { report, exit, text } = await doctor();
    expect(report.findings.map(shown)).toEqual(finds);
    const hasErrors = report.findings.some(({ severity }) => severity === 'error');
    expect(exit).toBe(hasErrors ? 1 : 0);
    for (const { why, fix, message } of report.findings) {
      expect(why).toMatch(/\.\)?$/);
      expect(message).toMatch(/\.$/);
      expect(text).toContain(`why: ${why}`);
      if (fix !== undefined) expect(text).toContain(`fix: ${fix}`);
    }
  });
});
