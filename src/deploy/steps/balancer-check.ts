/** Makes the balancer's own health check on the droplet, through the SSH connection. */

import { DeployError } from '../../errors.js';
import type { HealthResponse } from '../../ports.js';
import type { Target } from '../../targets/target.js';
import { makeBalancerCheck } from '../droplet/make-balancer-check.js';
import type { Member } from '../droplet/member.js';
import type { Run, StepContext, StepResult } from './run.js';

const TRY_EVERY_MS = 500;

export async function awaitBalancerCheck(member: Member, run: StepContext): Promise<StepResult> {
  const { clock } = run.ports;
  const deadline = clock.now() + run.settings.rollout.healthTimeoutMs;
  for (;;) {
    const result = await balancerCheckUnderLease(member, run);
    if (result === undefined) return {};
    if (result.passed) return { detail: result.detail };
    if (clock.now() >= deadline) throw balancerCheckFailed(member, run.target, result);
    run.progress(result.detail);
    await clock.sleep(TRY_EVERY_MS);
  }
}

/** Another run that listens to the droplet would take this check for the balancer's. Throws DeployError lease-lost. */
export async function balancerCheckUnderLease(
  member: Member,
  { target, lease, contacts }: Pick<Run, 'target' | 'lease' | 'contacts'>,
): Promise<HealthResponse | undefined> {
  if (target.healthCheck !== undefined) await lease.ensure(member.droplet.id);
  return await contacts.ownCheck(member, () => makeBalancerCheck(member, target));
}

export function balancerCheckFailed(member: Member, target: Target, result: HealthResponse): DeployError {
  const check = target.healthCheck;
  const asked =
    check === undefined
      ? ''
      : check.protocol === 'tcp'
        ? `tcp port ${check.port}`
        : `${check.protocol} port ${check.port} ${check.path}`;
  return new DeployError(
    'balancer-check-failed',
    `The balancer's health check (${asked}) fails on ${member.host.name}: ${result.detail}.`,
    {
      droplet: member.host.name,
      hint: "It must answer 200-299 on the droplet's private address; see the balancer's health check settings.",
    },
  );
}
