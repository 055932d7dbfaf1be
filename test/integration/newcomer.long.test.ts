/** The way of a newcomer, as the README has it: from the tarball and an empty folder to a release that serves. */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { runCommandLine } from '../support/command-line.js';
import { SandboxFleet } from './sandbox-fleet.js';

vi.setConfig({ testTimeout: 600_000, hookTimeout: 300_000 });

/** Many checks: too many for a real droplet, but they make the sandbox's deploys fast. */
const QUICK_CHECKS = `services:
  app:
    healthcheck: { interval: 500ms, start_period: 1s }
  nginx:
    healthcheck: { interval: 500ms, start_period: 1s }
`;

let fleet: SandboxFleet;
let root: string;
let tarball: string;
beforeAll(async () => {
  fleet = await SandboxFleet.start({ droplets: 2 });
  root = await mkdtemp(join(tmpdir(), 'do-deploy-newcomer-'));
  const { stdout } = await promisify(execFile)('npm', [
    'pack',
    '--ignore-scripts',
    '--json',
    '--pack-destination',
    root,
  ]);
  const [packed] = Object.values(JSON.parse(stdout) as Record<string, { filename: string }>);
  tarball = join(root, packed?.filename ?? '');
});
afterAll(async () => {
  await fleet.stop();
  await rm(root, { recursive: true, force: true });
});

it('installs, runs init with options, checks, and deploys', async ({ annotate }) => {
  const home = join(root, 'home');
  const cwd = join(root, 'shop');
  await mkdir(join(home, '.ssh'), { recursive: true });
  await mkdir(cwd);
  // Like on a person's machine.
  await cp(fleet.region.sshConfigPath, join(home, '.ssh/config'));
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: home,
    CI: 'true',
    NO_COLOR: '1',
    DO_TOKEN: fleet.region.api.token,
    DIGITALOCEAN_API_URL: fleet.region.api.url,
  };
  const seconds: string[] = [];
  const run = async (program: string, ...args: string[]) => {
    const began = performance.now();
    const { stdout, stderr } = await promisify(execFile)(program, args, { cwd, env });
    seconds.push(
      `${((performance.now() - began) / 1000).toFixed(1)} s: ${[program, ...args].join(' ').replace(root, '…')}`,
    );
    return { stdout, stderr };
  };

  await run('npm', 'install', '--save-dev', '--offline', '--no-audit', '--no-fund', tarball);
  // The compose file of step 6, at the top, where many projects have it.
  const example = join(cwd, 'node_modules/do-deploy');
  const compose = await readFile(join(example, 'compose/docker-compose.yml'), 'utf8');
  await writeFile(join(cwd, 'compose.yaml'), compose.replaceAll('../config/', './config/'));
  await writeFile(join(cwd, 'compose.production.yaml'), QUICK_CHECKS);
  await cp(join(example, 'config/nginx'), join(cwd, 'config/nginx'), { recursive: true });
  for (const name of ['common', 'production']) {
    await cp(join(example, `config/.env.${name}.example`), join(cwd, `config/.env.${name}`));
  }

  const init = await run(
    'npx',
    'do-deploy',
    'init',
    '--production',
    `load_balancer=${fleet.region.balancerName}`,
    '--registry',
    'none',
  );
  expect(init.stderr).toBe('');
  expect(init.stdout).toContain('config/deploy.yml: written');
  // Nothing is missing: the token is set, and every file is there.
  expect(init.stdout).not.toMatch(/To set|does not exist/);
  expect(await readFile(join(cwd, 'config/deploy.yml'), 'utf8')).toContain('# yaml-language-server');
  const [, next = ''] = /^Next: do-deploy (.*)$/m.exec(init.stdout) ?? [];
  await run('npx', 'do-deploy', ...next.split(' '));
  await run('npx', 'do-deploy', 'production', 'v1', '--yes');
  expect(await (await fetch(fleet.region.balancerUrl)).text()).toBe('shop v1\n');
  await run('npx', 'do-deploy', 'production', 'v2', '--yes');
  expect(await (await fetch(fleet.region.balancerUrl)).text()).toBe('shop v2\n');
  // --reporter verbose prints it.
  await annotate(seconds.join('\n'));
});

it('offers the load balancers of the account at a terminal', async () => {
  const cwd = join(root, 'blog');
  await mkdir(cwd);
  await writeFile(join(cwd, 'compose.yaml'), 'services: { web: { image: "a/b:$IMAGE_TAG" } }\n');
  const env = { NO_COLOR: '1', DO_TOKEN: fleet.region.api.token, DIGITALOCEAN_API_URL: fleet.region.api.url };
  const keys = [
    ['called', '\r'],
    ['environments', '\r'],
    ['droplets of production', '\r'],
    ['load balancer is that of production', '\r'],
    ['images', '\r'],
  ] as const;
  const { exit, stdout, stderr } = await runCommandLine(['init'], { cwd, env, isTerminal: true, keys });
  expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
  expect(stdout).toContain('2 droplets');
  expect(stdout).not.toContain(fleet.region.api.token);
  expect(await readFile(join(cwd, 'config/deploy.yml'), 'utf8')).toContain(
    `production: { load_balancer: ${fleet.region.balancerName} }`,
  );
});
