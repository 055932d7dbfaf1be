/**
 * Where a deployer can die, to the call: before its request is applied, after it without an answer, half-way through.
 * The end of a step is the beginning of the next one: `heal` remembers nothing, and finds the same.
 */
import { vi } from 'vitest';
import type { FaultRule } from '../../src/sandbox/faults.js';
import { begins, when } from './moments.js';
import type { RunningCommand, SandboxFleet } from './sandbox-fleet.js';

export type Place = 'first' | 'second';
export const DROPLETS: Record<Place, string> = { first: 'web-1', second: 'web-2' };

export interface Scene {
  fleet: SandboxFleet;
  run: RunningCommand;
  droplet: string;
  /** The version that is being deployed. */
  next: string;
}

export interface CrashPoint {
  /** As the table names it. */
  name: string;
  step: string;
  /**
   * A fault that keeps the step from going further than this point. The deployer is killed when a call meets it, or,
   * with `at: 'begins'`, as soon as the step begins.
   */
  hold?: (place: Place) => FaultRule;
  at: 'begins' | 'held' | ((scene: Scene) => Promise<void>);
  /** To be done before the run. */
  prepare?: (scene: Omit<Scene, 'run'>, run: RunningCommand) => void;
  /** At the second droplet it is the same as at the first. */
  once?: boolean;
}

const MEMBERS = '/load_balancers/[^/]+/droplets$';
const TAGGED = '/tags/[^/]+/resources$';

type NamedEffect = Extract<FaultRule['do'], string>;

/** The call that the step makes for this droplet. `before`: calls of the kind that come earlier. */
function call(method: string, path: string, effect: NamedEffect, before = 0): (place: Place) => FaultRule {
  return (place) => ({ on: { method, path, nth: before + (place === 'first' ? 1 : 2) }, do: effect });
}

export const CRASH_POINTS: CrashPoint[] = [
  { name: 'connect', step: 'connect', at: 'begins' },
  { name: 'check', step: 'check', at: 'begins' },
  { name: 'upload', step: 'upload', at: 'begins' },
  { name: 'pull', step: 'pull', at: 'begins' },
  {
    name: 'mark-out',
    step: 'mark-out',
    at: 'held',
    hold: call('POST', TAGGED, 'hang'),
  },
  { name: 'leave', step: 'leave', at: 'held', hold: call('DELETE', MEMBERS, 'hang') },
  {
    name: 'leave, done but not answered',
    step: 'leave',
    at: 'held',
    hold: call('DELETE', MEMBERS, 'withhold-reply'),
  },
  { name: 'drain', step: 'drain', at: 'begins' },
  { name: 'switch', step: 'switch', at: 'begins' },
  { name: 'switch, containers half replaced', step: 'switch', at: newContainerRuns },
  { name: 'health', step: 'health', at: 'begins', prepare: slowCommandsFrom('switch') },
  { name: 'balancer-check', step: 'balancer-check', at: 'begins', prepare: slowCommandsFrom('health') },
  { name: 'rejoin', step: 'rejoin', at: 'held', hold: call('POST', MEMBERS, 'hang') },
  {
    name: 'rejoin, done but not answered',
    step: 'rejoin',
    at: 'held',
    hold: call('POST', MEMBERS, 'withhold-reply'),
  },
  { name: 'settle', step: 'settle', at: 'begins' },
  { name: 'clear', step: 'clear', at: 'begins', prepare: slowCommandsFrom('settle') },
  {
    name: 'clear, release confirmed',
    step: 'clear',
    at: 'held',
    // One such call comes before: the proof that the token may do it.
    hold: call('DELETE', TAGGED, 'hang', 1),
  },
  { name: 'finish', step: 'finish', at: 'begins', once: true },
];

/** Kills the deployer at the point; resolves when it is dead. */
export async function killAt(point: CrashPoint, place: Place, scene: Scene): Promise<void> {
  const { fleet, run, droplet } = scene;
  point.prepare?.(scene, run);
  const fault = point.hold && fleet.region.faults.add(point.hold(place));
  const kill = () => void run.child.kill('SIGKILL');
  if (point.at === 'begins') await when(run, begins(point.step, droplet), kill);
  else {
    await when(run, begins(point.step, droplet));
    if (point.at === 'held') {
      const met = () => fleet.region.faults.list().some(({ id, met }) => id === fault?.id && met > 0);
      await vi.waitUntil(met, { timeout: 60_000, interval: 5 });
    } else await point.at(scene);
    kill();
  }
  await run.ended;
  fleet.region.faults.remove();
  await fleet.region.droplet(droplet).clearFaults();
}

/** The new app runs, the proxy before it has not been looked at yet: compose goes on by itself, with nobody to tell. */
async function newContainerRuns({ fleet, droplet, next }: Scene): Promise<void> {
  const { engine } = fleet.region.droplet(droplet);
  const runs = () =>
    engine.containers().some(({ running, spec }) => running && spec.image.env.includes(`SHOP_VERSION=${next}`));
  await vi.waitUntil(runs, { timeout: 60_000, interval: 5 });
}

/** So slow that nothing of the next step is done before the deployer is dead. */
function slowCommandsFrom(step: string): (scene: Omit<Scene, 'run'>, run: RunningCommand) => void {
  return ({ fleet, droplet }, run) => {
    const slow = () => void fleet.region.droplet(droplet).setFaults({ execDelayMs: 500 });
    // A run that ends before is noticed by who waits for the kill.
    when(run, begins(step, droplet), slow).catch(() => {});
  };
}
