/** All of the output arrives in a pipe before the process ends. */
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { createProject, deployYml } from '../config/project-folder.js';

/** The command on a file with such long names of variables that no pipe holds the problems with them. */
function start() {
  const unset = Array.from({ length: 20 }, (_, index) => `$N${'X'.repeat(8_000)}_${index}`);
  const root = createProject({ 'config/deploy.yml': deployYml(`rollout: { batch: [${unset.join(', ')}] }`) });
  const child = spawn(process.execPath, [resolve('dist/cli/main.js'), 'status'], {
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
