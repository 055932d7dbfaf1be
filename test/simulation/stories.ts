/** Random stories: one seed is one story. */
import fc from 'fast-check';
import type { BatchSize, OnFailure } from '../../src/config/settings.js';
import type { Behaviour } from './containers.js';
import type { AppKind } from './project.js';
import { pick, type Random, random, upTo } from './random.js';
import type { CallName, Crash, FaultKind, Happening, PlannedFault, RunPlan, Scenario } from './scenario.js';
import { RIVAL } from './scenario.js';

// --- worlds -----------------------------------------------------------------------------------------------------

const fleet = fc.oneof(
  { weight: 640, arbitrary: fc.integer({ min: 1, max: 4 }) },
  { weight: 290, arbitrary: fc.integer({ min: 5, max: 8 }) },
  { weight: 60, arbitrary: fc.integer({ min: 9, max: 20 }) },
  { weight: 4, arbitrary: fc.integer({ min: 21, max: 200 }) },
);

const ready = fc.integer({ min: 200, max: 6_000 });
const good = fc.record({
  kind: fc.constant('good' as const),
  answersMs: fc.integer({ min: 100, max: 1_000 }),
  readyMs: ready,
});

const bad: fc.Arbitrary<Behaviour> = fc.oneof(
  fc.record({
    kind: fc.constant('never-healthy' as const),
    answers: fc.boolean(),
    giveUpMs: fc.constantFrom(3_000, 15_000, Number.POSITIVE_INFINITY),
  }),
  fc.record({
    kind: fc.constant('exits' as const),
    afterMs: fc.constantFrom(50, 1_000, 5_000),
    code: fc.constantFrom(0, 1, 137),
    oom: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('crash-loop' as const), everyMs: fc.constantFrom(700, 2_000, 6_000) }),
  fc.record({
    kind: fc.constant('sickens' as const),
    readyMs: ready,
    afterMs: fc.integer({ min: 6_000, max: 60_000 }),
  }),
  fc.record({
    kind: fc.constant('hiccups' as const),
    readyMs: ready,
    afterMs: fc.integer({ min: 6_000, max: 40_000 }),
  }),
  fc.record({ kind: fc.constant('wrong-answer' as const), readyMs: ready }),
  fc.constant({ kind: 'does-not-start' as const }),
  fc.record({ kind: fc.constant('good' as const), answersMs: fc.constant(500), readyMs: fc.constant(200_000) }),
);

const policy = (size: number) =>
  fc.record({
    batch: fc.oneof<fc.WeightedArbitrary<BatchSize[]>[]>(
      { weight: size > 20 ? 0 : 50, arbitrary: fc.constant([1]) },
      { weight: size > 20 ? 0 : 10, arbitrary: fc.constant([2]) },
      { weight: 10, arbitrary: fc.constant(['25%']) },
      { weight: 10, arbitrary: fc.constant(['50%']) },
      { weight: 10, arbitrary: fc.constant([1, 2, '50%']) },
      { weight: 6, arbitrary: fc.constant(['all']) },
    ),
    minInRotation: sometimes(fc.integer({ min: 1, max: Math.max(1, size) }), 4),
    onFailure: fc.constantFrom<OnFailure[]>('revert-droplet', 'revert-droplet', 'revert-fleet', 'stop'),
    drainTimeoutMs: fc.constantFrom(2_000, 10_000, 30_000),
    healthTimeoutMs: fc.constantFrom(15_000, 30_000, 90_000),
    interruptGraceMs: fc.constantFrom(3_000, 60_000),
    allowDowntime: fc.integer({ min: 0, max: 99 }).map((chance) => chance < (size === 1 ? 90 : 3)),
  });

// --- what goes wrong --------------------------------------------------------------------------------------------

/** Calls, with the highest number of calls that a fault is worth planning for. */
const CALLS: readonly (readonly [CallName, number])[] = [
  ['get-balancer', 12],
  ['list-droplets', 4],
  ['get-droplet', 1],
  ['add', 3],
  ['remove', 3],
  ['tag', 5],
  ['untag', 5],
  ['create-tag', 1],
  ['connect', 3],
  ['survey', 3],
  ['upload', 3],
  ['unpack', 3],
  ['pull', 3],
  ['seal', 3],
  ['lease', 4],
  ['held', 4],
  ['containers', 60],
  ['traffic', 120],
  ['mark-out', 3],
  ['switch', 3],
  ['balancer-check', 60],
  ['confirm', 3],
  ['clear-mark', 1],
  ['finish', 2],
  ['logs', 1],
];

