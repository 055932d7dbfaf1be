import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/adapters/system-clock.js';
import { listenForSignals } from '../../src/cli/signals.js';
import { Secret } from '../../src/config/secret.js';
import type { Settings } from '../../src/config/settings.js';
import { findHooks } from '../../src/layers/find-hooks.js';
import { hookHandlers } from '../../src/layers/hooks.js';
import { layerReader } from '../../src/layers/read-layers.js';
import type { HandlerContext, LifecyclePayload } from '../../src/rollout/lifecycle.js';
import { COMPOSE, createProject, deployYml, problemsOf } from '../config/project-folder.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'do-deploy-hooks-'));
  return () => rmSync(root, { recursive: true, force: true });
});

function write(path: string, script: string, mode = 0o755) {
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), script);
  chmodSync(join(root, path), mode);
}

const settings = (more: Partial<Settings> = {}) =>
  ({ root, hooks: { folder: 'config/hooks', secrets: {}, timeoutMs: 30_000, programs: [] }, ...more }) as Settings;

const never = () => false;

/** Of the folder as it is now. */
function readHooks(of: Settings, env: Record<string, string | undefined>, isSecret: (value: string) => boolean) {
  const hooks = of.hooks && { ...of.hooks, programs: findHooks({ root, folder: 'config/hooks' }, expect.unreachable) };
  return hookHandlers({ ...of, hooks }, env, isSecret, systemClock);
}

/** As the user reads them. */
function problems(folder = 'config/hooks'): string[] {
  const found: string[] = [];
  findHooks({ root, folder }, (place, message, remedy) => found.push(`${place}: ${message}; ${remedy}`));
  return found;
}

const payload = {
  event: 'pre_deploy',
  command: 'deploy',
  app: 'shop',
  environment: 'production',
  release: { id: 'r2', imageTag: 'v2' },
  droplets: ['web-1', 'web-2'],
} as LifecyclePayload;

function context(signal = new AbortController().signal) {
  const lines: string[] = [];
  const given = { signal, log: (line: string) => lines.push(line) } as unknown as HandlerContext;
  return { lines, given };
}

it('are the executables of an event, then those of its folder by name, and nothing else', () => {
  for (const path of ['pre_deploy', 'pre_deploy.d/20-b', 'pre_deploy.d/10-a', 'deploy_failed']) {
    write(`config/hooks/${path}`, '#!/bin/sh\n');
  }
  write('config/hooks/pre_deploy.d/.hidden', '');
  expect(readHooks(settings(), {}, never).map(({ name, event }) => `${event}: ${name}`)).toEqual([
    'pre_deploy: hook config/hooks/pre_deploy',
    'pre_deploy: hook config/hooks/pre_deploy.d/10-a',
    'pre_deploy: hook config/hooks/pre_deploy.d/20-b',
    'deploy_failed: hook config/hooks/deploy_failed',
  ]);
  expect(readHooks(settings({ hooks: undefined }), {}, never)).toEqual([]);
});

it('that are not executable are refused, with the command that helps', () => {
  write('config/hooks/deploy', '#!/bin/sh\n', 0o644);
  write('config/hooks/deploy.d/a b', '#!/bin/sh\n', 0o644);
  expect(problems()).toEqual([
    'config/hooks/deploy: is not executable; run `chmod +x config/hooks/deploy`',
    "config/hooks/deploy.d/a b: is not executable; run `chmod +x 'config/hooks/deploy.d/a b'`",
  ]);
});

it('with Windows line endings are refused', () => {
  write('config/hooks/deploy', '#!/bin/sh\r\necho\r\n');
  expect(problems()).toEqual([
    "config/hooks/deploy: has Windows line endings, which Linux reads as part of the #! line; run `sed -i 's/\\r$//' config/hooks/deploy`",
  ]);
});

it('have an interpreter that exists', () => {
  write('config/hooks/deploy', '#!/no/such/interpreter -e\n');
  write('config/hooks/deploy.d/env', '#! /usr/bin/env sh\n');
  expect(problems()).toEqual([
    'config/hooks/deploy: begins with #!/no/such/interpreter, which does not exist; correct its first line, such as `#!/bin/sh`',
  ]);
});

