/**
 * Where a deployer can be killed, down to the call: before a request is applied, after it without an answer, in the middle.
 * The end of a step equals the beginning of the next one, because `heal` has no memory.
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
  /** Its name in the table. */
  name: string;
  step: string;
  /**
   * A fault that holds the step at this point. The deployer is killed when the fault applies to a call or, with
   * `at: 'begins'`, when the step begins.
   */
  hold?: (place: Place) => FaultRule;
  at: 'begins' | 'held' | ((scene: Scene) => Promise<void>);
  /** Done before the run. */
  prepare?: (scene: Omit<Scene, 'run'>, run: RunningCommand) => void;
  /** At the second droplet the result is the same as at the first. */
  once?: boolean;
}

const MEMBERS = '/load_balancers/[^/]+/droplets$';
const TAGGED = '/tags/[^/]+/resources$';

type NamedEffect = Extract<FaultRule['do'], string>;

/** The call that the step makes for this droplet. `before`: number of earlier calls of this kind. */
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
    // One such call comes first: it proves that the token is allowed to.
    hold: call('DELETE', TAGGED, 'hang', 1),
  },
  { name: 'finish', step: 'finish', at: 'begins', once: true },
];

/** Kills the deployer at the point; resolves when it has ended. */
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

/** The new app runs, its proxy has not been checked yet: compose continues by itself on the droplet. */
async function newContainerRuns({ fleet, droplet, next }: Scene): Promise<void> {
  const { engine } = fleet.region.droplet(droplet);
  const runs = () =>
    engine.containers().some(({ running, spec }) => running && spec.image.env.includes(`SHOP_VERSION=${next}`));
  await vi.waitUntil(runs, { timeout: 60_000, interval: 5 });
}

/** Slow enough that the next step does nothing before the deployer has ended. */
function slowCommandsFrom(step: string): (scene: Omit<Scene, 'run'>, run: RunningCommand) => void {
  return ({ fleet, droplet }, run) => {
    const slow = () => void fleet.region.droplet(droplet).setFaults({ execDelayMs: 500 });
    // A run that ends first makes the wait for the kill fail.
    when(run, begins(step, droplet), slow).catch(() => {});
  };
}
