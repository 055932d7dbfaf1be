import { DeployError } from '../../errors.js';
import type { StatusRow } from '../../rollout/model.js';
import { doDeploy, type Environment } from '../core/do-deploy.js';

/**
 * Too few droplets serve for another one to leave.
 * @param empty names of droplets that run no release, and count all the same: `heal` has nothing to bring them back to
 */
export function capacityFloor(
  serving: number,
  floor: number,
  of: Environment,
  empty: readonly string[] = [],
): DeployError {
  const remedy =
    empty.length === 0
      ? `Repair it: ${doDeploy(of, 'heal')}.`
      : `Bring the release of the fleet to ${empty.join(', ')}: ${doDeploy(of, 'adopt')}.`;
  return new DeployError('capacity-floor', `Capacity floor: ${serving} serving, ${floor} required. Stopped.`, {
    hint: `See which droplet is not healthy: ${doDeploy(of, 'status')}. ${remedy} Then run the same command again.`,
  });
}

type Seen = Pick<StatusRow, 'name' | 'release' | 'health'>;

/** Names of those that run no release and do not serve, where others run one. */
export function emptyAmong(rows: readonly Seen[]): string[] {
  if (rows.every(({ release }) => release === '')) return [];
  return rows.filter(({ release, health }) => release === '' && health !== 'healthy').map(({ name }) => name);
}
