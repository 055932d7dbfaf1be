/** Plays inputs against a target, each within a bound of time; fast-check makes them from a seed. */
import fc from 'fast-check';
import { Broken, type Target } from './target.js';

/** For one input, in ms: far above what a slow machine needs. */
const MAX_MS = 2_000;

export interface Played {
  runs: number;
  /** What is wrong and how to see it again; absent when every promise held. */
  failure?: string;
}

export interface PlayOptions {
  runs: number;
  seed: number;
  /** Of one input, to see it again; then the smallest input that fails the same way is looked for. */
  path?: string;
  /** Called before each input with its number. */
  onInput?: (index: number) => void;
}

export async function play(target: Target, { runs, seed, path, onInput }: PlayOptions): Promise<Played> {
  let index = 0;
  const property = fc.asyncProperty(target.inputs, async (input) => {
    onInput?.(index++);
    await inTime(target, input);
  });
  const looked = { seed, numRuns: path === undefined ? runs : 1, path, endOnFailure: path === undefined };
  const { failed, counterexample, counterexamplePath, errorInstance, numRuns } = await fc.check(property, looked);
  if (!failed) return { runs: numRuns };
  const reason = errorInstance instanceof Error ? (errorInstance.stack ?? errorInstance.message) : errorInstance;
  const shown = fc.stringify(counterexample?.[0]);
  const lines = [
    `${target.name}: ${reason}`,
    `input: ${shown.length > 3_000 ? `${shown.slice(0, 3_000)}… (${shown.length} characters)` : shown}`,
    `To see it again: ${replayCommand(target.name, seed, path ?? counterexamplePath ?? '0')}`,
  ];
  return { runs: numRuns, failure: lines.join('\n') };
}

export function replayCommand(name: string, seed: number, path: string): string {
  return `npm run fuzz -- --target ${name} --seed ${seed} --path ${path}`;
}

/** A pause of the machine is no fault: what takes too long is tried again, and the processor's time counts. */
async function inTime(target: Target, input: unknown): Promise<void> {
  const tookMs = await timed(target, input);
  if (tookMs <= MAX_MS) return;
  const againMs = await timed(target, input);
  if (againMs > MAX_MS) throw new Broken(`one input takes ${Math.round(Math.min(tookMs, againMs))} ms`);
}

async function timed(target: Target, input: unknown): Promise<number> {
  const began = performance.now();
  const used = process.cpuUsage();
  await target.check(input);
  const { user, system } = process.cpuUsage(used);
  return Math.min(performance.now() - began, (user + system) / 1_000);
}
