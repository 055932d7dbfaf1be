/** Runs the planner alone: every action is started, and succeeds, fails or hangs as the test says. */
import type { Failure } from '../../src/rollout/courses.js';
import { type Action, decide } from '../../src/rollout/planner.js';
import {
  isServing,
  type Observed,
  type Policy,
  type RolloutState,
  type Starter,
  start,
} from '../../src/rollout/rollout-state.js';
import { begin, type Occurrence, record } from '../../src/rollout/transitions.js';

export const POLICY: Policy = {
  batch: [1],
  onFailure: 'revert-droplet',
  allowDowntime: false,
  balanced: true,
  isFleet: true,
};

export function aStarter(id: number, overrides: Partial<Starter> = {}): Starter {
  return { id, rotation: 'in', healthy: true, inLedger: false, upToDate: false, previous: 'old', ...overrides };
}

export const fleetOf = (size: number) => Array.from({ length: size }, (_, index) => aStarter(index + 1));

export const released = (step: Failure['step']): Failure => ({
  step,
  code: 'unhealthy',
  message: 'app is unhealthy',
  blame: 'release',
});

export const accident = (step: Failure['step']): Failure => ({
  step,
  code: 'ssh-lost',
  message: 'the connection was lost',
  blame: 'external',
});

export interface Walked {
  state: RolloutState;
  /** `1 mark-out`, `1 switch previous`, `batch 1,2`, `look`. */
  log: string[];
  /** The fewest droplets that served at any moment. */
  fewest: number;
}

/** `watch`: a gate fails, or the droplet of that id has fallen sick. */
type Event = { fail: Failure } | { interrupt: true } | { halt: string } | { watch: 'gate' | number };

/**
 * Walks from the start of a rollout.
 * @param meddle called before each action; what it returns happens instead of the action's success
 * @param world what a look finds of a droplet beyond what the rollout itself did
 */
export function walk(
  policy: Partial<Policy>,
  starters: Starter[],
  meddle: (action: Action, state: RolloutState) => Event | undefined = () => undefined,
  world: (seen: Observed) => Observed = (seen) => seen,
): Walked {
  return walkOn(start({ ...POLICY, ...policy }, starters), meddle, world);
}

/** Walks on from a state. */
export function walkOn(
  from: RolloutState,
  meddle: (action: Action, state: RolloutState) => Event | undefined = () => undefined,
  world: (seen: Observed) => Observed = (seen) => seen,
): Walked {
  let state = from;
  const log: string[] = [];
  const serving = () => state.droplets.filter((one) => isServing(one)).length;
  let fewest = serving();
  for (let turn = 0; turn < 10_000; turn += 1) {
    const actions = decide(state);
    if (actions.length === 0) return { state, log, fewest };
    for (const action of actions) {
      log.push(nameOf(action));
      const event = meddle(action, state);
      state = begin(state, action);
      if (event && 'interrupt' in event) state = record(state, { kind: 'interrupted' });
      if (event && 'halt' in event) state = record(state, { kind: 'halted', code: event.halt });
      const watched = event && 'watch' in event ? event.watch : undefined;
      const isSeen = action.kind === 'observe' && watched !== 'gate';
      if (watched !== undefined && !isSeen) state = record(state, watchFailed(watched));
      if (action.kind === 'wait') state = record(state, { kind: 'paused' });
      if (action.kind === 'bake') state = record(state, { kind: 'baked' });
      if (action.kind === 'observe') {
        const sick = isSeen && watched !== undefined ? watchFailed(watched).sick : undefined;
        state = record(state, { kind: 'observed', droplets: state.droplets.map(world), sick });
      }
      if (action.kind === 'step') {
        const failure = event && 'fail' in event ? event.fail : undefined;
        state = record(
          state,
          failure === undefined
            ? { kind: 'done', droplet: action.droplet }
            : { kind: 'failed', droplet: action.droplet, failure },
        );
      }
      fewest = Math.min(fewest, serving());
    }
  }
  throw new Error(`no end in sight: ${log.slice(-20).join(', ')}`);
}

function watchFailed(what: 'gate' | number): Extract<Occurrence, { kind: 'watch-failed' }> {
  if (what === 'gate') return { kind: 'watch-failed' };
  const failure = { code: 'unhealthy', message: 'app is unhealthy', blame: 'release' } as const;
  return { kind: 'watch-failed', sick: { droplet: what, failure } };
}

function nameOf(action: Action): string {
  if (action.kind === 'observe') return 'observe';
  if (action.kind === 'batch') return `batch ${action.droplets.join(',')}`;
  if (action.kind === 'wait' || action.kind === 'bake') return action.kind;
  const towards = action.towards === 'new' ? '' : ` ${action.towards}`;
  return `${action.droplet} ${action.step}${towards}`;
}

/** Meddles once: with the first action of that name. */
export function once<T>(name: string, event: T): (action: Action) => T | undefined {
  let done = false;
  return (action) => {
    if (done || nameOf(action) !== name) return undefined;
    done = true;
    return event;
  };
}
