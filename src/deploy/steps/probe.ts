/** Makes the balancer's own health check on the droplet, through the SSH connection. */
import { DeployError } from '../../errors.js';
import type { ProbeResult } from '../../ports.js';
import type { Target } from '../../targets/target.js';
import type { Run, StepContext } from '../context.js';
import type { Site } from '../site.js';

const TRY_EVERY_MS = 500;

export async function probe(site: Site, run: StepContext): Promise<string | undefined> {
  const { clock } = run.ports;
  const deadline = clock.now() + run.settings.rollout.healthTimeoutMs;
  for (;;) {
    const result = await probeUnderLease(site, run);
    if (result === undefined) return;
    if (result.passed) return result.detail;
    if (clock.now() >= deadline) throw probeFailed(site, run.target, result);
    run.progress(result.detail);
    await clock.sleep(TRY_EVERY_MS);
  }
}

/**
 * Undefined where no balancer stands in front. At the address that the balancer connects to, never at 127.0.0.1: there
 * answers what the balancer does not reach, and Docker's own proxy for containers that do not.
 */
export async function probeOnce(site: Site, target: Target): Promise<ProbeResult | undefined> {
  const { healthCheck } = target;
  if (healthCheck === undefined) return undefined;
  const { droplet, host } = site;
  site.door?.ownRequest();
  return await site.connection.probe({
    protocol: healthCheck.protocol,
    address: droplet.privateAddress ?? droplet.publicAddress ?? host.address,
    port: healthCheck.port,
    path: healthCheck.path,
    proxyProtocol: target.proxyProtocol,
    timeoutMs: Math.max(1_000, healthCheck.timeoutSeconds * 1_000),
  });
}

/** To another run that listens at the door, this one's check would look like the balancer's. Throws DeployError lease-lost. */
export async function probeUnderLease(
  site: Site,
  { target, lease }: Pick<Run, 'target' | 'lease'>,
): Promise<ProbeResult | undefined> {
  if (target.healthCheck !== undefined) await lease.ensure(site.droplet.id);
  return await probeOnce(site, target);
}

export function probeFailed(site: Site, target: Target, result: ProbeResult): DeployError {
  const check = target.healthCheck;
  const asked =
    check === undefined
      ? ''
      : check.protocol === 'tcp'
        ? `tcp port ${check.port}`
        : `${check.protocol} port ${check.port} ${check.path}`;
  return new DeployError(
    'probe-failed',
    `The balancer’s health check (${asked}) fails on ${site.host.name}: ${result.detail}.`,
    {
      droplet: site.host.name,
      hint: 'It must answer 200–299 on the droplet’s private address; see the balancer’s health check settings.',
    },
  );
}
