/**
 * Random rollouts of the real planner, orchestrator, steps, lease and ledger, on a simulated world with a virtual
 * clock. What must hold is listed in monitor.ts; `npm run simulate` plays many more.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DIES_MIGRATING, tell } from './calm.js';
import { FIRST_SEED, playStories, seedsFrom } from './play-stories.js';
import type { Happening, RunPlan } from './scenario.js';
import {
  CONTROLLED,
  FIRST_ALONE,
  FIRST_BY_HAND,
  FIRST_CONTROLLED,
  FIRST_LAYERED,
  FIRST_ROLES,
  isControlled,
  LAYERED,
  scenarioOf,
} from './stories.js';
import { type Player, playerOf, removeCopies } from './transpiled.js';

// As `npm run simulate` plays them: without a loader between the modules it is quicker by half.
let runSeed: Player['runSeed'];
let runScenario: Player['runScenario'];
beforeAll(async () => {
  ({ runSeed, runScenario } = await playerOf('test'));
});
afterAll(removeCopies);

/** The first of many: simulation.long.test.ts plays the others. One story holds two or three rollouts. */
const STORIES = 120;
/** Stories in which something happens that does not in the others. */
const RARE = [
  ...[1_141, 1_147, 1_150, 1_151, 1_163, 1_179, 1_181, 1_185, 1_188, 1_189],
  ...[1_192, 1_197, 1_256, 1_290, 1_308, 1_332, 1_361, 1_434, 1_585, 1_597, 1_864, 1_919, 91_166],
];
const ROLLOUTS = 300;

/** A story proves nothing unless what it was to withstand has happened: each of these at least once. */
const MUST_HAPPEN = [
  ...['succeeded', 'skipped', 'failed', 'interrupted'].map((end) => `end: deploy ${end}`),
  ...['succeeded', 'skipped', 'failed'].map((end) => `end: heal ${end}`),
  'end: crashed',
  'row: deployed',
  'row: reverted',
  'row: stranded',
  'reverted: revert-fleet',
  'signal: first',
  'signal: second',
  'drain: timed out',
  'recovery: heal',
  'recovery: deploy',
  ...['lease-held', 'lease-lost', 'capacity-floor', 'fleet-of-one', 'confirm-failed'].map((code) => `error: ${code}`),
  ...['unhealthy', 'health-timeout', 'start-failed', 'balancer-check-failed'].map((code) => `error: ${code}`),
  ...['ssh-lost', 'ssh-timeout', 'ssh-unreachable'].map((code) => `error: ${code}`),
  ...['unauthorized', 'forbidden', 'busy', 'server', 'network', 'rate-limited'].map((kind) => `error: cloud-${kind}`),
  ...['ill', 'removed', 'destroyed', 'joined', 'ssh-refused', 'ssh-away', 'offline'].map(
    (what) => `happening: ${what}`,
  ),
  ...['docker-down', 'disk-full', 'lock-broken'].map((what) => `happening: ${what}`),
  ...['add', 'remove', 'tag', 'untag', 'switch', 'confirm'].flatMap((call) => [
    `no: ${call}`,
    `maybe: ${call}`,
    `crash: ${call}`,
    `crash: ${call} (done)`,
  ]),
  ...['containers', 'traffic', 'balancer-check', 'survey', 'switch', 'mark-out', 'confirm'].map(
    (call) => `drop: ${call}`,
  ),
  ...['containers', 'confirm', 'mark-out', 'connect', 'upload'].map((call) => `fails: ${call}`),
];

it(`${ROLLOUTS} rollouts keep every promise, whatever befalls them`, { timeout: 300_000 }, async () => {
  const { rollouts, happened } = await playStories(runSeed, [...seedsFrom(FIRST_SEED, STORIES), ...RARE]);
  expect(rollouts).toBeGreaterThanOrEqual(ROLLOUTS);
  expect(
    MUST_HAPPEN.filter((what) => !happened.has(what)),
    'add a story to RARE in which this happens: npm run simulate -- --tally',
  ).toEqual([]);
});

it('stories with layers keep every promise, whatever their handlers do', { timeout: 300_000 }, async () => {
  const layered = seedsFrom(FIRST_LAYERED, LAYERED * 20).filter((seed) => seed % LAYERED === 1);
  const { happened } = await playStories(runSeed, layered);
  expect(happened.get('event: deploy_failed')).toBeGreaterThan(0);
  expect([...happened.keys()].filter((what) => what.startsWith('layer fails: ')).length).toBeGreaterThan(2);
});

it('fleets without a balancer keep every promise', { timeout: 300_000 }, async () => {
  const { rollouts, happened } = await playStories(runSeed, seedsFrom(FIRST_ALONE, 60));
  expect(rollouts).toBeGreaterThan(100);
  for (const end of ['deploy succeeded', 'deploy failed', 'heal succeeded', 'crashed'])
    expect(happened.get(`end: ${end}`), end).toBeGreaterThan(0);
  expect(happened.has('step: leave')).toBe(false);
});

it('fleets with roles keep every promise', { timeout: 300_000 }, async () => {
  const { rollouts, happened } = await playStories(runSeed, seedsFrom(FIRST_ROLES, 50));
  expect(rollouts).toBeGreaterThan(100);
  for (const what of ['roles: the second', 'end: deploy failed', 'end: heal succeeded', 'end: crashed'])
    expect(happened.get(what), what).toBeGreaterThan(0);
});

