/** The lease's own end; the whole of it is tried in the simulation and with real processes. */
import { expect, it } from 'vitest';
import { type Member, NOTHING_KNOWN } from '../../../src/deploy/droplet/member.js';
import { Lease } from '../../../src/deploy/lease/lease.js';
import { BEAT, FAREWELL, LEASE_SILENCE_SECONDS } from '../../../src/deploy/lease/lease-commands.js';
import type { Connection, HeldProcess } from '../../../src/ports.js';
import { aDroplet } from '../../support/fake-cloud.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const HOLDER = { run: 'r1', who: 'ann@ci', release: 'v1', since: '2026-11-21T07:45:00Z' };

/** A process that says what it has to say only after a while. */
class SlowProcess implements HeldProcess {
  readonly said: { line: string; at: number }[] = [];
  readonly ended = new Promise<never>(() => {});
  readonly #answers: string[];

  constructor(
    readonly clock: VirtualClock,
    answers: string[],
    readonly afterMs: number,
  ) {
    this.#answers = answers;
  }

  write(line: string): void {
    this.said.push({ line, at: this.clock.now() });
  }

  async nextLine(): Promise<string | undefined> {
    await this.clock.sleep(this.afterMs);
    return this.#answers.shift();
  }

  async close(): Promise<void> {}
}

function siteWith(process: HeldProcess): Member {
  const host = { id: 1, name: 'web-1', address: '203.0.113.1' };
  const connection = { host, hold: async () => process } as unknown as Connection;
  return { droplet: aDroplet(1), host, connection, survey: NOTHING_KNOWN, containers: [], services: [] };
}

it('keeps the lock alive from the first moment, however late the droplet’s answer comes', async () => {
  const clock = new VirtualClock();
  const began = clock.now();
  const process = new SlowProcess(clock, ['held'], 19_000);
  const options = { clock, waitMs: 0, rotation: true };
  const lease = await clock.run(Lease.acquire([siteWith(process)], 'shop', HOLDER, options));
  const beats = process.said.filter(({ line }) => line === BEAT).map(({ at }) => at - began);
  const gaps = [0, ...beats, 19_000].map((at, index, all) => at - (all[index - 1] ?? 0));
  expect(Math.max(...gaps)).toBeLessThan(LEASE_SILENCE_SECONDS * 1_000 - 5_000);
  await clock.run(lease.release());
  expect(process.said.at(-1)?.line).toBe(FAREWELL);
});
