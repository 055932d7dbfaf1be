/** Faults in what a rollout watches, and in what follows when that fails. */
import type { Told } from './calm.js';
import type { Mutation } from './mutations.js';

const RESTS = { pauseMs: 20_000, bakeMs: 30_000 };

/** Bad while the first droplet pauses. */
const GATE = { everyMs: 1_000, failAfter: 2, badFromMs: 15_000, badForMs: 10_000_000, answerMs: 100 };

/** The deployer is killed, or stopped by a signal, while two droplets bake. */
const DIES_BAKING = { crash: { call: 'containers', nth: 40, applied: true, power: false } };
const STOPS_BAKING = { interrupt: { call: 'containers', nth: 40 } };

/** On the first droplet the release falls sick so long after its start; the floor lets others leave all the same. */
function sickens(afterMs: number, policy: Told['policy'] = {}): Told {
  const image = { kind: 'sickens', readyMs: 500, afterMs } as const;
  return { fleet: 3, onlyOn: 0, image, policy: { ...RESTS, minInRotation: 1, ...policy } };
}

/** The site answers wrongly while the first droplet pauses. */
const SITE = { intervalMs: 1_000, maxFailures: 3, badFromMs: 15_000, badForMs: 10_000_000, answerMs: 100 };

export const CONTROLLING: readonly Mutation[] = [
  {
    name: 'no gate is asked before the first batch',
    file: 'src/deploy/session/ask-first.ts',
    text: '    const asked = { gates, variables, signal: session.options.interrupted };',
    instead: '    const asked = { gates: [], variables, signal: session.options.interrupted };',
    breaks: ['o'],
    seeds: [],
    stories: [{ policy: RESTS, gate: { ...GATE, answerMs: 2_000 } }],
  },
  {
    name: 'a first no of a gate is taken for a yes',
    file: 'src/deploy/session/watch-gates.ts',
    text: 'untilFailed(watch, (ok) => ok)',
    instead: 'untilFailed(watch, () => true)',
    breaks: ['o'],
    seeds: [],
    stories: [{ policy: RESTS, gate: { ...GATE, badFromMs: 0, answerMs: 2_000 } }],
  },
  {
    name: 'the probe stops a rollout only after many more failures',
    file: 'src/deploy/session/availability.ts',
    text: 'probes.failed === maxFailures + 1',
    instead: 'probes.failed === maxFailures + 1_000',
    breaks: ['o'],
    seeds: [],
    stories: [{ policy: RESTS, probe: SITE }],
  },
  {
    name: 'what the probe has found is only told where a pause is over',
    file: 'src/deploy/session/rollout-watch.ts',
    text: 'this.#availability = watchAvailability(ports, probe, tell, this.#tellCounts);',
    instead: 'this.#availability = watchAvailability(ports, probe, () => {}, this.#tellCounts);',
    breaks: ['o'],
    seeds: [],
    stories: [{ policy: RESTS, probe: SITE }],
  },
  {
    name: 'the pause is left out',
    file: 'src/rollout/rests.ts',
    text: 'pauseMs > 0 && pausedAfter < batch && hasChanged',
    instead: 'pauseMs > 0 && pausedAfter < batch && !hasChanged',
    breaks: ['o'],
    seeds: [],
    stories: [{ policy: RESTS }],
  },
  {
    name: 'the bake is left out',
    file: 'src/rollout/rests.ts',
    text: 'return baked || bakeMs === 0 ||',
    instead: 'return baked || bakeMs > 0 ||',
    breaks: ['o'],
    seeds: [],
    stories: [{ policy: RESTS }],
  },
  {
    name: 'a bake in which the deployer has died is not made up for',
    file: 'src/deploy/session/bake-record.ts',
    text: '.release === release.id;',
    instead: ".release === '';",
    breaks: ['o'],
    seeds: [],
    stories: [{ policy: { bakeMs: 30_000 }, runs: [DIES_BAKING, {}] }],
  },
  {
    name: 'that the release has to bake is recorded only when it has',
    file: 'src/deploy/session/roll-to-release.ts',
    text: '    await recordBakeOwed(session, share, share.goal.release);\n',
    instead: '',
    breaks: ['o'],
    seeds: [],
    stories: [{ policy: { bakeMs: 30_000 }, runs: [DIES_BAKING, {}] }],
  },
  {
    name: 'a bake that was interrupted counts as done',
    file: 'src/deploy/session/roll-to-release.ts',
    text: 'if (isDone && isUntroubled(ended) && isBaked(ended))',
    instead: 'if (isDone)',
    breaks: ['o'],
    seeds: [],
    stories: [{ policy: { bakeMs: 30_000 }, runs: [STOPS_BAKING, {}] }],
  },
  {
    name: 'a rest ends after the first look',
    file: 'src/deploy/session/watch-droplets.ts',
    text: 'if (sick !== undefined || (left <= 0 && isSure)) return sick;',
    instead: 'return sick;',
    breaks: ['o'],
    seeds: [],
    stories: [{ policy: RESTS }],
  },
  {
    name: 'nobody looks at the droplets in a rest',
    file: 'src/deploy/session/watch-droplets.ts',
    text: 'const error = signal.aborted ? undefined : await this.#look(member);',
    instead: 'const error = signal.aborted || member !== undefined ? undefined : await this.#look(member);',
    breaks: ['d', 'o'],
    seeds: [],
    stories: [sickens(15_000)],
  },
  {
    name: 'a droplet that falls sick in a pause stops nothing',
    file: 'src/deploy/session/watch-droplets.ts',
    text: 'if (ofContainers !== undefined || response === undefined) return ofContainers;',
    instead: 'if (ofContainers !== undefined || response === undefined) return undefined;',
    breaks: ['o'],
    seeds: [],
    stories: [sickens(15_000)],
  },
  {
    name: 'a gate that has failed is only told',
    file: 'src/deploy/session/rollout-watch.ts',
    text: '      onFailure(error);\n',
    instead: '',
    breaks: ['o'],
    seeds: [],
    stories: [{ policy: RESTS, gate: GATE }],
  },
  {
    name: 'a batch starts although a gate has failed',
    file: 'src/rollout/planner.ts',
    text: '!(state.watchFailed || state.droplets',
    instead: '!(state.droplets',
    breaks: ['o'],
    seeds: [],
    stories: [3_000, 4_000, 5_000, 6_000, 7_000, 8_000].map((badFromMs) => ({
      fleet: 3,
      gate: { ...GATE, everyMs: 200, badFromMs },
      policy: { onFailure: 'revert-droplet' },
    })),
  },
  {
    name: 'a gate that is not due in a pause or a bake is not asked at its end',
    file: 'src/deploy/session/rollout-watch.ts',
    text: "await untilAborted(this.#decide('boundary'), signal);",
    instead: '',
    breaks: ['o'],
    seeds: [],
    stories: [{ policy: RESTS, gate: { ...GATE, everyMs: 10_000_000 } }],
  },
  {
    name: 'a gate that has said no once is not asked again at the end of a bake',
    file: 'src/deploy/session/watch-gates.ts',
    text: 'this.#isAsking || this.#failures > 0 ||',
    instead: 'this.#isAsking ||',
    breaks: ['o'],
    seeds: [],
    stories: [{ policy: { bakeMs: 30_000 }, gate: { ...GATE, everyMs: 600_000, badFromMs: 4_000 } }],
  },
  {
    name: 'a gate is asked only until its first answer',
    file: 'src/deploy/session/watch-gates.ts',
    text: 'while (!this.#signal.aborted) {',
    instead: 'while (!this.#signal.aborted && this.#beganAt < 0) {',
    breaks: ['o'],
    seeds: [],
    stories: [{ policy: RESTS, gate: GATE }],
  },
  {
    name: 'the droplet in hand is forgotten when a gate fails',
    file: 'src/rollout/transitions.ts',
    text: 'return droplet.running === undefined ? ifRecalled(state, recalled) : recalled;',
    instead: 'return droplet.running === undefined ? ifRecalled(state, recalled) : droplet;',
    breaks: ['o'],
    seeds: [],
    stories: [16_000, 16_250, 16_500, 16_750].map((badFromMs) => ({
      gate: { ...GATE, everyMs: 200, badFromMs },
    })),
  },
  {
    name: 'under revert-fleet a gate takes back only the last batch',
    file: 'src/rollout/transitions.ts',
    text: `if (policy.onFailure === 'revert-fleet') return takeBackTheDone(startReverting(recall(failed, batch)));`,
    instead: `if (sick !== undefined && policy.onFailure === 'revert-fleet') return takeBackTheDone(startReverting(failed));`,
    breaks: ['j'],
    seeds: [],
    stories: [
      {
        policy: { bakeMs: 30_000, onFailure: 'revert-fleet', allowDowntime: true },
        gate: { ...GATE, badFromMs: 25_000 },
      },
    ],
  },
  {
    name: 'revert-fleet takes back only the sick droplet',
    file: 'src/rollout/transitions.ts',
    text: `if (policy.onFailure === 'revert-fleet') return takeBackTheDone(startReverting(recall(failed, batch)));`,
    instead: '',
    breaks: ['j'],
    seeds: [],
    stories: [sickens(50_000, { onFailure: 'revert-fleet', allowDowntime: true })],
  },
];
