/**
 * A deploy under load while something goes wrong. It either succeeds, or fails with the cause and leaves a fleet that
 * `heal` restores once the fault is gone. In both cases no request fails.
 */
import { expect } from 'vitest';
import type { Borrowed } from './fleet-pool.js';
import { expectNoFailures, expectWhole } from './fleet-state.js';
import { type Healed, heal, takeWay } from './heal-fleet.js';
import { begins, when } from './moments.js';
import type { CommandEnd, SandboxFleet } from './sandbox-fleet.js';

export interface FaultCase {
  /** Completes "when …, a deploy …". */
  fault: string;
  /** When it is added: when a step begins on a droplet. Absent: before the run. */
  at?: { step: string; droplet: string };
  /** Adds the fault. */
  make(fleet: SandboxFleet): unknown;
  /** Absent: the deploy succeeds. */
  fails?: { code: string; says: RegExp; exit?: number /** Nothing had left rotation. */; untouched?: true };
  /** A notice that reports it. */
  notice?: RegExp;
  /** Undoes what `calm` does not. */
  fix?(fleet: SandboxFleet): unknown;
  /** The fleet cannot be used afterwards. */
  spoils?: true;
  /** This droplet disappears with requests in progress, which fail. */
  cuts?: string;
}

export function titleOf({ fault, fails }: FaultCase): string {
  return `when ${fault}, a deploy ${fails === undefined ? 'succeeds' : `fails with ${fails.code}, and heal restores the fleet`}`;
}

export async function deployThrough(one: FaultCase, { fleet, old, next, discard }: Borrowed): Promise<void> {
  if (one.spoils) discard();
  const cut = one.cuts === undefined ? undefined : fleet.region.droplet(one.cuts).id;
  const load = fleet.load(20);
  const end = await deployUnder(one, fleet, next);
  if (one.fails === undefined) {
    expect(end, explained(end)).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
  } else {
    const { code, says, exit = 1, untouched } = one.fails;
    expect(end, explained(end)).toMatchObject({ code: exit, result: { outcome: 'failed', error: { code } } });
    expect(JSON.stringify(end.result?.error)).toMatch(says);
    if (untouched) expect(end.events.some(({ type }) => type === 'batch-started')).toBe(false);
  }
  if (one.notice) expect(noticesOf(end)).toMatch(one.notice);
  await calm(fleet);
  await one.fix?.(fleet);
  let healed: Healed | undefined;
  if (one.fails !== undefined) {
    healed = await heal(fleet, [old, next]);
  }
  const report = await load.stop();
  if (cut === undefined) expectNoFailures(report);
  else expect(report.failed, 'failed, cut off').toBe(cutOff(fleet, cut));
  if (healed === undefined) expect(expectWhole(fleet)).toBe(next);
  else await takeWay(fleet, healed, 'back');
}

async function deployUnder({ at, make }: FaultCase, fleet: SandboxFleet, next: string): Promise<CommandEnd> {
  if (at === undefined) await make(fleet);
  const run = fleet.start(['deploy', 'sandbox', next, '--yes', '--json']);
  if (at !== undefined) await when(run, begins(at.step, at.droplet), () => void make(fleet));
  return await run.ended;
}

/** Removes all faults. */
export async function calm({ region }: SandboxFleet): Promise<void> {
  region.faults.remove();
  Object.assign(region.world.timing, { apiDelayMs: 0, effectDelayMs: 200, busyMs: 0 });
  region.world.balancer(region.balancerId).status = 'active';
  await Promise.all([...region.droplets.values()].map((droplet) => droplet.clearFaults()));
}

/** Number of requests that failed at this droplet. */
function cutOff({ region }: SandboxFleet, dropletId: number): number {
  return region.balancer.failures.filter((failure) => failure.dropletId === dropletId).length;
}

function noticesOf({ events }: CommandEnd): string {
  return events.flatMap((event) => (event.type === 'notice' ? [event.message] : [])).join('\n');
}

/** The command's result without the rows. */
function explained({ events, stderr }: CommandEnd): string {
  const shown = events.filter(({ type }) => type === 'step-failed' || type === 'notice' || type === 'rollout-finished');
  return `${shown.map((event) => JSON.stringify(event)).join('\n')}\n${stderr}`;
}