it('are not their backups', () => {
  for (const name of ['10-a', '10-a~', '10-a.orig', '10-a.dpkg-old', '10-a.swp', '#10-a#', '20-b.sh']) {
    write(`config/hooks/deploy.d/${name}`, '#!/bin/sh\n');
  }
  write('config/hooks/pre_deploy.bak', '#!/bin/sh\n');
  expect(problems()).toEqual([]);
  expect(readHooks(settings(), {}, never).map(({ name }) => name)).toEqual([
    'hook config/hooks/deploy.d/10-a',
    'hook config/hooks/deploy.d/20-b.sh',
  ]);
});

describe('that would never run are refused:', () => {
  it.each([
    ['pre-deploy', 'run `mv config/hooks/pre-deploy config/hooks/pre_deploy`'],
    ['pre_deploy.sh', 'run `mv config/hooks/pre_deploy.sh config/hooks/pre_deploy`'],
    ['post_deplyo', 'run `mv config/hooks/post_deplyo config/hooks/post_deploy`'],
    ['docker-setup', 'the events are configure,'],
    ['pre_deply.d/10-a', 'run `mv config/hooks/pre_deply.d config/hooks/pre_deploy.d`'],
  ])('%s', (name, remedy) => {
    write('config/hooks/aaa/x', '');
    write(`config/hooks/${name}`, '#!/bin/sh\n');
    expect(problems()).toEqual([
      expect.stringContaining(
        `config/hooks/${name.split('/')[0]}: is not named after an event, so it would never run; ${remedy}`,
      ),
    ]);
  });

  it('a folder, a file or a link where something else should be', () => {
    write('config/hooks/pre_deploy/x', '');
    write('config/hooks/deploy.d', '');
    write('config/hooks/README', '', 0o644);
    write('config/hooks/pre_deploy.sample', '#!/bin/sh\n');
    symlinkSync('post_deploy', join(root, 'config/hooks/post_deploy'));
    expect(problems()).toEqual([
      'config/hooks/deploy.d: is not a folder, so nothing would run; see what it is: `ls -ld config/hooks/deploy.d`',
      'config/hooks/post_deploy: is not a file, so nothing would run; see what it is: `ls -ld config/hooks/post_deploy`',
      'config/hooks/pre_deploy: is not a file, so nothing would run; see what it is: `ls -ld config/hooks/pre_deploy`',
    ]);
    expect(problems('config/none')).toEqual([]);
    expect(problems('config/hooks/README')).toEqual([expect.stringContaining('README: is not a folder; see what')]);
  });
});

it('are refused together with what else is wrong, before anything is contacted', async () => {
  const project = createProject({
    ...COMPOSE,
    'config/deploy.yml': deployYml('keep_releases: none', 'hooks: { folder: config/hook }', 'layers: { slak: {} }'),
    'config/hooks/deploy': '',
    'config/hooks/pre-deploy*': '',
  });
  const own = { readLayers: layerReader((value) => new Secret(value), systemClock), findHooks };
  expect(await problemsOf(project, own)).toEqual([
    expect.stringMatching(/^config\/deploy\.yml:3: keep_releases /),
    'config/deploy.yml:4: hooks: there is no folder config/hook; run `mkdir -p config/hook`, or remove the setting',
    expect.stringMatching(/^config\/deploy\.yml:5: layers\.slak is not a layer/),
  ]);
  writeFileSync(join(project, 'config/deploy.yml'), deployYml('keep_releases: none'));
  expect(await problemsOf(project, own)).toEqual([
    expect.stringMatching(/^config\/deploy\.yml:3: keep_releases /),
    'config/hooks/pre-deploy: is not named after an event, so it would never run; run `mv config/hooks/pre-deploy config/hooks/pre_deploy`',
    'config/hooks/deploy: is not executable; run `chmod +x config/hooks/deploy`',
  ]);
  expect(await problemsOf(project), 'in commands that run no hooks').toHaveLength(1);
});

