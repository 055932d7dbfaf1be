/** Output as processes see it: whole, through a pipe whose reader may leave, or onto a disk that is full. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, openSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createProject, deployYml } from '../config/project-folder.js';

const MAIN = resolve('dist/main.js');

/** The command on a file with such long names of variables that no pipe holds the problems with them. */
function start() {
  const unset = Array.from({ length: 20 }, (_, index) => `$N${'X'.repeat(8_000)}_${index}`);
  const root = createProject({ 'config/deploy.yml': deployYml(`rollout: { batch: [${unset.join(', ')}] }`) });
  const child = spawn(process.execPath, [MAIN, 'status'], {
    cwd: root,
    env: { PATH: process.env.PATH ?? '', HOME: root, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null>((settle) => child.on('close', settle));
  return { child, ended };
}

it('is written whole before the process ends', async () => {
  const { child, ended } = start();
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    said += chunk;
  });
  child.stdout.resume();
  expect(await ended).toBe(2);
  expect(said).toMatch(/X_19\b/);
  expect(said.length).toBeGreaterThan(200_000);
  expect(said).toMatch(/\n {2}try: .*\n$/);
});

it('ends also when its reader goes away', async () => {
  const { child, ended } = start();
  child.stderr.once('data', () => child.stderr.destroy());
  child.stdout.resume();
  expect(await ended).toBe(2);
});

describe('standard output', () => {
  const run = (args: string[], stdout: 'pipe' | number) => {
    const root = createProject({ 'config/deploy.yml': 'app: shop\n' });
    execFileSync('git', ['init'], { cwd: root, stdio: 'pipe' });
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd: root,
      env: { PATH: process.env.PATH ?? '', HOME: root, NO_COLOR: '1' },
      stdio: ['ignore', stdout, 'pipe'],
    });
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      stderr += chunk;
    });
    const ended = new Promise<{ exit: number | null; stderr: string }>((settle) => {
      child.on('close', (exit) => settle({ exit, stderr }));
    });
    return { child, ended };
  };

  it.runIf(existsSync('/dev/full')).each([[['--help']], [['--version']], [['tags']], [['tags', '--json']]])(
    'on a full disk fails the command %j',
    async (args) => {
      const { exit, stderr } = await run(args, openSync('/dev/full', 'w')).ended;
      expect(stderr).toContain('error: Standard output cannot be written: ENOSPC: no space left on device');
      expect(exit).toBe(1);
    },
  );

  it('whose reader is gone fails nothing', async () => {
    const { child, ended } = run(['tags'], 'pipe');
    child.stdout?.destroy();
    expect(await ended).toEqual({ exit: 0, stderr: '' });
  });
});
