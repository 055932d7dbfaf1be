/** What those who watch a rollout are told of its length and of the fleet's capacity. */
import { describe, expect, it } from 'vitest';
import { capacityReporter, reportForecast } from '../../../src/deploy/session/outlook.js';
import type { Session } from '../../../src/deploy/session/session.js';
import type { HistoryEntry } from '../../../src/rollout/model.js';
import { type Policy, start } from '../../../src/rollout/rollout-state.js';
import { begin, record } from '../../../src/rollout/transitions.js';
import { aStarter, fleetOf, POLICY } from '../../rollout/walk.js';
import { CollectingReporter } from '../../support/collecting-reporter.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const RELEASE = { id: '20261121T074500Z-v2', imageTag: 'v2' };

function aSession(past: Promise<readonly HistoryEntry[]> = Promise.resolve([]), ends?: 'promote') {
  const reporter = new CollectingReporter();
  const ports = { clock: new VirtualClock(), reporter };
  const session = { ports, release: RELEASE, command: 'deploy', options: { ends }, past } as unknown as Session;
  return { session, reporter };
}

const stateOf = (policy: Partial<Policy>, size: number) => start({ ...POLICY, ...policy }, fleetOf(size));

function ran(command: string, durationMs: number): HistoryEntry {
  const id = { at: '', run: '', who: '', release: '', imageTag: '' };
  return { ...id, command, durationMs, outcome: 'succeeded', droplets: [1, 2] };
}

describe('the forecast', () => {
  it('has the batches of all roles, the bake, and the time of past runs of the command', async () => {
    const { session, reporter } = aSession(Promise.resolve([ran('deploy', 60_000), ran('promote', 8_000)]));
    await reportForecast(session, [
      stateOf({ batch: [2] }, 4),
      start(
        { ...POLICY, bakeMs: 600_000 },
        [11, 12, 13].map((id) => aStarter(id)),
      ),
    ]);
    expect(reporter.of('forecast')).toMatchObject([
      { release: RELEASE, batches: 5, bakeMs: 600_000, estimate: { ms: 210_000, runs: 1 } },
    ]);
  });

  it('is that of the name that the history has', async () => {
    const { session, reporter } = aSession(Promise.resolve([ran('deploy', 60_000), ran('promote', 8_000)]), 'promote');
    await reportForecast(session, [stateOf({}, 2)]);
    expect(reporter.of('forecast')).toMatchObject([{ estimate: { ms: 8_000, runs: 1 } }]);
  });

  it('waits for no history', async () => {
    const { session, reporter } = aSession(new Promise(() => {}));
    await reportForecast(session, [stateOf({}, 3)]);
    expect(reporter.events).toMatchObject([{ type: 'forecast', batches: 3 }]);
    expect(reporter.events[0]).not.toHaveProperty('estimate');
  });
});

describe('the capacity', () => {
  it('is told when it changes', () => {
    const { session, reporter } = aSession();
    const report = capacityReporter(session, 'web');
    let state = stateOf({}, 3);
    const go = (next: typeof state) => {
      state = next;
      report(state);
    };
    go(state);
    go(record(state, { kind: 'observed', droplets: state.droplets.map((one) => ({ ...one, unasked: false })) }));
    go(begin(state, { kind: 'batch', droplets: [1] }));
    go(begin(state, { kind: 'step', droplet: 1, step: 'leave', towards: 'new' }));
    go(state);
    expect(reporter.of('capacity').map(({ role, serving, of, floor }) => [role, serving, of, floor])).toEqual([
      ['web', 3, 3, 2],
      ['web', 2, 3, 2],
    ]);
  });

  it('is nothing to tell of one droplet without a balancer', () => {
    const { session, reporter } = aSession();
    capacityReporter(session, undefined)(start({ ...POLICY, balanced: false, isFleet: false }, [aStarter(1)]));
    expect(reporter.events).toEqual([]);
  });
});
