/** `heal` from a fresh checkout, like a new CI runner, and what must be true afterwards. */
import { expect } from 'vitest';
import { expectInRotation, expectWhole, stateOf } from './fleet-state.js';
import type { CommandEnd, SandboxFleet } from './sandbox-fleet.js';

export interface Healed extends CommandEnd {
  /** By droplet, in the order of their names. */
  versions: string[];
}

/** Every droplet is in rotation on a release that it ran, or was being brought to; two releases come with both ways on. */
export async function heal(fleet: SandboxFleet, versions?: readonly string[]): Promise<Healed> {
  const end = await fleet.run(['heal', 'sandbox', '--json'], { cwd: await fleet.freshCheckout() });
  expect(end.result?.outcome, end.stdout + end.stderr).toMatch(/^(succeeded|skipped)$/);
  expect(end.code).toBe(0);
  expectInRotation(fleet, versions);
  const found = stateOf(fleet).map(({ version }) => version);
  const { ways } = end.result ?? {};
  expect(ways !== undefined, 'ways on').toBe(new Set(found).size > 1);
  return { ...end, versions: found };
}

/** Types one of the ways that heal has named; returns the version that all droplets run. */
export async function takeWay(fleet: SandboxFleet, { result }: Healed, way: 'forward' | 'back'): Promise<string> {
  const [, ...words] = result?.ways?.[way].split(' ') ?? [];
  if (words.length > 0) {
    const end = await fleet.run([...words, '--yes', '--json']);
    expect(end, end.stdout + end.stderr).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
  }
  return expectWhole(fleet);
}