it.each(['/etc', '../hooks'])('in a folder outside of the project are refused: %s', async (folder) => {
  const project = createProject({ ...COMPOSE, 'config/deploy.yml': deployYml(`hooks: ${folder}`) });
  expect(await problemsOf(project, { findHooks, readLayers: async () => [] })).toEqual([
    `config/deploy.yml:3: hooks: ${folder} is outside of the project; name a folder of the project, such as config/hooks`,
  ]);
});

it('of a line without an end, only the beginning is kept', async () => {
  write('config/hooks/pre_deploy', `#!/bin/sh\nyes | tr -d '\\n' | head -c 50000000\necho\necho done\n`);
  const [hook] = readHooks(settings(), { PATH: process.env.PATH }, never);
  const { lines, given } = context();
  const before = process.memoryUsage().rss;
  await hook?.handle(payload, given);
  expect(lines.map((line) => line.length)).toEqual([2_000, 4]);
  expect(process.memoryUsage().rss - before).toBeLessThan(40_000_000);
});

it('get the event and no secrets, except those that are named', async () => {
  write('config/hooks/pre_deploy', '#!/bin/sh\nenv\necho "$PWD"\ncat\necho warned >&2\n');
  const env = {
    PATH: process.env.PATH,
    DO_TOKEN: 'dop_v1_a',
    MYSQL_PASSWORD: 'b',
    GITHUB_PAT: 'c-pat',
    AWS_ACCESS_KEY_ID: 'c-key',
    SSH_AUTH_SOCK: '/run/agent',
    PLAIN: 'hidden-value',
    COLOUR: 'green',
  };
  const hooks = {
    folder: 'config/hooks',
    secrets: { DEPLOY_KEY: new Secret('named-secret') },
    timeoutMs: 1_000,
    programs: [],
  };
  const [hook] = readHooks(settings({ hooks }), env, (value) => value.includes('hidden'));
  const { lines, given } = context();
  await hook?.handle(payload, given);
  const text = lines.join('\n');
  expect(text).toContain('DO_DEPLOY_EVENT=pre_deploy');
  expect(text).toContain('DO_DEPLOY_DROPLETS=web-1 web-2');
  expect(text).toContain('DEPLOY_KEY=named-secret');
  expect(text).toContain('COLOUR=green');
  expect(text).toContain(JSON.stringify(payload));
  expect(lines).toContain(root);
  expect(lines).toContain('warned');
  expect(text).not.toMatch(/dop_v1_a|MYSQL_PASSWORD|c-pat|c-key|hidden-value/);
  expect(text).toContain('SSH_AUTH_SOCK=/run/agent');
});

it('fail by their exit code, and also when they cannot be started', async () => {
  write('config/hooks/pre_deploy', '#!/bin/sh\nexit 3\n');
  write('config/hooks/deploy', '#!/tmp\n');
  const [first, second] = readHooks(settings(), {}, never);
  await expect(first?.handle(payload, context().given)).rejects.toThrow('exit code 3');
  await expect(second?.handle(payload, context().given)).rejects.toThrow('it cannot be started');
});

it('are ended with their children when their time is over, and print a bounded number of lines', async () => {
  write('config/hooks/pre_deploy', `#!/bin/sh\nseq 1 3000\n(sleep 3; touch ${root}/late) &\nsleep 60\n`);
  const [hook] = readHooks(settings(), { PATH: process.env.PATH }, never);
  const stop = new AbortController();
  const { lines, given } = context(stop.signal);
  const running = hook?.handle(payload, given);
  while (!lines.some((line) => line.startsWith('only the first'))) await new Promise((wake) => setTimeout(wake, 20));
  stop.abort();
  await expect(running).rejects.toThrow('SIGTERM');
  expect(lines).toHaveLength(1_001);
  await new Promise((wake) => setTimeout(wake, 3_500));
  expect(existsSync(join(root, 'late')), 'the child').toBe(false);
  expect(readFileSync(join(root, 'config/hooks/pre_deploy'), 'utf8')).toContain('sleep');
});