const at = fc.integer({ min: 0, max: CALLS.length - 1 }).chain((index) => {
  const [call, most] = CALLS[index] ?? ['tag', 3];
  return fc.record({ call: fc.constant(call), nth: fc.integer({ min: 0, max: most }) });
});

/** Where a rollout changes something: most crashes and faults should fall there. */
const atChange = fc.record({
  call: fc.constantFrom('add', 'remove', 'tag', 'untag', 'mark-out', 'switch', 'confirm'),
  nth: fc.constantFrom(0, 0, 0, 1, 1, 2, 3),
});
const anywhere = fc.oneof({ weight: 1, arbitrary: at }, { weight: 2, arbitrary: atChange });
const roll = fc.integer({ min: 0, max: 999 }).map((thousandths) => thousandths / 1_000);

const plannedFault: fc.Arbitrary<PlannedFault> = fc
  .record({
    at: anywhere,
    fault: fc.oneof<fc.WeightedArbitrary<FaultKind>[]>(
      { weight: 6, arbitrary: fc.constantFrom('no', 'maybe', 'drop', 'slow', 'fails') },
      { weight: 1, arbitrary: fc.constant('revoked') },
    ),
    applied: fc.boolean(),
    roll,
  })
  .map(({ at: where, ...fault }) => ({ ...where, ...fault }));

const crash: fc.Arbitrary<Crash> = fc
  .record({ at: anywhere, applied: fc.boolean(), power: fc.boolean() })
  .map(({ at: where, ...rest }) => ({ ...where, ...rest }));

const interrupt = fc
  .record({ at: anywhere, secondAfterMs: sometimes(fc.integer({ min: 0, max: 20_000 }), 2) })
  .map(({ at: where, secondAfterMs }) => ({ ...where, ...(secondAfterMs !== undefined && { secondAfterMs }) }));

/** One in `of` has it. */
function sometimes<T>(arbitrary: fc.Arbitrary<T>, of: number): fc.Arbitrary<T | undefined> {
  return fc.integer({ min: 1, max: of }).chain((lot) => (lot === 1 ? arbitrary : fc.constant(undefined)));
}

const chaos = fc.constantFrom(0, 0, 0, 0.003, 0.01, 0.04);

const firstRun: fc.Arbitrary<RunPlan> = fc
  .record({
    command: fc.constantFrom<RunPlan['command'][]>('deploy', 'deploy', 'deploy', 'deploy', 'deploy', 'deploy', 'heal'),
    tag: fc.constantFrom('v2', 'v2', 'v2', 'v2', 'v2', 'v2', 'v2', 'v1'),
    force: fc.constantFrom(false, false, false, false, false, true),
    waitLockMs: fc.constantFrom(0, 600_000),
    chaos,
    faults: fc.array(plannedFault, { maxLength: 3 }),
    crash: sometimes(crash, 3),
    interrupt: sometimes(interrupt, 7),
  })
  .map((plan) => runPlan(plan, { startMs: 0, later: false }));

const rivalRun: fc.Arbitrary<RunPlan> = fc
  .record({
    command: fc.constantFrom<RunPlan['command'][]>('deploy', 'deploy', 'heal'),
    tag: fc.constantFrom(RIVAL, RIVAL, 'v2', 'v1'),
    force: fc.constant(false),
    waitLockMs: fc.constantFrom(0, 600_000),
    chaos: fc.constantFrom(0, 0, 0.005),
    faults: fc.array(plannedFault, { maxLength: 1 }),
    crash: sometimes(crash, 8),
    interrupt: fc.constant(undefined),
    startMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 90_000 })),
    later: fc.boolean(),
  })
  .map(({ startMs, later, ...plan }) => runPlan(plan, { startMs, later }));

function runPlan(
  plan: Omit<RunPlan, 'startMs' | 'later' | 'crash' | 'interrupt'> & {
    crash: Crash | undefined;
    interrupt: RunPlan['interrupt'] | undefined;
  },
  when: { startMs: number; later: boolean },
): RunPlan {
  const { crash: dies, interrupt: stopped, ...rest } = plan;
  return { ...rest, ...when, ...(dies && { crash: dies }), ...(stopped && { interrupt: stopped }) };
}

