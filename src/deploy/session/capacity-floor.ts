import { DeployError } from '../../errors.js';

/** Too few droplets serve for another one to leave. */
export function capacityFloor(serving: number, floor: number, environment: string): DeployError {
  return new DeployError('capacity-floor', `Capacity floor: ${serving} serving, ${floor} required. Stopped.`, {
    hint: `See which droplet is not healthy: do-deploy status ${environment}. Then deploy again.`,
  });
}
