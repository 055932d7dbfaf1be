/** What would change on a droplet. Pure. */
import type { Change, Left, Wanted } from './action.js';
import { ACTIONS } from './actions.js';
import type { Facts } from './facts-command.js';
import { Read } from './read.js';

const NOTHING = new Read('');

export interface BootstrapPlan {
  /** Actions of an earlier run that are taken back first. */
  pending: readonly string[];
  /** In the order in which they are made, each with the name of its action. */
  changes: (Change & { action: string })[];
  left: (Left & { action: string })[];
}

/** Throws DeployError bootstrap-refused. */
export function planBootstrap({ system, read, pending }: Facts, wanted: Wanted): BootstrapPlan {
  const planned = ACTIONS.flatMap(({ name, plan }) =>
    plan(read.get(name) ?? NOTHING, { wanted, system }).map((one) => ({ ...one, action: name })),
  );
  return {
    pending,
    changes: planned.flatMap((one) => (one.kind === 'change' ? [one] : [])),
    left: planned.flatMap((one) => (one.kind === 'left' ? [one] : [])),
  };
}
