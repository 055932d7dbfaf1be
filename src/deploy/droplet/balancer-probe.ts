import type { HealthResponse } from '../../ports.js';
import type { Target } from '../../targets/target.js';
import type { Member } from './member.js';

/**
 * Undefined where no balancer stands in front. At the address that the balancer connects to, never at 127.0.0.1: there
 * answers what the balancer does not reach, and Docker's own proxy for containers that do not.
 */
export async function makeBalancerCheck(member: Member, target: Target): Promise<HealthResponse | undefined> {
  const { healthCheck } = target;
  if (healthCheck === undefined) return undefined;
  const { droplet, host } = member;
  return await member.connection.probe({
    protocol: healthCheck.protocol,
    address: droplet.privateAddress ?? droplet.publicAddress ?? host.address,
    port: healthCheck.port,
    path: healthCheck.path,
    proxyProtocol: target.proxyProtocol,
    timeoutMs: Math.max(1_000, healthCheck.timeoutSeconds * 1_000),
  });
}
