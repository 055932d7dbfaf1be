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
import { Secret } from '../../src/config/secret.js';
import type { Settings } from '../../src/config/settings.js';
import { readHooks as readHooksOf } from '../../src/layers/hooks.js';
import type { HandlerContext, LifecyclePayload } from '../../src/rollout/lifecycle.js';

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
  ({ root, hooks: { folder: 'config/hooks', secrets: {}, timeoutMs: 30_000 }, secrets: [], ...more }) as Settings;

const never = () => false;

function readHooks(of: Settings, env: Record<string, string | undefined>, isSecret: (value: string) => boolean) {
  return readHooksOf(of, env, isSecret, systemClock);
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
  expect(() => readHooks(settings(), {}, never)).toThrow(
    expect.objectContaining({ code: 'hook-not-executable', hint: 'Run: chmod +x config/hooks/deploy' }),
  );
});

describe('that would never run are refused:', () => {
  const refusal = () => {
    try {
      readHooks(settings(), {}, never);
    } catch (error) {
      const { code, message, hint } = error as { code: string; message: string; hint: string };
      return `${code}: ${message} ${hint}`;
    }
    return undefined;
  };

  it.each([
    ['pre-deploy', 'Run: mv config/hooks/pre-deploy config/hooks/pre_deploy'],
    ['pre_deploy.sh', 'Run: mv config/hooks/pre_deploy.sh config/hooks/pre_deploy'],
    ['post_deplyo', 'Run: mv config/hooks/post_deplyo config/hooks/post_deploy'],
    ['docker-setup', 'The events are configure,'],
    ['pre_deply.d/10-a', 'Run: mv config/hooks/pre_deply.d config/hooks/pre_deploy.d'],
  ])('%s', (name, hint) => {
    write('config/hooks/aaa/x', '');
    write(`config/hooks/${name}`, '#!/bin/sh\n');
    expect(refusal()).toMatch(/^hook-unknown: /);
    expect(refusal()).toContain(hint);
  });

  it('a folder, a file or a link where something else should be', () => {
    write('config/hooks/pre_deploy/x', '');
    expect(refusal()).toContain('config/hooks/pre_deploy is not a file, so nothing would run');
    rmSync(join(root, 'config/hooks'), { recursive: true });
    write('config/hooks/deploy.d', '');
    expect(refusal()).toContain('config/hooks/deploy.d is not a folder');
    rmSync(join(root, 'config/hooks'), { recursive: true });
    write('config/hooks/README', '', 0o644);
    write('config/hooks/pre_deploy.sample', '#!/bin/sh\n');
    expect(refusal()).toBeUndefined();
    symlinkSync('deploy', join(root, 'config/hooks/deploy'));
    expect(refusal()).toContain('config/hooks/deploy is not a file');
  });
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
  const hooks = { folder: 'config/hooks', secrets: { DEPLOY_KEY: new Secret('named-secret') }, timeoutMs: 1_000 };
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
  write('config/hooks/deploy', '#!/no/such/interpreter\n');
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