const happening: fc.Arbitrary<Happening> = fc.record({
  atMs: fc.integer({ min: 0, max: 120_000 }),
  kind: fc.constantFrom<Happening['kind'][]>(
    'ill',
    'ill',
    'removed',
    'destroyed',
    'joined',
    'ssh-refused',
    'ssh-away',
    'offline',
    'docker-down',
    'disk-full',
    'lock-broken',
  ),
  droplet: fc.nat({ max: 9 }),
  forMs: fc.oneof(fc.integer({ min: 1_000, max: 60_000 }), fc.constant(10_000_000)),
});

const NODES = [1, 2, 1, 1, 3, 1, 2, 1] as const;
const READINGS_MS = [0, 10, 100] as const;

export const scenario: fc.Arbitrary<Scenario> = fleet.chain((size) =>
  fc
    .record({
      seed: fc.integer({ min: 0, max: 0x7fff_ffff }),
      target: size > 10 ? fc.constant('tag' as const) : fc.constantFrom('ids' as const, 'ids' as const, 'tag' as const),
      single: fc.integer({ min: 0, max: 99 }),
      start: fc.constantFrom<Scenario['start'][]>(
        'managed',
        'managed',
        'managed',
        'managed',
        'managed',
        'managed',
        'managed',
        'legacy',
        'empty',
      ),
      app: fc.constantFrom<AppKind[]>('single', 'single', 'single', 'pair', 'pair', 'full'),
      image: fc.oneof({ weight: 5, arbitrary: good }, { weight: 3, arbitrary: bad }),
      onlyOn: sometimes(fc.nat({ max: size - 1 }), 3),
      check: fc.record({
        intervalSeconds: fc.constantFrom(1, 3, 3, 3, 3, 3, 5, 10),
        healthyThreshold: fc.constantFrom(2, 2, 3, 5),
        unhealthyThreshold: fc.constantFrom(2, 3),
      }),
      load: fc.record({
        rate: fc.constantFrom(0, 0, 0, 0.3, 2, 10, 50),
        requestMs: fc.constantFrom(20, 20, 200, 2_000, 8_000, 45_000),
      }),
      instrument: fc.constantFrom<Scenario['instrument'][]>(
        'counters',
        'counters',
        'counters',
        'counters',
        'counters',
        'sockets',
        'none',
        'deaf',
      ),
      delays: fc.record({
        showMs: fc.constantFrom(0, 500, 3_000, 20_000),
        effectMs: fc.constantFrom(0, 1_000, 5_000, 5_000),
        latencyMs: fc.constantFrom(0, 0, 0, 40, 300),
      }),
      strict: fc.boolean(),
      policy: policy(size),
      first: firstRun,
      rival: sometimes(rivalRun, 3),
      happenings: fc.oneof(
        { weight: 2, arbitrary: fc.constant<Happening[]>([]) },
        { weight: 1, arbitrary: fc.array(happening, { maxLength: 3 }) },
      ),
    })
    .map(({ single, first, rival, onlyOn, policy: { minInRotation, ...rest }, delays, ...story }): Scenario => {
      const nodes = NODES[story.seed % NODES.length] ?? 1;
      const readingMs = READINGS_MS[story.seed % READINGS_MS.length] ?? 0;
      const alone = size === 1 && single < 40;
      return {
        ...story,
        ...oddities(story),
        nodes,
        delays: { ...delays, readingMs },
        fleet: size,
        ...(alone && { target: 'droplet' as const }),
        ...(onlyOn !== undefined && { onlyOn }),
        policy: { ...rest, ...(minInRotation !== undefined && { minInRotation }) },
        runs: rival === undefined ? [first] : [first, rival],
      };
    }),
);

const ANSWERS_MS = [3, 3, 3, 3, 3, 300, 2_000] as const;
const PORTS = [80, 80, 80, 80, 80, 80, 81, 81, 9000] as const;
const STRANGERS = [0, 0, 0, 0, 0.05, 0.5] as const;