it('restarts, and droplets that are taken out by hand, keep every promise', { timeout: 300_000 }, async () => {
  const { rollouts, happened } = await playStories(runSeed, seedsFrom(FIRST_BY_HAND, 40));
  expect(rollouts).toBeGreaterThan(100);
  for (const what of [
    'row: taken out',
    'by hand: brought back',
    'restart: containers',
    'end: droplet in succeeded',
    'end: stop succeeded',
  ])
    expect(happened.get(what), what).toBeGreaterThan(0);
});

it('a migration outlives its deployer, and is neither started twice nor repeated', async () => {
  const happened = new Set<string>();
  for (let seed = 1; seed <= 12; seed += 1) {
    const runs = [{ crash: DIES_MIGRATING }, { startMs: seed > 6 ? 60_000 : 0 }, {}];
    const report = await runScenario(tell({ seed, layers: true, migrates: true, runs }));
    expect(report.violations, `seed ${seed}`).toEqual([]);
    for (const what of report.happened.keys()) happened.add(what);
  }
  expect([...happened]).toEqual(
    expect.arrayContaining([
      'once: starts',
      'once: waits for an earlier one',
      'once: nobody looks after it',
      'row: deployed',
    ]),
  );
});

it('stories that pause and bake keep every promise', { timeout: 300_000 }, async () => {
  const controlled = seedsFrom(FIRST_CONTROLLED, CONTROLLED * 40).filter(isControlled);
  const { happened } = await playStories(runSeed, controlled);
  expect(happened.get('bake: to the end')).toBeGreaterThan(0);
  expect([...happened.keys()].filter((what) => what.startsWith('watch: '))).not.toEqual([]);
});

describe('the next deploy of a release', () => {
  const ends: [string, Partial<RunPlan>][] = [
    ['died', { crash: { call: 'containers', nth: 40, applied: true, power: false } }],
    ['was stopped by a signal', { interrupt: { call: 'containers', nth: 40 } }],
  ];
  it.each(ends)(
    'bakes it for the whole time where the deployer %s in the bake, and the one after it has nothing to do',
    async (_, end) => {
      const { happened, violations, trace } = await runScenario(
        tell({ policy: { bakeMs: 30_000 }, runs: [end, {}, {}] }),
        { trace: true },
      );
      expect(violations).toEqual([]);
      const baked = (deployer: string) =>
        trace.filter((line) => line.includes(`${deployer} {`) && line.includes('"rest-finished"'));
      expect(baked('deployer-2').map((line) => /"ms":(\d+)/.exec(line)?.[1])).toEqual([
        expect.stringMatching(/^3\d{4}$/),
      ]);
      expect(baked('deployer-3')).toEqual([]);
      expect(happened.get('end: deploy skipped')).toBe(1);
    },
  );

  it('takes a release back that a gate stops in such a bake, though it has changed no droplet', async () => {
    const gate = { everyMs: 1_000, failAfter: 2, badFromMs: 50_000, badForMs: 10_000_000, answerMs: 100 };
    const { happened, violations } = await runScenario(
      tell({ gate, policy: { bakeMs: 30_000, onFailure: 'revert-fleet' }, runs: [ends[1]?.[1] ?? {}, {}] }),
    );
    expect(violations).toEqual([]);
    expect(happened.get('row: reverted')).toBe(2);
  });
});

describe('a fleet that changes while handlers take their time', () => {
  const illAt = (droplet: number): Happening[] => [{ atMs: 4_000, kind: 'ill', droplet, forMs: 60_000 }];

  it('is observed again before rolling begins: the sick droplet goes first', async () => {
    const story = tell({ seed: 12, layers: true, happenings: illAt(1) });
    const { trace, violations } = await runScenario(story, { trace: true });
    expect(violations).toEqual([]);
    expect(trace.find((line) => line.includes('"batch-started"'))).toContain('"droplets":["web-2"]');
  });

  it('is observed again before a droplet leaves: it stays', async () => {
    const { happened, violations } = await runScenario(tell({ seed: 5, fleet: 3, layers: true, happenings: illAt(2) }));
    expect(violations).toEqual([]);
    const whats = [...happened].map(([what]) => what);
    expect(whats).toContain('error: capacity-floor');
    expect(whats).not.toContain('row: deployed');
  });

  it('is observed again before a worker is switched: it keeps its release', async () => {
    const story = tell({ seed: 5, fleet: 3, target: 'tagged', layers: true, happenings: illAt(2) });
    const { happened, violations } = await runScenario(story);
    expect(violations).toEqual([]);
    const whats = [...happened].map(([what]) => what);
    expect(whats).toContain('error: capacity-floor');
    expect(whats).not.toContain('row: deployed');
  });
});

describe('a seed', () => {
  it('is one story', () => {
    expect(scenarioOf(4_711)).toEqual(scenarioOf(4_711));
    expect(scenarioOf(4_711)).not.toEqual(scenarioOf(4_712));
  });

  it('is played in the same way each time, to the last word', async () => {
    // Two deployers and chaos, so that there is something to get in another order.
    for (let seed = 1; seed <= 60; seed += 1) {
      const { runs } = scenarioOf(seed);
      if (runs.length < 2 || runs.every(({ chaos }) => chaos === 0)) continue;
      const first = await runSeed(seed, { trace: true });
      const second = await runSeed(seed, { trace: true });
      expect(second.trace).toEqual(first.trace);
    }
  });
});
