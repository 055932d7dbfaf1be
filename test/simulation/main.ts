/**
 * A worker of `npm run simulate`: plays the stories of a range of seeds and tells its parent, batch by batch.
 * Arguments: first seed, step, number of rollouts to play, and the largest fleet.
 */
import './sync-gzip.js';
import type { Violation } from './monitor.js';
import { runScenario } from './run.js';
import { scenarioOf } from './stories.js';

export interface Progress {
  rollouts: number;
  stories: number;
  failures: { seed: number; violations: Violation[] }[];
  /** How often what has happened. */
  happened: [string, number][];
  done: boolean;
}

const [first = 1, step = 1, wanted = 1, largest = 200] = process.argv.slice(2).map(Number);
const TELL_EVERY = 50;

let progress: Progress = empty();
let played = 0;
for (let seed = first; played < wanted; seed += step) {
  const story = scenarioOf(seed);
  if (story.fleet > largest) continue;
  const report = await runScenario(story);
  played += report.rollouts;
  progress.rollouts += report.rollouts;
  progress.stories += 1;
  if (report.violations.length > 0) progress.failures.push({ seed, violations: report.violations });
  const sums = new Map(progress.happened);
  for (const [what, count] of report.happened) sums.set(what, (sums.get(what) ?? 0) + count);
  progress.happened = [...sums];
  if (progress.stories === TELL_EVERY) tell();
}
progress.done = true;
tell();
process.disconnect?.();

function tell(): void {
  process.send?.(progress);
  progress = empty();
}

function empty(): Progress {
  return { rollouts: 0, stories: 0, failures: [], happened: [], done: false };
}