/** How the balancer checks and what else connects, by the story's own chance. */
function oddities(story: {
  seed: number;
  check: Omit<Scenario['check'], 'answerMs' | 'port'>;
  load: Omit<Scenario['load'], 'spread'>;
  instrument: Scenario['instrument'];
}): Pick<Scenario, 'check' | 'load' | 'sticky' | 'keepalive' | 'strangers' | 'instrument'> {
  const chance = random(story.seed ^ 0x0dd);
  return {
    check: { ...story.check, answerMs: pick(chance, ANSWERS_MS), port: pick(chance, PORTS) },
    load: {
      ...story.load,
      rate: chance() < 0.15 ? 20 : story.load.rate,
      spread: pick(chance, ['even', 'chance']),
      part: random(story.seed ^ 0x9a47)() < 0.2 ? 0.1 : 1,
    },
    sticky: chance() < 0.1,
    keepalive: chance() < 0.1,
    strangers: pick(chance, STRANGERS),
    instrument: story.instrument === 'deaf' && chance() < 0.5 ? 'own' : story.instrument,
  };
}

/** One in so many balancers follows a change later than the product allows for: then only what it has proven must hold. */
const LATE = 16;

const LATE_MS = 20_000;

const BURSTS = [5, 20, 100] as const;

/** The same story, in which requests come in bursts. */
function inBursts(story: Scenario, seed: number): Scenario {
  const burst = BURSTS[seed % BURSTS.length] ?? 1;
  return { ...story, load: { ...story.load, burst } };
}

/** From this seed on, one story of so many has layers. None before it does: tests name many of those. */
export const FIRST_LAYERED = 1_000_001;
export const LAYERED = 4;

/** Of those, every second one has a layer that migrates. */
const MIGRATING = 8;

/** From this seed on, stories begin with a canary, which another run then ends, overtakes or leaves alone. */
export const FIRST_CANARY = 40_000_001;

const AFTER_A_CANARY = ['promote', 'promote', 'abort', 'abort', 'deploy', 'heal', 'adopt', 'rollback'] as const;

function withCanary(story: Scenario): Scenario {
  const chance = random(story.seed ^ 0xca4a);
  const [first] = story.runs;
  if (story.target === 'droplet' || story.fleet < 2 || first === undefined) return story;
  const canary = { ...first, command: 'deploy' as const, tag: 'v2', canary: pick(chance, [1, 1, 2]) };
  const command = pick(chance, AFTER_A_CANARY);
  const calm = { ...first, tag: command === 'rollback' ? 'v1' : RIVAL, force: false, faults: [], chaos: 0 };
  const { crash: _crash, interrupt: _interrupt, ...plan } = calm;
  const next = { ...plan, command, later: true, waitLockMs: 600_000 };
  // Often the run that ends the canary is the one in which things go wrong.
  const [one, two] =
    chance() < 0.5
      ? [canary, next]
      : [
          { ...plan, ...pickCanary(canary) },
          { ...first, ...pickNext(next) },
        ];
  const isGood = chance() < 0.7;
  return {
    ...story,
    start: 'managed',
    policy: { ...story.policy, minInRotation: undefined },
    ...(isGood && { image: { kind: 'good', answersMs: 300, readyMs: 1_200 } }),
    happenings: story.happenings.filter(({ kind }) => kind !== 'joined'),
    runs: [one, two],
  };
}

function pickCanary({ command, tag, canary }: RunPlan): Partial<RunPlan> {
  return { command, tag, ...(canary !== undefined && { canary }) };
}

function pickNext({ command, tag, later, waitLockMs }: RunPlan): Partial<RunPlan> {
  return { command, tag, later, waitLockMs, force: false };
}

/** From this seed on, stories are of fleets with two roles. */
export const FIRST_ROLES = 50_000_001;

const GOOD_OR_NOT = [
  { kind: 'good', answersMs: 300, readyMs: 1_200 },
  { kind: 'good', answersMs: 300, readyMs: 1_200 },
  { kind: 'never-healthy', answers: true, giveUpMs: 3_000 },
  { kind: 'does-not-start' },
] as const;

/** The same story, with droplets enough for both roles. What fails, fails often in the second one only. */
function withRoles(story: Scenario): Scenario {
  const chance = random(story.seed ^ 0x401e5);
  const fleet = Math.min(10, Math.max(4, story.fleet));
  const { onlyOn: _, ...rest } = story;
  const onSecond = chance() < 0.6 ? { onlyOn: Math.ceil(fleet / 2) + upTo(chance, Math.floor(fleet / 2) - 1) } : {};
  return {
    ...rest,
    ...onSecond,
    fleet,
    target: 'roles',
    image: pick(chance, GOOD_OR_NOT),
    policy: {
      ...story.policy,
      minInRotation: undefined,
      onFailure: pick(chance, ['revert-droplet', 'revert-fleet', 'revert-fleet', 'stop']),
    },
    happenings: [],
  };
}

