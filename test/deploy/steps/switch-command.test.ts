import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { StoredRelease } from '../../../src/deploy/release/stored-release.js';
import { switchCommand } from '../../../src/deploy/steps/switch-release.js';

/** Takes its time, and ends only when the test lets it. */
const START_UP = `echo begin >>"$HOME/log"
while [ -e "$HOME/wait" ]; do sleep 0.02; done
echo end >>"$HOME/log"
`;

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'do-deploy-switch-'));
  await mkdir(join(home, 'do-deploy/shop/lease'), { recursive: true });
  await mkdir(join(home, 'locks'));
  for (const record of ['do-deploy/shop/lease/holder', 'locks/app-shop.holder']) {
    await writeFile(join(home, record), '{"run":"this run","who":"ann@laptop"}\n');
  }
  for (const release of ['r1', 'r2']) {
    await mkdir(join(home, 'do-deploy/shop/releases', release, 'scripts'), { recursive: true });
    await writeFile(join(home, 'do-deploy/shop/releases', release, 'scripts/start-up.sh'), START_UP);
  }
});
afterEach(() => rm(home, { recursive: true, force: true }));

const log = async () => (await readFile(join(home, 'log'), 'utf8').catch(() => '')).split('\n').filter(Boolean);

function start(release: string) {
  const record: StoredRelease = {
    id: release,
    app: 'shop',
    environment: 'production',
    imageTag: release,
    content: '',
    identity: '',
    createdAt: '',
    createdBy: '',
    composeFiles: [],
    envFiles: [],
    images: {},
    services: [],
  };
  const state = { release, phase: 'switching' as const, run: 'this run', since: '2026-11-21T07:45:00Z' };
  const { script } = switchCommand(record, state, { again: false, timeoutMs: 1_000 });
  const env = { PATH: process.env.PATH ?? '', HOME: home, DO_DEPLOY_LOCK_DIR: join(home, 'locks') };
  return spawn('sh', ['-c', script], { env, stdio: 'ignore' });
}

it('a switch waits for the end of one that a dead run has left at work', async () => {
  await writeFile(join(home, 'wait'), '');
  const first = start('r1');
  await vi.waitUntil(async () => (await log()).length === 1, { timeout: 20_000, interval: 10 });
  // As sshd leaves a command behind whose connection is gone: its shell dies, what it started goes on.
  first.kill('SIGKILL');
  await once(first, 'exit');

  const second = start('r2');
  const ended = once(second, 'exit');
  const state = () => readFile(join(home, 'do-deploy/shop/state.json'), 'utf8');
  // Long enough for it to begin, if it did not wait.
  await expect(vi.waitUntil(async () => (await log()).length > 1, { timeout: 500, interval: 10 })).rejects.toThrow();
  expect(JSON.parse(await state())).toMatchObject({ release: 'r1' });

  await rm(join(home, 'wait'));
  expect(await ended).toEqual([0, null]);
  expect(await log()).toEqual(['begin', 'end', 'begin', 'end']);
  expect(JSON.parse(await state())).toMatchObject({ release: 'r2' });
});
