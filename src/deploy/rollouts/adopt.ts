/**
 * `do-deploy adopt`: droplets that came to the fleet since the last deploy, or do not run its release for another reason,
 * are brought to it: the same rollout, in which the droplets that run the release take no part. Needs no files of the
 * project and no git: a droplet that has the release gives its files to those that lack them.
 */

import { asDeployError, DeployError } from '../../errors.js';
import type { DeployResult } from '../../rollout/model.js';
import type { Observed } from '../../rollout/planner.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { reportTo } from '../core/report.js';
import { releaseOfFleet } from '../droplet/fleet-release.js';
import { findGoneImages } from '../droplet/gone-images.js';
import { changedFiles, type Member, runsAlready } from '../droplet/member.js';
import { otherEnvironment } from '../droplet/other-environment.js';
import { surveyAll, surveyEach } from '../droplet/survey.js';
import { type Fleet, findFleet } from '../fleet/find-fleet.js';
import { policyOf } from '../fleet/policy.js';
import { infoOf, type StoredRelease } from '../release/stored-release.js';
import { observeFleet } from '../session/observe-fleet.js';
import { announce, connectRunning, takeLease } from '../session/open-session.js';
import { rollTo } from '../session/roll.js';
import { inSession, type Session, type SessionOptions, stopIfInterrupted } from '../session/session.js';
import { previousReleases, startRollout } from '../session/start-rollout.js';
import { checkDroplet } from '../staging/check-droplet.js';
import { stageExisting } from '../staging/fetch-release.js';

/** DigitalOcean's limit for a balancer without a tag. */
const MOST_BY_ID = 10;

export async function adopt(ports: DeployPorts, options: SessionOptions): Promise<DeployResult> {
  const unknown = { id: '', imageTag: '' };
  return await inSession('adopt', ports, options, unknown, async (session) => {
    const { settings } = options;
    const report = reportTo(ports);
    const warn = (droplet: string, message: string) => report({ type: 'notice', level: 'warning', message, droplet });
    report({ type: 'phase-started', phase: 'discover' });
    const fleet = await findFleet(ports, settings, { newcomers: true });
    refuseTooMany(fleet);
    const policy = policyOf(settings, fleet.target, options.allowDowntime);
    announce(session, fleet);

    for (const { droplet } of fleet.membership.droplets) {
      if (droplet.status !== 'active') warn(droplet.name, `${droplet.name} is ${droplet.status} and stays as it is.`);
    }
    const { unreachable } = await connectRunning(session, fleet);
    const [first] = unreachable;
    await leaveOthers(session);
    const { members } = session;
    if (members.length === 0) throw first?.error ?? new DeployError('droplet-off', 'No droplet is running.');

    const run = await takeLease(session, fleet);
    await surveyAll(ports, settings, members, { prepare: true });
    const record = releaseToAdopt(members, settings.environment);
    session.release = infoOf(record);
    const exempt = idsOf(membersOf(record, members, await observeFleet(run, members)));
    const strays = members.filter((member) => !exempt.has(member.droplet.id));
    if (strays.length > 0) {
      report({ type: 'phase-started', phase: 'stage' });
      const names = strays.map((member) => member.host.name).join(', ');
      report({ type: 'notice', level: 'info', message: `Bringing ${names} to release ${record.id}.` });
      for (const member of strays) checkDroplet(member);
      await bringRelease(ports, options, record, members, strays);
      stopIfInterrupted(session);
    }
    const seen = await observeFleet(run, members);
    const previous = previousReleases(strays, record);
    const start = startRollout(
      seen,
      policy,
      idsOf(members.filter((member) => isAsReleased(member, record))),
      previous,
      exempt,
    );
    const result = await rollTo(session, run, start, record, previous);
    if (first === undefined) return result;
    return { ...result, outcome: 'failed', error: result.error ?? asDeployError(first.error).info() };
  });
}

/** Droplets that run the app for another environment stay as they are. Throws DeployError when there is no other droplet. */
async function leaveOthers(session: Session): Promise<void> {
  const { ports, options, members } = session;
  const { app } = options.settings;
  await surveyEach(members, options.settings);
  const others = members.filter((member) => member.survey.otherEnvironment !== undefined);
  const [first] = others;
  if (first === undefined) return;
  if (others.length === members.length) throw otherEnvironment(first, options.settings);
  for (const { droplet, survey } of others) {
    const message = `${droplet.name} runs ${app} for ${survey.otherEnvironment} and stays as it is.`;
    reportTo(ports)({ type: 'notice', level: 'warning', message, droplet: droplet.name });
  }
  session.members = members.filter((member) => !others.includes(member));
  session.others = idsOf(others);
  await Promise.allSettled(others.map((member) => member.connection.close()));
}

/** Droplets of the pool that the balancer could not take are not even begun. */
function refuseTooMany({ membership, target }: Fleet): void {
  const { balancer, droplets } = membership;
  if (balancer === undefined || balancer.tag !== undefined || droplets.length <= MOST_BY_ID) return;
  const message = `${target.description} takes at most ${MOST_BY_ID} droplets by id, and would have ${droplets.length}.`;
  throw new DeployError('balancer-full', message, {
    source: 'user',
    hint: 'Let it take its droplets by a tag, and give that tag to the autoscale pool’s droplets: then there is no limit.',
  });
}

function releaseToAdopt(members: readonly Member[], environment: string): StoredRelease {
  const record = releaseOfFleet(members);
  if (record !== undefined) return record;
  throw new DeployError('no-release', 'No droplet runs a release, so there is none to bring others to.', {
    source: 'user',
    hint: `Deploy one first: do-deploy ${environment}`,
  });
}

/** Droplets that run the release's bytes behind the balancer, whatever their health: those are never taken out. */
function membersOf(record: StoredRelease, members: readonly Member[], seen: readonly Observed[]): Member[] {
  const placed = new Set(
    seen.filter((one) => !one.inLedger && (one.rotation === 'in' || one.rotation === 'none')).map(({ id }) => id),
  );
  return members.filter((member) => placed.has(member.droplet.id) && isAsReleased(member, record));
}

function isAsReleased(member: Member, record: StoredRelease): boolean {
  return runsAlready(member, record) && changedFiles(member).length === 0;
}

/** What a droplet lacks of the release: its files, some of them, or its images. */
async function bringRelease(
  ports: DeployPorts,
  { settings }: SessionOptions,
  record: StoredRelease,
  members: readonly Member[],
  strays: readonly Member[],
): Promise<void> {
  const whole = await Promise.all(
    strays.map(async (member) => {
      const has = member.survey.releases.some((release) => release.id === record.id);
      const intact = member.survey.current !== record.id || changedFiles(member).length === 0;
      return has && intact && (await findGoneImages([member], [record])).size === 0;
    }),
  );
  const lacking = strays.filter((_, index) => !whole[index]);
  if (lacking.length > 0) await stageExisting(ports, settings, record, { donors: members, to: lacking });
}

function idsOf(members: readonly Member[]): Set<number> {
  return new Set(members.map((member) => member.droplet.id));
}