/** One that has ended stays in the table, as `Z`, until its parent asks for its exit code. */
function isRunning(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

it.skipIf(process.platform !== 'linux')('take with them what they started in sessions of their own', async () => {
  const start = `setsid sh -c 'echo $$ >${root}/own; exec sleep 60' &\n(setsid -f sh -c 'echo $$ >${root}/daemon; exec sleep 60')`;
  write('config/hooks/pre_deploy', `#!/bin/sh\ntrap '' TERM\n${start}\necho ready\nwhile :; do sleep 1; done\n`);
  const [hook] = readHooks(settings(), { PATH: process.env.PATH }, never);
  const stop = new AbortController();
  const { lines, given } = context(stop.signal);
  const running = hook?.handle(payload, given);
  const pids = () => ['own', 'daemon'].map((name) => readFileSync(join(root, name), 'utf8').trim()).map(Number);
  while (
    !lines.includes('ready') ||
    !existsSync(join(root, 'own')) ||
    !existsSync(join(root, 'daemon')) ||
    pids().includes(0)
  ) {
    await new Promise((wake) => setTimeout(wake, 20));
  }
  const started = pids();
  stop.abort();
  await expect(running).rejects.toThrow('SIGKILL');
  await expect.poll(() => started.filter(isRunning), { timeout: 20_000 }).toEqual([]);
});

it('may clean up when their time is over, and are killed 5 s later', async () => {
  write('config/hooks/pre_deploy', `#!/bin/sh\ntrap 'echo cleaned; exit 9' TERM\necho ready\nsleep 60 & wait\n`);
  write('config/hooks/deploy', `#!/bin/sh\ntrap '' TERM\necho ready\nwhile :; do sleep 1; done\n`);
  const hooks = readHooks(settings(), { PATH: process.env.PATH }, never);
  const ends = hooks.map(async (hook) => {
    const stop = new AbortController();
    const { lines, given } = context(stop.signal);
    const running = hook.handle(payload, given);
    while (!lines.includes('ready')) await new Promise((wake) => setTimeout(wake, 20));
    stop.abort();
    await expect(running).rejects.toThrow(hook.event === 'deploy' ? 'SIGKILL' : 'exit code 9');
    return lines;
  });
  expect(await Promise.all(ends)).toEqual([['ready', 'cleaned'], ['ready']]);
});

it.each(['SIGINT', 'SIGTERM'] as const)(
  'that ignore %s leave a second one to the run that waits for it',
  async (name) => {
    write('config/hooks/pre_deploy', `#!/bin/sh\ntrap '' TERM INT\necho ready\nwhile :; do sleep 1; done\n`);
    const [hook] = readHooks(settings(), { PATH: process.env.PATH }, never);
    const stop = new AbortController();
    const { lines, given } = context(stop.signal);
    const signals = listenForSignals(process, { ...systemClock, now: () => times.shift() ?? 10_000 });
    const times = [0, 5_000];
    const running = hook?.handle(payload, given);
    while (!lines.includes('ready')) await new Promise((wake) => setTimeout(wake, 20));
    signals.interrupted.addEventListener('abort', () => stop.abort());
    process.emit(name, name);
    process.emit(name, name);
    expect(signals.aborted.aborted).toBe(true);
    await expect(running).rejects.toThrow('SIGKILL');
  },
);

it('may leave a daemon running that keeps their output open', async () => {
  write('config/hooks/pre_deploy', `#!/bin/sh\necho started\nsleep 30 &\necho $! >${root}/pid\n`);
  const [hook] = readHooks(settings(), { PATH: process.env.PATH }, never);
  const { lines, given } = context();
  await hook?.handle(payload, given);
  expect(lines).toEqual(['started']);
  const pid = Number(readFileSync(join(root, 'pid'), 'utf8'));
  expect(process.kill(pid, 0), 'it runs').toBe(true);
  process.kill(pid);
});
