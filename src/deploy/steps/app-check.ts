/** Asks the app on the droplet, by `rollout.health.http`, through the SSH connection. */

import { DeployError } from '../../errors.js';
import type { HealthResponse } from '../../ports.js';
import { configFile } from '../core/do-deploy.js';
import { makeAppCheck } from '../droplet/make-app-check.js';
import { type Member, runningRelease } from '../droplet/member.js';
import type { Run } from './run.js';

/**
 * Undefined where it is not configured, or where the release that runs is exempt. As with the balancer's check, another run
 * that listens to the droplet must not take it for traffic, nor must this one.
 * @param port instead of the one in the settings
 * Throws DeployError lease-lost, or ShellError.
 */
export async function appCheckUnderLease(
  member: Member,
  {
    target,
    lease,
    contacts,
    settings,
    exemptFromAppCheck,
  }: Pick<Run, 'target' | 'lease' | 'contacts' | 'settings' | 'exemptFromAppCheck'>,
  port?: number,
): Promise<HealthResponse | undefined> {
  const check = settings.rollout.healthHttp;
  if (check === undefined || exemptFromAppCheck?.has(runningRelease(member))) return undefined;
  if (target.healthCheck !== undefined) await lease.ensure(member.droplet.id);
  const asked = port === undefined ? check : { ...check, port };
  return await contacts.ownRequest(member, () => makeAppCheck(member, asked));
}

export function appCheckFailed(member: Member, { settings }: Pick<Run, 'settings'>, detail: string): DeployError {
  const { port, path } = settings.rollout.healthHttp ?? { port: 0, path: '/' };
  const droplet = member.host.name;
  return new DeployError(
    'app-check-failed',
    `The app on ${droplet} fails its check (http port ${port} ${path}): ${detail}.`,
    {
      droplet,
      hint: `It must answer 200-299 on 127.0.0.1 of the droplet; see rollout.health.http in ${configFile(settings)}.`,
    },
  );
}
