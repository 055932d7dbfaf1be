import { DeployError } from '../../errors.js';
import { doDeploy, type Environment } from '../core/do-deploy.js';

/** Too few droplets serve for another one to leave. */
export function capacityFloor(serving: number, floor: number, of: Environment): DeployError {
  return new DeployError('capacity-floor', `Capacity floor: ${serving} serving, ${floor} required. Stopped.`, {
    hint: `See which droplet is not healthy: ${doDeploy(of, 'status')}. Repair it: ${doDeploy(of, 'heal')}. Then run the same command again.`,
  });
}
