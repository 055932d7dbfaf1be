/** `do-deploy status`: what each droplet is and runs. Reads only, and tells what it cannot read. */

import pLimit from 'p-limit';
import type { Settings } from '../../config/settings.js';
import { DeployError, ShellError } from '../../errors.js';
import { judgeHealth } from '../../rollout/health.js';
import type { StatusRow } from '../../rollout/model.js';
import type { FleetMembership, Target } from '../../targets/target.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { AT_ONCE } from '../core/parallel.js';
import { makeBalancerCheck } from '../droplet/balancer-probe.js';
import { connectAll } from '../droplet/connect.js';
import { addressOf, currentRelease, type Member, runningRelease } from '../droplet/member.js';
import { survey } from '../droplet/survey.js';
import { findFleet } from '../fleet/find-fleet.js';
import { infoOf } from '../release/stored-release.js';
export async function readStatus(ports: DeployPorts, settings: Settings): Promise<StatusRow[]> {
  const { target, membership } = await findFleet(ports, settings, { newcomers: true });
  const droplets = membership.droplets.map(({ droplet }) => droplet);
  const quiet = { ...ports, reporter: { report: () => {} } };
  const { members, unreachable } = await connectAll(quiet, settings, droplets);
  const reach = new Map<number, Member | DeployError>([
    ...members.map((member) => [member.droplet.id, member] as const),
    ...unreachable.map(({ droplet, error }) => [droplet.id, error] as const),
  ]);
  try {
    const limit = pLimit(AT_ONCE);
    return await Promise.all(
      membership.droplets.map((found) => limit(() => rowOf(found, reach.get(found.droplet.id), target, settings))),
    );
  } finally {
    await Promise.allSettled(members.map((member) => member.connection.close()));
  }
}

async function rowOf(
  { droplet, rotation, inLedger }: FleetMembership['droplets'][number],
  reached: Member | DeployError | undefined,
  target: Target,
  settings: Settings,
): Promise<StatusRow> {
  const address = addressOf(droplet, settings.ssh.address) ?? '';
  const base = { id: droplet.id, name: droplet.name, address, rotation, outcome: 'not deployed' } as const;
  const unknown = (error: DeployError): StatusRow => ({
    ...base,
    release: '',
    health: 'unknown',
    detail: error.message,
    ...(inLedger && { outSince: 'unknown' }),
  });
  if (reached === undefined || reached instanceof DeployError) {
    return unknown(reached ?? new DeployError('unreachable', 'It was not asked.'));
  }
  try {
    await survey(reached, settings, false);
    const { out, current, otherEnvironment } = reached.survey;
    if (otherEnvironment !== undefined && current === undefined) {
      return { ...base, release: '', health: `runs ${settings.app} for ${otherEnvironment}` };
    }
    return {
      ...base,
      release: current ?? '',
      ...versionOf(reached),
      health: await healthOf(reached, target),
      ...(isHalfDone(reached) && { detail: `half way to ${reached.survey.state?.release}` }),
      ...(inLedger && {
        outSince: out === undefined ? 'unknown' : `${out.since} by ${out.who}, in the run ${out.run}`,
      }),
    };
  } catch (error) {
    if (error instanceof DeployError) return unknown(error);
    throw error;
  }
}

function versionOf(member: Member): Pick<StatusRow, 'imageTag' | 'commit' | 'dirty'> {
  const release = currentRelease(member);
  if (release === undefined) return {};
  const { id: _, ...version } = infoOf(release);
  return version;
}

function isHalfDone(member: Member): boolean {
  return member.survey.state?.phase === 'switching';
}

/** What its survey has told, without asking more. */
export function surveyed(member: Member): Pick<StatusRow, 'release' | 'health' | 'imageTag' | 'commit' | 'dirty'> {
  return { release: runningRelease(member), ...versionOf(member), health: illness(member) ?? 'healthy' };
}

/** Undefined when all that its survey has told is well. */
function illness(member: Member): string | undefined {
  if (member.survey.docker === undefined) return 'Docker does not answer';
  const seen = member.survey.containers;
  if (seen === undefined || seen.containers.length === 0) return 'no containers';
  const verdict = judgeHealth(currentRelease(member)?.services ?? [], seen.containers, seen.now);
  if (verdict.kind === 'failed') return verdict.cause;
  return verdict.kind === 'waiting' ? verdict.detail : undefined;
}

async function healthOf(member: Member, target: Target): Promise<string> {
  const ill = illness(member);
  if (ill !== undefined) return ill;
  try {
    const result = await makeBalancerCheck(member, target);
    return result === undefined || result.passed ? 'healthy' : `the balancer’s check fails: ${result.detail}`;
  } catch (error) {
    if (error instanceof ShellError) return 'unknown';
    throw error;
  }
}
