/** `do-deploy status`: what each droplet is and runs. Only reads; what cannot be read is in the rows. */

import type { Settings } from '../../config/settings.js';
import { DeployError, ShellError } from '../../errors.js';
import { judgeHealth } from '../../rollout/health.js';
import type { StatusRow } from '../../rollout/model.js';
import { utcTime } from '../../rollout/utc-time.js';
import type { PlacedDroplet, Target } from '../../targets/target.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { inParallel } from '../core/parallel.js';
import { makeAppCheck } from '../droplet/make-app-check.js';
import { makeBalancerCheck } from '../droplet/make-balancer-check.js';
import {
  addressOf,
  currentRelease,
  heldRelease,
  type Member,
  runningRelease,
  signalled,
  stoppedOn,
} from '../droplet/member.js';
import { survey } from '../droplet/survey.js';
import type { OutMark } from '../droplet/survey-command.js';
import { runsAny } from '../fleet/canary-record.js';
import { notRunning } from '../fleet/not-running.js';
import { infoOf } from '../release/stored-release.js';
import { unbakedOn } from './owed-bake.js';
import { visitEach } from './visit-fleet.js';

/** A row for each droplet of the fleet. Throws CloudError, or DeployError when the fleet cannot be found. */
export async function readStatus(ports: DeployPorts, settings: Settings): Promise<StatusRow[]> {
  const options = { newcomers: true, onlyRunning: true };
  const rows = await visitEach(ports, settings, options, async ({ fleet, members, unreachable }) => {
    const { canaries } = await fleet.anchors.readWithCanaries();
    const reached = new Map<number, Member | DeployError>([
      ...members.map((member) => [member.droplet.id, member] as const),
      ...unreachable.map(({ droplet, error }) => [droplet.id, error] as const),
    ]);
    const shown = await inParallel(fleet.membership.droplets, async (found) => {
      const row = await rowOf(found, reached.get(found.droplet.id), { target: fleet.target, canaries }, fleet.settings);
      const others = fleet.alsoIn?.get(found.droplet.id);
      if (others === undefined) return row;
      const roles = `has two roles: ${[fleet.settings.role, ...others].join(' and ')}`;
      return { ...row, detail: [row.detail, roles].filter(Boolean).join('; ') };
    });
    const byHand = new Set(shown.flatMap((row) => (row.byHand === undefined ? [] : row.id)));
    const counted = members.filter(({ droplet }) => !byHand.has(droplet.id));
    const unbaked = new Set((await unbakedOn(counted, canaries, fleet.settings)).map(({ droplet }) => droplet.id));
    return shown.map((row) => (unbaked.has(row.id) ? { ...row, unbaked: true as const } : row));
  });
  return rows.flat();
}

async function rowOf(
  { droplet, rotation, inLedger: isRecorded, byHand }: PlacedDroplet,
  reached: Member | DeployError | undefined,
  { target, canaries }: { target: Target; canaries: readonly string[] },
  settings: Settings,
): Promise<StatusRow> {
  const address = addressOf(droplet, settings.ssh.address) ?? '';
  const { role } = settings;
  const place = {
    id: droplet.id,
    name: droplet.name,
    ...(role && { role }),
    address,
    rotation,
    outcome: 'not deployed',
  } as const;
  // What a person has taken out is brought back by a person.
  const inLedger = isRecorded && byHand === undefined;
  const base = { ...place, ...(byHand && { byHand }), ...(inLedger && { fix: 'heal' as const }) };
  const unknown = ({ message }: DeployError): StatusRow => {
    return { ...base, release: '', health: 'unknown', detail: message, outSince: inLedger ? 'unknown' : undefined };
  };
  if (reached === undefined || reached instanceof DeployError) {
    return unknown(reached ?? notRunning(droplet));
  }
  try {
    await survey(reached, settings);
    const { out, current, state, otherEnvironment } = reached.survey;
    if (otherEnvironment !== undefined && current === undefined) {
      return { ...base, release: '', health: `runs ${settings.app} for ${otherEnvironment}` };
    }
    const stopped = [...stoppedOn(reached, current)];
    return {
      ...base,
      ...(stopped.length > 0 && { stopped }),
      ...(state?.phase === 'switching' && byHand === undefined && { fix: 'heal' as const }),
      release: current ?? '',
      ...versionOf(reached),
      ...(runsAny(reached, canaries) && {
        canary: true as const,
        canaryTag: heldRelease(reached, runningRelease(reached))?.imageTag,
      }),
      health: await healthOf(reached, target, settings),
      detail: state?.phase === 'switching' ? `half way to ${state.release}` : undefined,
      outSince: inLedger ? (describeMark(out) ?? 'unknown') : undefined,
    };
  } catch (error) {
    if (error instanceof DeployError) return unknown(error);
    throw error;
  }
}

/** "2026-11-21 07:45:00 UTC by a deploy of v2 (ann@desk)"; undefined without a mark. */
export function describeMark(out: OutMark | undefined): string | undefined {
  if (out === undefined) return undefined;
  const [command = '', id = ''] = out.run.split(' ');
  // Of a run whose release was not known when it began, the time follows its command.
  const tag = /^\d{8}T\d{6}Z-(.+)$/.exec(id)?.[1];
  const article = /^[aeiou]/.test(command) ? 'an' : 'a';
  return `${utcTime(out.since)} by ${article} ${command}${tag === undefined ? '' : ` of ${tag}`} (${out.who})`;
}

function versionOf(member: Member): Pick<StatusRow, 'imageTag' | 'commit' | 'dirty'> {
  const release = currentRelease(member);
  if (release === undefined) return {};
  const { id: _, ...version } = infoOf(release);
  return version;
}

/** What the survey shows of a droplet's release and health. */
export function surveyed(member: Member): Pick<StatusRow, 'release' | 'health' | 'imageTag' | 'commit' | 'dirty'> {
  return { release: runningRelease(member), ...versionOf(member), health: illness(member) ?? 'healthy' };
}

/** Why the droplet is not healthy by its survey; undefined when it is. */
export function illness(member: Member): string | undefined {
  const { docker, containers: seen } = member.survey;
  if (docker === undefined) return 'Docker does not answer';
  const { otherProjects, state } = member.survey;
  if (otherProjects !== undefined && state === undefined)
    return `runs containers of ${otherProjects}, not deployed by do-deploy`;
  if (seen === undefined || seen.containers.length === 0) return 'no containers';
  const verdict = judgeHealth(member.services, member.containers, seen.now);
  if (verdict.kind === 'failed') return verdict.cause;
  if (verdict.kind === 'waiting') return verdict.detail;
  return signalled(member);
}

/** `healthy`, `unknown`, or why not: by the survey and, when that is well, by the checks of the app and of the balancer. */
export async function healthOf(member: Member, target: Target, settings: Settings): Promise<string> {
  const ill = illness(member);
  if (ill !== undefined) return ill;
  try {
    return (await failedCheck(member, target, settings)) ?? 'healthy';
  } catch (error) {
    if (error instanceof ShellError) return 'unknown';
    throw error;
  }
}

/** "the app's check fails: HTTP 500", of its checks by the app's own and the balancer's address. Throws ShellError. */
export async function failedCheck(member: Member, target: Target, { rollout }: Settings): Promise<string | undefined> {
  const app = await makeAppCheck(member, rollout.healthHttp);
  if (app?.passed === false) return `the app's check fails: ${app.detail}`;
  const result = await makeBalancerCheck(member, target);
  return result === undefined || result.passed ? undefined : `the balancer's check fails: ${result.detail}`;
}
