/** What a rollout will do if every step succeeds: the planner itself, played to its end. Pure. */
import { decide } from './planner.js';
import { floorOf, isHeld, lowersCapacity, type Observed, type RolloutState, serving } from './rollout-state.js';
import { begin, record } from './transitions.js';

export interface ForecastBatch {
  /** Ids, in the order in which they are taken. */
  droplets: number[];
  /** Those of them that serve before, and so lower the capacity while they are in hand. */
  leaving: number[];
  /** The fewest droplets that serve meanwhile. */
  serving: number;
  floor: number;
  /** The pause after it, in ms. */
  pauseMs?: number;
}

export interface Forecast {
  batches: ForecastBatch[];
  /** After the last batch, in ms. */
  bakeMs?: number;
  /** The rest of the fleet keeps its release: a canary. */
  held: boolean;
  /** The floor allows no droplet to leave. */
  stuck?: { serving: number; floor: number };
}

export function forecast(start: RolloutState): Forecast {
  const batches: ForecastBatch[] = [];
  let bakeMs: number | undefined;
  let state = start;
  for (let actions = decide(state); actions.length > 0; actions = decide(state)) {
    const before = state;
    for (const action of actions) state = begin(state, action);
    const batch = batches.at(-1);
    for (const action of actions) {
      switch (action.kind) {
        case 'observe':
          state = record(state, { kind: 'observed', droplets: before.droplets.map(asObserved) });
          break;
        case 'batch': {
          const { droplets } = action;
          const leaving = before.droplets.filter((droplet) => droplets.includes(droplet.id) && lowersCapacity(droplet));
          const ids = leaving.map(({ id }) => id);
          batches.push({ droplets, leaving: ids, serving: serving(before), floor: floorOf(before) });
          break;
        }
        case 'step':
          // All droplets of the batch are at the same step.
          if (batch !== undefined) batch.serving = Math.min(batch.serving, serving(state));
          break;
        case 'wait':
          if (batch !== undefined) batch.pauseMs = action.ms;
          state = record(state, { kind: 'paused' });
          break;
        case 'bake':
          bakeMs = action.ms;
          state = record(state, { kind: 'baked' });
          break;
      }
    }
    for (const action of actions) {
      if (action.kind === 'step') state = record(state, { kind: 'done', droplet: action.droplet });
    }
  }
  const { stuck } = state;
  return { batches, ...(bakeMs && { bakeMs }), held: isHeld(state), ...(stuck && { stuck }) };
}

/** Nothing changes but what the rollout itself does. */
function asObserved({ id, rotation, healthy, unasked, inLedger, gone }: RolloutState['droplets'][number]): Observed {
  return { id, rotation, healthy, unasked, inLedger, gone };
}
