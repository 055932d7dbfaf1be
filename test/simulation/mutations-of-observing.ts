/** Faults in how the fleet is observed before a batch leaves. */
import { DIES_BACK_IN, DIES_BACK_IN_SECOND, dockerDown, hiccups, RESTARTS, refusesSsh, SLOW } from './calm.js';
import type { Mutation } from './mutations.js';

export const OBSERVING: readonly Mutation[] = [
  {
    name: 'those that cannot be reached do not count',
    file: 'src/deploy/session/observe-fleet.ts',
    text: '  return [...found, ...away];',
    instead: '  return found;',
    breaks: ['a'],
    seeds: [],
    stories: [
      { seed: 2, fleet: 4, runs: [{ crash: DIES_BACK_IN }, { command: 'heal' }], happenings: [refusesSsh(5_000)] },
      {
        seed: 7,
        fleet: 4,
        runs: [{ crash: { ...DIES_BACK_IN_SECOND, applied: false } }, { command: 'heal' }],
        happenings: [refusesSsh(5_000)],
      },
    ],
  },
  {
    name: 'an observation never waits',
    file: 'src/deploy/session/observe-fleet.ts',
    text: '    return Math.max(0, (run.contacts.of(member).servesFrom ?? 0) - clock.now());',
    instead: '    return 0;',
    breaks: ['a'],
    seeds: [],
    stories: [
      { seed: 1, ...RESTARTS, image: hiccups(12_289) },
      { seed: 19, ...RESTARTS, image: hiccups(23_053), check: SLOW },
    ],
  },
  {
    name: 'an app answers as soon as its container starts',
    file: 'src/deploy/session/observe-fleet.ts',
    text: 'startedAt < verifiedAt ? foundWithinMs : foundWithinMs + answersWithinMs;',
    instead: 'foundWithinMs;',
    breaks: ['a'],
    seeds: [],
    stories: [
      {
        seed: 5_059,
        onlyOn: 1,
        image: hiccups(19_507),
        check: { intervalSeconds: 1, healthyThreshold: 5 },
        runs: [{}, { tag: 'v3', startMs: 17_106 }],
      },
    ],
  },
  {
    name: 'a container that has just started is taken for an old one',
    file: 'src/deploy/session/observe-fleet.ts',
    text: '(isFirst && now !== undefined && startedRecently(run, member, now))',
    instead: 'false',
    breaks: ['a'],
    seeds: [],
    stories: [
      {
        seed: 21,
        ...RESTARTS,
        onlyOn: 1,
        image: hiccups(37_795),
        check: SLOW,
        runs: [{}, { tag: 'v3', startMs: 10_313 }],
      },
      {
        seed: 31,
        ...RESTARTS,
        onlyOn: 1,
        image: hiccups(28_199),
        check: SLOW,
        runs: [{}, { tag: 'v3', startMs: 1_509 }],
      },
      {
        seed: 52,
        ...RESTARTS,
        onlyOn: 1,
        image: hiccups(34_160),
        check: SLOW,
        runs: [{}, { tag: 'v3', startMs: 12_387 }],
      },
    ],
  },
  {
    name: 'containers that cannot be inspected count as not restarted',
    file: 'src/deploy/session/observe-fleet.ts',
    text: '      (inspection !== undefined && now === undefined) ||\n',
    instead: '',
    breaks: ['a'],
    seeds: [],
    stories: [
      { seed: 6, ...RESTARTS, image: hiccups(39816), happenings: [dockerDown(18_000, 60_000)] },
      { seed: 9, ...RESTARTS, image: hiccups(41636), happenings: [dockerDown(18_000, 60_000)] },
      { seed: 11, ...RESTARTS, image: hiccups(42119), happenings: [dockerDown(18_000, 60_000)] },
    ],
  },
  {
    name: 'one that another run has put back counts when it is shown',
    file: 'src/deploy/session/observe-fleet.ts',
    text: "if (rotation !== 'in') {",
    instead: "if (rotation !== 'in' && isFirst && !isFirst) {",
    breaks: ['a'],
    seeds: [5012775],
  },
  {
    name: 'what an earlier run has left in the ledger counts at once',
    file: 'src/deploy/session/observe-fleet.ts',
    text: 'const lagMs = !servedBefore || (isFirst && inLedger) ? EFFECT_LAG_MS : 0;',
    instead: 'const lagMs = 0;',
    breaks: ['a'],
    seeds: [],
    stories: [
      {
        seed: 10,
        check: { intervalSeconds: 1 },
        delays: { effectMs: 5_000 },
        runs: [{ crash: DIES_BACK_IN_SECOND }, { tag: 'v3' }],
      },
      {
        seed: 2,
        check: { intervalSeconds: 1 },
        delays: { effectMs: 5_000 },
        runs: [{ crash: DIES_BACK_IN_SECOND }, { tag: 'v3' }],
      },
      {
        seed: 12,
        check: { intervalSeconds: 1 },
        delays: { effectMs: 5_000 },
        runs: [{ crash: DIES_BACK_IN_SECOND }, { tag: 'v3' }],
      },
    ],
  },
  {
    name: 'a check that passed before a restart counts',
    file: 'src/deploy/session/observe-fleet.ts',
    text: 'mayHaveRestarted ? (await checkUntilSure(run, member)).response?.passed : response.passed;',
    instead: 'response.passed;',
    breaks: ['a'],
    seeds: [],
    stories: [{ seed: 259, ...RESTARTS, image: hiccups(36_485), happenings: [dockerDown(22_059, 18_163)] }],
  },
];
