/** All of the output arrives in a pipe before the process ends. */
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { createProject, deployYml } from '../config/project-folder.js';

/** The command on a file with such long keys that no pipe holds what it says of them. */
function start() {
  const wrong = Array.from({ length: 1_000 }, (_, index) => `wrong_${'x'.repeat(900)}_${index}: 1`);
  const root = createProject({ 'config/deploy.yml': deployYml(...wrong) });
  const child = spawn(process.execPath, [resolve('dist/main.js'), 'status'], {
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
  expect(said).toMatch(/x_999\b/);
  expect(said).toMatch(/\n {2}try: .*\n$/);
});

it('ends also when its reader goes away', async () => {
  const { child, ended } = start();
  child.stderr.once('data', () => child.stderr.destroy());
  child.stdout.resume();
  expect(await ended).toBe(2);
});
