/** Times in which a rollout only watches: pauses between batches, and the bake after the last one. Pure. */
import type { Course } from './courses.js';

export interface RestPolicy {
  /** Between batches, in ms; absent or 0: none. */
  pauseMs?: number;
  /** After the last batch, in ms; absent or 0: none. */
  bakeMs?: number;
}

/** How long, in ms. */
export type Rest = { kind: 'wait'; ms: number } | { kind: 'bake'; ms: number };

interface Situation {
  policy: RestPolicy;
  droplets: readonly { course: Course; touched: boolean; inBatch?: number }[];
  batch: number;
  pausedAfter: number;
  baked: boolean;
  takingBack: boolean;
}

/**
 * The rest that must come before anything else starts. A fleet that goes back neither pauses nor bakes, and what a run has
 * not changed needs no watching.
 * @param left how many droplets still wait for their batch
 */
export function dueRest(situation: Situation, left: number): Rest | undefined {
  const { policy, droplets, batch, pausedAfter, takingBack } = situation;
  const { pauseMs = 0 } = policy;
  if (takingBack) return undefined;
  if (left === 0) return isBaked(situation) ? undefined : { kind: 'bake', ms: policy.bakeMs ?? 0 };
  const hasChanged = droplets.some(({ inBatch, touched }) => inBatch === batch && touched);
  return pauseMs > 0 && pausedAfter < batch && hasChanged ? { kind: 'wait', ms: pauseMs } : undefined;
}

/** Whether no bake is due, or it has lasted its time. */
export function isBaked({ policy: { bakeMs = 0 }, droplets, baked }: Pick<Situation, 'policy' | 'droplets' | 'baked'>) {
  return baked || bakeMs === 0 || !droplets.some(({ course, touched }) => course === 'done' && touched);
}
