// Feeds do-deploy's readers of foreign text with spoiled input, and looks for crashes, hangs and broken promises.
// Options: --runs N (inputs per target, default 20000), --seed S (default from the clock), --target NAME (default: all),
// --workers N. `--path P` with --target and --seed plays one input again and looks for the smallest one that fails.
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { replayCommand } from '../test/fuzz/play.ts';
import { TARGETS } from '../test/fuzz/targets/index.ts';

/** Without a next input for so long, a target hangs. */
const HANG_MS = 30_000;
/** Of one target's memory, in MiB. */
const MAX_MEMORY = 1_024;

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '20000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
    target: { type: 'string' },
    path: { type: 'string' },
    workers: { type: 'string', default: String(availableParallelism()) },
  },
});
const names = TARGETS.map(({ name }) => name);
const chosen = values.target === undefined ? names : names.filter((name) => name === values.target);
const seed = Number(values.seed);
const runs = Number(values.runs);
if (chosen.length === 0 || !Number.isInteger(seed) || !(runs > 0)) {
  console.error(`Usage: npm run fuzz -- [--runs N] [--seed S] [--target ${names.join('|')}] [--path P]`);
  process.exit(2);
}

console.log(
  `Playing ${values.path === undefined ? `${runs} inputs` : 'one input'} for ${chosen.join(', ')}, from seed ${seed}.`,
);
const waiting = [...chosen];
let failures = 0;
const workers = Array.from({ length: Math.min(Number(values.workers) || 1, chosen.length) }, async () => {
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    const began = performance.now();
    const { played, failure } = await playInWorker(name);
    if (failure !== undefined) failures += 1;
    const seconds = ((performance.now() - began) / 1_000).toFixed(0);
    console.log(failure === undefined ? `ok      ${name}: ${played} inputs, ${seconds} s` : `FAILED  ${failure}`);
  }
});
await Promise.all(workers);
process.exitCode = failures > 0 ? 1 : 0;

/** A worker can be ended while it hangs, and has a bound of memory. */
function playInWorker(name) {
  const count = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(new URL('../test/fuzz/worker.ts', import.meta.url), {
    workerData: { name, runs, seed, path: values.path, count },
    resourceLimits: { maxOldGenerationSizeMb: MAX_MEMORY },
  });
  const at = () => replayCommand(name, seed, values.path ?? String(Math.max(0, Atomics.load(count, 0) - 1)));
  return new Promise((resolve) => {
    let seen = 0;
    const watch = setInterval(() => {
      const now = Atomics.load(count, 0);
      if (now === seen && now > 0) {
        resolve({ failure: `${name}: one input takes longer than ${HANG_MS / 1_000} s\nTo see it again: ${at()}` });
        void worker.terminate();
      }
      seen = now;
    }, HANG_MS);
    worker.on('message', ({ runs: played, failure }) => resolve({ played, failure }));
    worker.on('error', (error) => resolve({ failure: `${name}: ${error.stack ?? error}\nTo see it again: ${at()}` }));
    worker.on('exit', () => {
      clearInterval(watch);
      resolve({ failure: `${name}: the worker ended\nTo see it again: ${at()}` });
    });
  });
}
