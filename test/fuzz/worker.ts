/** Plays one target in a thread of its own, for scripts/fuzz.mjs. */
import { parentPort, workerData } from 'node:worker_threads';
import { play } from './play.js';
import { TARGETS } from './targets/index.js';

const { name, runs, seed, path, count } = workerData as {
  name: string;
  runs: number;
  seed: number;
  path?: string;
  /** The number of the input that is played, from 1. */
  count: Int32Array;
};
const target = TARGETS.find((one) => one.name === name);
if (target === undefined) throw new Error(`there is no target ${name}`);
parentPort?.postMessage(await play(target, { runs, seed, path, onInput: () => void Atomics.add(count, 0, 1) }));
