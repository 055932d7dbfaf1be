// A region, a project and the command, for benchmarks. Uses dist/: run `npm run build` first, like `npm run bench`.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openProject } from '../dist/sandbox/project.js';
import { Region } from '../dist/sandbox/region.js';

export const MAIN = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

/** Ten checks a second and no delay: the rest of a deploy's time is do-deploy's own. */
export const INSTANT = { intervalSeconds: 0.1, healthyThreshold: 1, unhealthyThreshold: 2, timeoutSeconds: 1 };

/** @param firstBatch batch size of the first deploy; this machine cannot start 200 droplets together */
export async function openFleet({ firstBatch = 'all', ...options } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'do-deploy-bench-'));
  const region = await Region.start({
    droplets: 3,
    effectDelayMs: 0,
    healthCheck: INSTANT,
    ...options,
    folder: join(folder, 'r'),
  });
  const project = await openProject(region);
  const run = (args, extra) => runCommand(args, { cwd: project.folder, ...extra });
  if (firstBatch !== 'all') {
    const text = await readFile(project.firstConfig, 'utf8');
    await writeFile(project.firstConfig, text.replace('batch: all', `batch: ${firstBatch}`));
  }
  const first = await run([
    'deploy',
    'sandbox',
    'v1',
    '--yes',
    '--json',
    '--allow-downtime',
    '--config',
    project.firstConfig,
  ]);
  if (first.code !== 0) throw new Error(`the first deploy failed:\n${endOf(first)}`);
  return {
    region,
    folder: project.folder,
    run,
    async close() {
      await region.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Why a run has failed, without the rows, which would fill a page for a large fleet. */
export function endOf({ events, stderr }) {
  const { error, summary, evidence } = events.findLast((event) => event.type === 'rollout-finished')?.result ?? {};
  return `${JSON.stringify({ summary, error, evidence }, undefined, 2)}\n${stderr}`;
}

/** Runs the command until it ends. `peakBytes`: the largest resident set (Linux), sampled. */
export async function runCommand(args, { cwd, sample = false } = {}) {
  const started = performance.now();
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd,
    env: { PATH: process.env.PATH, HOME: cwd, CI: 'true' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => (stdout += chunk));
  child.stderr.on('data', (chunk) => (stderr += chunk));
  let peakBytes = 0;
  const sampler =
    sample &&
    setInterval(async () => {
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '');
      const peak = Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
      peakBytes = Math.max(peakBytes, peak);
    }, 100);
  const [code] = await once(child, 'close');
  if (sampler) clearInterval(sampler);
  const events = args.includes('--json')
    ? stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line))
    : [];
  return { code, ms: performance.now() - started, stdout, stderr, events, peakBytes };
}

export const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
