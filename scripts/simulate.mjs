#!/usr/bin/env node
/**
 * Plays rollouts in virtual time, with random fleets, policies, faults, crashes and second deployers, and checks the safety
 * properties on each (test/simulation/).
 *
 *   npm run simulate -- [--runs 100000] [--seed 1] [--workers 2] [--json]
 *   npm run simulate -- --replay SEED      one story with all that is said and done in it
 *
 * A story has one to four runs of do-deploy and one that must bring the fleet back; --runs counts runs. A seed that fails
 * fails again, in the same way. Exit code 1 when a property was broken.
 */
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { transpile } from '../test/simulation/transpile.mjs';

/** Stories played between two words to the parent. */
const PORTION = 20;

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    workers: { type: 'string', default: String(Math.min(2, availableParallelism())) },
    replay: { type: 'string' },
    json: { type: 'boolean', default: false },
    copy: { type: 'string' },
  },
});

if (process.send !== undefined) await work();
else if (values.replay !== undefined) await replay(Number(values.replay));
else process.exitCode = await simulate();

/** A worker: plays the portions that it is told. */
async function work() {
  const { runSeed } = await import(`${values.copy}/test/simulation/run.js`);
  process.on('message', async ({ from, step }) => {
    const portion = { stories: 0, rollouts: 0, broken: [], happened: {} };
    for (let seed = from; portion.stories < PORTION; seed += step) {
      const report = await runSeed(seed);
      portion.stories += 1;
      portion.rollouts += report.rollouts + 1;
      for (const [what, count] of report.happened) portion.happened[what] = (portion.happened[what] ?? 0) + count;
      for (const { rule, text } of report.violations) portion.broken.push({ seed, rule, text });
    }
    process.send(portion);
  });
  process.send('ready');
}

async function simulate() {
  const copy = await transpile(`simulate-${process.pid}`);
  const wanted = Number(values.runs);
  const workers = Number(values.workers);
  const total = { stories: 0, rollouts: 0, broken: [], happened: {} };
  let next = Number(values.seed);
  const started = performance.now();
  let told = started;
  await Promise.all(
    Array.from(
      { length: workers },
      () =>
        new Promise((resolve, reject) => {
          const child = fork(fileURLToPath(import.meta.url), ['--copy', copy]);
          child.on('exit', (code) =>
            code === 0 || code === null ? resolve() : reject(new Error(`a worker ended: ${code}`)),
          );
          child.on('message', (portion) => {
            if (portion !== 'ready') add(total, portion);
            if (total.rollouts >= wanted) return child.disconnect();
            child.send({ from: next, step: 1 });
            next += PORTION;
            if (!values.json && performance.now() - told > 10_000) {
              told = performance.now();
              process.stdout.write(`${summary(total, started)}\n`);
            }
          });
        }),
    ),
  );
  if (values.json)
    process.stdout.write(`${JSON.stringify({ ...total, seconds: (performance.now() - started) / 1000 })}\n`);
  else {
    process.stdout.write(`${summary(total, started)}\n`);
    for (const { seed, rule, text } of total.broken) process.stdout.write(`seed ${seed}: property ${rule}: ${text}\n`);
    if (total.broken.length > 0) process.stdout.write('Replay one with: npm run simulate -- --replay SEED\n');
  }
  return total.broken.length > 0 ? 1 : 0;
}

function add(total, portion) {
  total.stories += portion.stories;
  total.rollouts += portion.rollouts;
  total.broken.push(...portion.broken);
  for (const [what, count] of Object.entries(portion.happened))
    total.happened[what] = (total.happened[what] ?? 0) + count;
}

function summary({ stories, rollouts, broken }, started) {
  const rate = Math.round(rollouts / ((performance.now() - started) / 1000));
  return `${rollouts} rollouts in ${stories} stories, ${rate} a second, ${broken.length} violations`;
}

async function replay(seed) {
  const { runSeed } = await import(`${await transpile(`replay-${process.pid}`)}/test/simulation/run.js`);
  const { trace, violations } = await runSeed(seed, { trace: true });
  process.stdout.write(`${trace.join('\n')}\n`);
  for (const { rule, text } of violations) process.stdout.write(`property ${rule}: ${text}\n`);
  process.exitCode = violations.length > 0 ? 1 : 0;
}