/** From this seed on, one story of so many is controlled: it pauses and bakes. */
export const FIRST_CONTROLLED = 3_000_001;
export const CONTROLLED = 4;

const PAUSES_MS = [0, 2_000, 20_000, 90_000] as const;
const BAKES_MS = [30_000, 5_000, 0, 120_000] as const;

/** By a random sequence of its own: the rest of the story is as it was. */
function withControl(story: Scenario): Scenario {
  const chance = random(story.seed ^ 0x6a7e);
  const [pauseMs, bakeMs] = [pick(chance, PAUSES_MS), pick(chance, BAKES_MS)];
  const sickens = { kind: 'sickens', readyMs: 500, afterMs: 6_000 + upTo(chance, 60_000) } as const;
  const controlled: Scenario = {
    ...story,
    policy: { ...story.policy, pauseMs, bakeMs },
    ...(chance() < 0.25 && { image: sickens }),
    ...(chance() < 0.5 && { gate: gateOf(chance) }),
    ...(chance() < 0.4 && story.target !== 'roles' && { probe: probeOf(chance) }),
  };
  return chance() < 0.3 ? deployedAgain(controlled) : controlled;
}

/** What became of the only deploy, another one of its release follows. */
function deployedAgain(story: Scenario): Scenario {
  const [first, ...others] = story.runs;
  if (first?.command !== 'deploy' || others.length > 0) return story;
  const { crash: _crash, interrupt: _interrupt, ...plan } = first;
  return { ...story, runs: [first, { ...plan, later: true, startMs: 0, force: false, faults: [], chaos: 0 }] };
}

function probeOf(chance: Random): NonNullable<Scenario['probe']> {
  return {
    intervalMs: pick(chance, [1_000, 3_000]),
    maxFailures: pick(chance, [0, 3, 10]),
    badFromMs: upTo(chance, 150_000),
    badForMs: pick(chance, [0, 4_000, 20_000, 10_000_000]),
    answerMs: pick(chance, [10, 300, 2_000]),
  };
}

function gateOf(chance: Random): NonNullable<Scenario['gate']> {
  return {
    everyMs: pick(chance, [1_000, 5_000, 30_000]),
    failAfter: pick(chance, [1, 1, 2, 3]),
    badFromMs: upTo(chance, 150_000),
    badForMs: pick(chance, [0, 4_000, 20_000, 10_000_000]),
    answerMs: pick(chance, [0, 100, 2_000]),
  };
}

export function isControlled(seed: number): boolean {
  return seed >= FIRST_CONTROLLED && seed < FIRST_CANARY && seed % CONTROLLED === 2;
}

/** From there on, one story of so many has no healthcheck. */
const BARE = 8;

/** Whether it is, Docker does not say: a release that crashes now and then may pass, and nothing is promised of it. */
function withoutHealthcheck(story: Scenario): Scenario {
  const { image } = story;
  const crashes = image.kind === 'crash-loop' && image.everyMs > 2_000;
  return { ...story, app: 'bare', image: crashes ? { ...image, everyMs: 2_000 } : image };
}

/** From this seed on, stories are of droplets that are taken out by hand, of restarts, and of services that are stopped. */
export const FIRST_BY_HAND = 60_000_001;

type ByHand = 'out' | 'in' | 'restart' | 'deploy' | 'heal' | 'adopt' | 'rollback';

const BY_HAND: readonly [readonly ByHand[], ...(readonly ByHand[])[]] = [
  ['out', 'deploy', 'in'],
  ['out', 'deploy', 'in'],
  ['out', 'deploy'],
  ['out', 'heal', 'in'],
  ['out', 'out', 'in'],
  ['out', 'rollback', 'adopt', 'in'],
  ['out', 'restart', 'in'],
  ['restart', 'deploy'],
  ['deploy', 'restart', 'heal'],
];

type Stopping = 'stop' | 'start' | 'restart' | 'deploy' | 'heal';

/** With an app that has a worker. */
const STOPPING: readonly [readonly Stopping[], ...(readonly Stopping[])[]] = [
  ['stop', 'heal', 'start'],
  ['stop', 'restart', 'heal'],
  ['stop', 'deploy'],
  ['deploy', 'stop', 'heal'],
];

