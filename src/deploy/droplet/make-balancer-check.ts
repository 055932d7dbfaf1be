import type { HealthResponse } from '../../ports.js';
import type { Target } from '../../targets/target.js';
import type { Member } from './member.js';

/**
 * Makes the balancer's health check from the droplet; undefined without a balancer. It goes to the address that the
 * balancer uses, never to 127.0.0.1: there, services answer that the balancer cannot reach, and Docker's proxy answers
 * for containers that do not. Throws ShellError.
 */
export async function makeBalancerCheck(member: Member, target: Target): Promise<HealthResponse | undefined> {
  const { healthCheck } = target;
  if (healthCheck === undefined) return undefined;
  const { droplet, host } = member;
  return await member.connection.checkHealth({
    protocol: healthCheck.protocol,
    address: droplet.privateAddress ?? droplet.publicAddress ?? host.address,
    port: healthCheck.port,
    path: healthCheck.path,
    proxyProtocol: target.proxyProtocol,
    timeoutMs: Math.max(1_000, healthCheck.timeoutSeconds * 1_000),
  });
}
