/** `doctor` on a fleet in the sandbox: what it finds of planted problems, that it is silent without any, and what --fix does. */
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import type { DoctorFinding, DoctorReport } from '../../src/rollout/doctor.js';
import { shopImage } from '../../src/sandbox/docker/images/shop.js';
import { runCommandLine } from '../support/command-line.js';
import { Bench, PROBLEMS, recordAsOut } from './doctor-problems.js';
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

describe('--fix', () => {
  it('closes env files, and adds them to .gitignore', async () => {
    chmodSync(join(fleet.folder, 'config/.env.sandbox'), 0o644);
    bench.write('.gitignore', 'config/.env.*');
    bench.git('init', '--quiet');
    const found = ['env-file-unignored @config/.env', 'env-file-open @config/.env.sandbox'];
    expect((await doctor()).report.findings.map(shown)).toEqual(found);
    const fixed = await run(fleet.folder, ['doctor', 'sandbox', '--fix', '--json']);
    expect(fixed).toMatchObject({ exit: 0, stderr: '' });
    const { findings } = JSON.parse(fixed.stdout) as DoctorReport;
    expect(findings.map((finding) => [shown(finding), finding.fixed])).toEqual(found.map((one) => [one, true]));
    expect(statSync(join(fleet.folder, 'config/.env.sandbox')).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(fleet.folder, '.gitignore'), 'utf8')).toBe('config/.env.*\n/config/.env\n');
    expect((await doctor()).report.findings).toEqual([]);
  });

  it('clears the record of a droplet that serves, without touching a container', async () => {
    recordAsOut(bench, 'web-2');
    const { report } = await doctor();
    expect(report.findings).toMatchObject([{ name: 'recorded-as-out', droplets: ['web-2'], fixable: true }]);
    const started = () =>
      bench.droplets.flatMap(({ engine }) => engine.containers().map(({ id, startedAt }) => [id, startedAt]));
    const before = started();
    const calls = fleet.region.apiLog.length;
    const fixed = await run(fleet.folder, ['doctor', 'sandbox', '--fix']);
    expect(fixed.stdout).toContain('warning: recorded-as-out (web-2) fixed');
    expect(fixed.exit).toBe(0);
    expect(started()).toEqual(before);
    // Heal adds it once more: it leaves no rotation.
    const left = fleet.region.apiLog
      .slice(calls)
      .filter(({ method, path }) => method === 'DELETE' && path.includes('/load_balancers/'));
    expect(left).toEqual([]);
    expect((await doctor()).report.findings).toEqual([]);
  });

  it('leaves a record alone while heal would have more to do', async () => {
    recordAsOut(bench, 'web-2');
    bench.json(bench.home('web-1', 'state.json'), (state) => ({ ...state, phase: 'switching' }));
    const calls = fleet.region.apiLog.length;
    const { exit, stdout } = await run(fleet.folder, ['doctor', 'sandbox', '--fix', '--json']);
    expect(exit).toBe(1);
    const { findings } = JSON.parse(stdout) as DoctorReport;
    expect(findings.map((finding) => [shown(finding), finding.fixable, finding.fixed])).toEqual([
      ['half-done web-1', undefined, undefined],
      ['recorded-as-out web-2', undefined, undefined],
    ]);
    expect(fleet.region.apiLog.slice(calls).filter(({ method }) => method !== 'GET')).toEqual([]);
  });

  it('does not change a protected environment', async () => {
    bench.settings((settings) => {
      settings.environments.sandbox.protected = true;
    });
    recordAsOut(bench, 'web-2');
    const { exit, stdout } = await run(fleet.folder, ['doctor', 'sandbox', '--fix', '--json']);
    expect(exit).toBe(0);
    expect((JSON.parse(stdout) as DoctorReport).findings).toMatchObject([{ name: 'recorded-as-out' }]);
    expect(stdout).not.toContain('"fixed"');
  });
});

describe('before the first deploy', () => {
  it('the example project has no findings', async () => {
    const folder = join(kept, 'example');
    for (const path of ['compose', 'config']) cpSync(path, join(folder, path), { recursive: true });
    for (const name of ['common', 'production']) {
      const file = join(folder, `config/.env.${name}`);
      cpSync(`${file.replace(folder, '.')}.example`, file);
      chmodSync(file, 0o600);
    }
    const { region } = fleet;
    // Nobody has to look for an example's shop in a registry.
    const env = {
      DO_TOKEN: region.api.token,
      LOAD_BALANCER: 'web',
      DOCKER_USERNAME: 'ann',
      DOCKER_PASSWORD: '5ecre7pass',
    };
    const set = [`api_url=${region.api.url}`, `ssh.config=${region.sshConfigPath}`, 'app=example'];
    const argv = ['doctor', 'production', '--json', ...set.flatMap((one) => ['--set', one])];
    const { stdout, stderr } = await run(folder, argv, env);
    expect(stderr).toBe('');
    const { findings } = JSON.parse(stdout) as DoctorReport;
    // The droplets run another app, which has the port.
    expect(findings.map(shown)).toEqual(['port-taken web-1,web-2,web-3']);
  });

  it('all environments are looked at', async () => {
    const { exit, stdout } = await run(fleet.folder, ['doctor', '--json']);
    const reports = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as DoctorReport);
    expect(reports.map(({ environment, droplets }) => [environment, droplets])).toEqual([
      ['sandbox', 3],
      ['staging', 1],
    ]);
    expect(reports.flatMap(({ findings }) => findings)).toEqual([]);
    expect(exit).toBe(0);
  });
});