/** In one of the runs things go wrong as the story says. */
function byHand(story: Scenario): Scenario {
  const chance = random(story.seed ^ 0xb1a4d);
  const [first] = story.runs;
  const isFleet = story.target !== 'droplet' && story.fleet > 2;
  if (first === undefined) return story;
  const other = random(story.seed ^ 0x570b);
  const stops = story.app === 'full' && upTo(other, 1) === 0;
  const own = isFleet ? pick(chance, BY_HAND) : (['restart', 'deploy'] as const);
  const commands: readonly (ByHand | Stopping)[] = stops ? pick(other, STOPPING) : own;
  const name = `web-${1 + upTo(chance, Math.min(story.fleet, 4) - 1)}`;
  const { crash: _crash, interrupt: _interrupt, ...calm } = { ...first, faults: [], chaos: 0 };
  const wrong = upTo(chance, commands.length - 1);
  const runs = commands.map((word, index): RunPlan => {
    const command = word === 'out' || word === 'in' ? (`droplet ${word}` as const) : word;
    const tags = { out: name, in: name, restart: '', deploy: RIVAL, rollback: 'v1', heal: '', adopt: '' };
    const tag = { ...tags, stop: 'worker', start: 'worker' }[word];
    const plan = { command, tag, force: false, startMs: 0, later: true, waitLockMs: 600_000 };
    return { ...(index === wrong ? first : calm), ...plan };
  });
  return {
    ...story,
    start: 'managed',
    policy: { ...story.policy, minInRotation: undefined },
    image: { kind: 'good', answersMs: 300, readyMs: 1_200 },
    happenings: story.happenings.filter(({ kind }) => kind !== 'joined' && kind !== 'removed'),
    runs,
  };
}

/** The seeds whose stories are of fleets without a balancer. */
export const FIRST_ALONE = 2_000_001;
export const LAST_ALONE = 3_000_000;

/** Where a balancer would have been asked, or changed, this happens instead. */
const CALLS_ALONE: Readonly<Record<CallName, CallName>> = {
  'get-balancer': 'list-droplets',
  add: 'tag',
  remove: 'untag',
  'balancer-check': 'containers',
  traffic: 'containers',
};

const callAlone = <T extends { call: CallName }>(planned: T): T => ({
  ...planned,
  call: CALLS_ALONE[planned.call] ?? planned.call,
});

function runAlone({ crash: dies, interrupt: stopped, faults, ...plan }: RunPlan): RunPlan {
  return {
    ...plan,
    faults: faults.map(callAlone),
    ...(dies && { crash: callAlone(dies) }),
    ...(stopped && { interrupt: callAlone(stopped) }),
  };
}

/** The same story, in which the droplets are workers: nobody sends them requests. */
function withoutBalancer(story: Scenario, seed: number): Scenario {
  return {
    ...story,
    target: seed % 3 === 0 ? 'listed' : 'tagged',
    load: { rate: 0, requestMs: 20, spread: 'even' },
    sticky: false,
    keepalive: false,
    strangers: 0,
    instrument: 'none',
    delays: { ...story.delays, showMs: 0, effectMs: 0 },
    ...(seed % 2 === 0 && { http: true }),
    runs: story.runs.map(runAlone),
  };
}

/** The story of a seed; in every fourth one requests come in bursts, and always to a sticky balancer. */
export function scenarioOf(seed: number): Scenario {
  const story = storyOf(seed);
  if (seed >= FIRST_BY_HAND) return byHand(story);
  if (seed >= FIRST_ROLES) return withRoles(story);
  if (seed >= FIRST_CANARY) return withCanary(story);
  return seed >= FIRST_ALONE && seed <= LAST_ALONE ? withoutBalancer(story, seed) : story;
}

function storyOf(seed: number): Scenario {
  const [story] = fc.sample(scenario, { seed, numRuns: 1 });
  if (story === undefined) throw new Error(`no story for seed ${seed}`);
  const late = seed % LATE === 1 ? { ...story, delays: { ...story.delays, effectMs: LATE_MS } } : story;
  const told =
    seed >= FIRST_LAYERED && seed % LAYERED === 1 ? { ...late, layers: true, migrates: seed % MIGRATING === 5 } : late;
  const bare = seed >= FIRST_LAYERED && seed % BARE === 3 ? withoutHealthcheck(told) : told;
  const controlled = isControlled(seed) ? withControl(bare) : bare;
  return seed % 4 === 0 || story.sticky ? inBursts(controlled, seed) : controlled;
}
