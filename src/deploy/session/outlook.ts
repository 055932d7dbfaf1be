/** What a rollout expects, and how many droplets serve meanwhile: for those who watch it. */
import { estimate } from '../../rollout/estimate.js';
import { forecast } from '../../rollout/forecast.js';
import type { Capacity } from '../../rollout/model.js';
import { fleetSize, floorOf, type RolloutState, serving } from '../../rollout/rollout-state.js';
import { reportTo } from '../core/report.js';
import type { Session } from './session.js';

export async function reportForecast(session: Session, starts: readonly RolloutState[]): Promise<void> {
  const { ports, release, command, options } = session;
  const foreseen = starts.map(forecast);
  const batches = foreseen.flatMap((one) => one.batches);
  const bakeMs = foreseen.at(-1)?.bakeMs;
  // Nothing waits for it: the histories were asked for before staging.
  const past = await Promise.race([session.past, Promise.resolve([])]);
  const droplets = new Set(batches.flatMap((batch) => batch.droplets)).size;
  const time = estimate(past, options.ends ?? command, droplets);
  reportTo(ports)({
    type: 'forecast',
    release,
    batches: batches.length,
    ...(bakeMs && { bakeMs }),
    ...(time && { estimate: time }),
  });
}

/** Reports the capacity of a fleet, or of one of its roles, whenever it has changed. */
export function capacityReporter({ ports }: Session, role: string | undefined): (state: RolloutState) => void {
  let reported: Capacity | undefined;
  return (state) => {
    // One droplet without a balancer has none to keep.
    if (!state.policy.isFleet) return;
    // The floor is that of the batch that is out, or else of the next one.
    const floor = floorOf(state, Math.max(0, state.batch - 1));
    const now = { ...(role && { role }), serving: serving(state), of: fleetSize(state), floor };
    if (reported?.serving === now.serving && reported.of === now.of && reported.floor === floor) return;
    reported = now;
    reportTo(ports)({ type: 'capacity', ...now });
  };
}
