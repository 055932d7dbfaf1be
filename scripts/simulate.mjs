// Plays random rollouts with the real planner, orchestrator and steps in a simulated world, and looks for broken promises.
// Options: --runs N (rollouts, default 10000), --seed N (of the first story, default from the clock), --workers N,
// --largest N (only fleets of up to N droplets), --layered (only stories with layers), --controlled (only stories that
// pause and bake), --alone (only fleets without a balancer), --canary (only stories that begin with a canary), --roles
// (only fleets with roles), --by-hand (only restarts, and droplets that are taken out by hand), --tally (counts what happened).
// `--replay SEED` plays one story and prints everything that happened in it.
// `--fault NAME` plants one of the faults of test/simulation/mutations.ts and looks for stories that show it.
import { fork } from 'node:child_process';
import { rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { transpile } from '../test/simulation/transpile.mjs';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '10000' },
    seed: { type: 'string' },
    workers: { type: 'string', default: String(availableParallelism()) },
    largest: { type: 'string', default: '200' },
    replay: { type: 'string' },
    fault: { type: 'string' },
    tally: { type: 'boolean', default: false },
    layered: { type: 'boolean', default: false },
    controlled: { type: 'boolean', default: false },
    alone: { type: 'boolean', default: false },
    canary: { type: 'boolean', default: false },
    roles: { type: 'boolean', default: false },
    'by-hand': { type: 'boolean', default: false },
  },
});
/** The ranges of seeds of stories.ts: FIRST_LAYERED, FIRST_ALONE, FIRST_CONTROLLED, FIRST_CANARY, FIRST_ROLES and FIRST_BY_HAND. */
const MILLION = 1_000_000;
const KINDS = {
  layered: { first: MILLION + 1, step: 4 },
  alone: { first: 2 * MILLION + 1, step: 1 },
  controlled: { first: 3 * MILLION + 2, step: 4 },
  canary: { first: 40 * MILLION + 1, step: 1 },
  roles: { first: 50 * MILLION + 1, step: 1 },
  'by-hand': { first: 60 * MILLION + 1, step: 1 },
};
const kind = Object.entries(KINDS).find(([name]) => values[name])?.[1];
const step = kind?.step ?? 1;
const copy = await transpile(`simulate-${process.pid}`);
process.on('exit', () => rmSync(copy, { recursive: true, force: true }));
const folder = `${copy}/test/simulation`;
if (values.fault !== undefined) process.exitCode = await showing(values.fault);
else process.exitCode = values.replay === undefined ? await simulate() : await replay(Number(values.replay));

/** Finds stories that show a fault. */
async function showing(name) {
  const { MUTATIONS } = await import(`${folder}/mutations.js`);
  const fault = MUTATIONS.find((one) => one.name === name);
  if (fault === undefined)
    throw new Error(`no fault has this name; they are:\n${MUTATIONS.map((one) => one.name).join('\n')}`);
  const withFault = await transpile(`fault-${process.pid}`, (path, source) =>
    path === fault.file ? source.replace(fault.text, () => fault.instead) : source,
  );
  process.on('exit', () => rmSync(withFault, { recursive: true, force: true }));
  await import(`${withFault}/test/simulation/sync-gzip.js`);
  const { runSeed } = await import(`${withFault}/test/simulation/run.js`);
  let rollouts = 0;
  for (let seed = firstSeed(1); rollouts < Number(values.runs); seed += step) {
    const report = await runSeed(seed);
    rollouts += report.rollouts;
    const noticed = report.violations.filter(({ rule }) => fault.breaks.includes(rule));
    if (noticed.length > 0) console.log(`seed ${seed}\n${noticed.slice(0, 1).map(lineOf).join('\n')}`);
  }
  return 0;
}

async function replay(seed) {
  await import(`${folder}/sync-gzip.js`);
  const { runSeed } = await import(`${folder}/run.js`);
  const { story, trace, violations } = await runSeed(seed, { trace: true });
  console.log([JSON.stringify(story, null, 2), ...trace, ...violations.map(lineOf)].join('\n'));
  return violations.length > 0 ? 1 : 0;
}

async function simulate() {
  const first = firstSeed(Date.now() % 1_000_000_000);
  const workers = Number(values.workers);
  const each = Math.ceil(Number(values.runs) / workers);
  const began = performance.now();
  const sum = { rollouts: 0, stories: 0, failures: 0 };
  const happened = new Map();
  let printedAt = began;
  const rate = () => Math.round(sum.rollouts / ((performance.now() - began) / 1_000));
  console.log(`Playing ${values.runs} rollouts on ${workers} processes, from seed ${first}.`);

  const ended = Array.from({ length: workers }, (_, index) => {
    const worker = fork(`${folder}/main.js`, [first + index * step, workers * step, each, values.largest].map(String));
    let done = false;
    worker.on('message', (progress) => {
      sum.rollouts += progress.rollouts;
      sum.stories += progress.stories;
      sum.failures += progress.failures.length;
      done ||= progress.done;
      for (const [what, count] of progress.happened) happened.set(what, (happened.get(what) ?? 0) + count);
      for (const { seed, violations } of progress.failures) {
        console.log(`FAILED seed ${seed}\n${violations.slice(0, 3).map(lineOf).join('\n')}`);
      }
      if (performance.now() - printedAt < 10_000) return;
      printedAt = performance.now();
      console.log(`${sum.rollouts} rollouts, ${rate()} a second, ${sum.failures} stories failed`);
    });
    return new Promise((resolve) => worker.on('exit', () => resolve(done)));
  });
  const whole = (await Promise.all(ended)).every(Boolean);

  if (values.tally)
    for (const [what, count] of [...happened].sort()) console.log(`${String(count).padStart(9)}  ${what}`);
  console.log(
    `${sum.rollouts} rollouts in ${sum.stories} stories, ${rate()} a second on ${workers} processes: ${sum.failures} stories failed.`,
  );
  if (sum.failures > 0) console.log('To see one: npm run simulate -- --replay SEED');
  if (!whole) console.log('A worker process ended before its work was done.');
  return whole && sum.failures === 0 ? 0 : 1;
}

function firstSeed(usual) {
  const seed = Number(values.seed ?? usual);
  if (kind === undefined) return seed;
  return kind.first + ((seed - 1) % MILLION) - (((seed - 1) % MILLION) % step);
}

function lineOf({ rule, text, at }) {
  return `  [${rule}] at ${(at / 1_000).toFixed(3)} s: ${text}`;
}
