import { asDeployError } from '../../errors.js';
import type { RolloutState } from '../../rollout/rollout-state.js';
import { doDeploy } from '../core/do-deploy.js';
import { waitForAll } from '../core/parallel.js';
import { warn } from '../core/report.js';
import type { Run } from '../steps/run.js';

/**
 * Warns of droplets that joined the fleet during the rollout: they run no release, or another one.
 * @param fleetAtStart ids
 * @returns whether there are any
 */
export async function reportNewcomers(
  { ports, target, settings }: Run,
  fleetAtStart: ReadonlySet<number>,
  state: RolloutState,
): Promise<boolean> {
  // A droplet that left before its turn and came back afterwards counts as new.
  const missed = state.droplets.filter((droplet) => droplet.gone && !droplet.touched && !droplet.exempt);
  const isNew = (id: number) => !fleetAtStart.has(id) || missed.some((droplet) => droplet.id === id);
  try {
    const [{ droplets }, inPool] = await waitForAll([target.readMembership(), target.waiting()]);
    const present = [...droplets, ...inPool.map((droplet) => ({ droplet, rotation: 'out', byHand: undefined }))];
    const newcomers = present.filter((one) => one.byHand === undefined && isNew(one.droplet.id));
    for (const { droplet, rotation } of newcomers) {
      const how = rotation === 'out' ? 'is not behind' : 'joined';
      const remedy = `run ${doDeploy(settings, 'adopt')}`;
      warn(ports, `${droplet.name} ${how} ${target.description} and was not deployed to; ${remedy}.`, droplet.name);
    }
    return newcomers.length > 0;
  } catch (error) {
    warn(ports, `Cannot check whether droplets joined during the rollout: ${asDeployError(error).message}`);
    return false;
  }
}
