/** The lease's process, as a droplet's shell runs it. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FAREWELL, holdLeaseCommand } from '../../../src/deploy/lease/lease-commands.js';

let home: string;
const running: ChildProcessByStdio<Writable, Readable, null>[] = [];
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'do-deploy-lease-'));
});
afterEach(async () => {
  for (const child of running.splice(0)) await end(child);
  await rm(home, { recursive: true, force: true });
});

function hold(app: string, rotation: boolean) {
  const who = { run: `run of ${app}`, app, who: 'ann@laptop', release: 'v1', since: '2026-11-21T07:45:00Z' };
  const { script } = holdLeaseCommand(app, who, rotation);
  const child = spawn('sh', ['-c', script], {
    env: { PATH: process.env.PATH ?? '', HOME: home },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  running.push(child);
  return child;
}

/** Whether it holds the lock, or who does. */
async function answer(child: ChildProcessByStdio<Writable, Readable, null>): Promise<string> {
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'held') return line;
    if (line.startsWith('busy')) return `busy ${JSON.parse(line.slice(5)).run}`;
  }
  return 'nothing';
}

async function end(child: ChildProcessByStdio<Writable, Readable, null>): Promise<void> {
  if (child.exitCode !== null) return;
  const exit = once(child, 'exit');
  child.stdin.end(`${FAREWELL}\n`);
  await exit;
}

it('apps that leave rotation waitForAll hold one lock, and others their own', async () => {
  const shop = hold('shop', true);
  expect(await answer(shop)).toBe('held');
  expect(await answer(hold('shop', true))).toBe('busy run of shop');
  expect(await answer(hold('blog', true)), 'behind the same balancer').toBe('busy run of shop');
  const alone = hold('blog', false);
  expect(await answer(alone), 'a droplet by itself').toBe('held');
  await end(alone);
  await end(shop);
  expect(await answer(hold('blog', true)), 'the other one has ended').toBe('held');
});
