/**
 * `do-deploy adopt`: brings droplets that joined the fleet, or do not run its release for another reason, to that
 * release. Droplets that run it take no part. Needs no project files and no git: droplets that hold the release pass its
 * files on.
 */

import { DeployError } from '../../errors.js';
import type { DeployResult } from '../../rollout/model.js';
import type { Observed } from '../../rollout/rollout-state.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { doDeploy, type Environment } from '../core/do-deploy.js';
import { inParallel } from '../core/parallel.js';
import { inform, reportTo, warn } from '../core/report.js';
import { closeAll } from '../droplet/connect.js';
import { environmentCollision } from '../droplet/environment-collision.js';
import { findGoneImages } from '../droplet/gone-images.js';
import { namesOf } from '../droplet/held-releases.js';
import { refuseUnusableHome } from '../droplet/home-check.js';
import { changedFiles, heldRelease, isOfOtherRole, type Member, runsUnchanged } from '../droplet/member.js';
import { surveyAll, surveyQuietly } from '../droplet/survey.js';
import type { Fleet } from '../fleet/find-fleet.js';
import { type FleetRelease, fleetRelease, recordedIn } from '../fleet/fleet-release.js';
import { releaseHash } from '../release/release-hash.js';
import { infoOf, type StoredRelease } from '../release/stored-release.js';
import { besideLeftOut, canaryHeld, canaryIsHeld } from '../session/canary.js';
import { observeFleet } from '../session/observe-fleet.js';
import { eachShare, performRollout } from '../session/rollout.js';
import { NO_RELEASE_YET, runSession, type Session, type SessionOptions } from '../session/session.js';
import { checkDroplet } from '../staging/check-droplet.js';
import { stageFromDonors } from '../staging/fetch-release.js';
import type { Run } from '../steps/run.js';

/** DigitalOcean's limit for a balancer without a tag. */
const MAX_DROPLETS_BY_ID = 10;

/** Never throws: every end is a result. */
export async function adopt(given: DeployPorts, options: SessionOptions): Promise<DeployResult> {
  const { settings } = options;
  return await runSession('adopt', given, options, NO_RELEASE_YET, (session, ports) =>
    performRollout(session, {
      newcomers: true,
      refuse: refuseTooMany,
      reach: 'reachable',
      leaveOut: leaveOutOtherEnvironments,
      choose: (shares) =>
        eachShare(shares, async ({ run, members }) => {
          await surveyAll(ports, settings, members, { prepare: true });
          const release = releaseToAdopt(fleetRelease(members, recordedIn(run)), settings);
          session.release = infoOf(release);
          const canary = canaryHeld(run, members);
          const onCanary = canary?.members ?? [];
          const placed = placedIn(members, await observeFleet(run, members));
          const onRelease = placed.filter((member) => runsUnchanged(member, release));
          const settled = [...onRelease, ...onCanary.filter((member) => !onRelease.includes(member))];
          const strays = members.filter((member) => !settled.includes(member));
          // Where all that runs is the canary, the fleet's own release is not known.
          if (strays.length > 0 && canary !== undefined && isUnpromoted(run, release))
            throw canaryIsHeld(canary, settings);
          await stageTo(session, release, { donors: members, strays });
          const left = onCanary.filter((member) => !placed.includes(member) && !onRelease.includes(member));
          const failure = left.length === 0 ? undefined : besideLeftOut(left, settings);
          return { release, failure, exempt: new Set(settled.map((member) => member.droplet.id)) };
        }),
      isUpToDate: runsUnchanged,
    }),
  );
}

/** Brings what the strays lack of the release, which other droplets hold. Throws DeployError before any of them has left. */
export async function stageTo(
  { ports, options: { settings, interrupted } }: Session,
  release: StoredRelease,
  { donors, strays }: { donors: readonly Member[]; strays: readonly Member[] },
): Promise<void> {
  if (strays.length === 0) return;
  reportTo(ports)({ type: 'phase-started', phase: 'stage' });
  inform(ports, `Bringing ${namesOf(strays)} to release ${release.id}.`);
  for (const member of strays) {
    refuseUnusableHome(member, settings);
    checkDroplet(member);
    if (settings.roles !== undefined) refuseOtherRole(member, release, settings);
  }
  const to = await lacking(strays, release);
  if (to.length > 0) await stageFromDonors({ ports, settings, signal: interrupted }, release, { donors, to });
}

/** Refuses when the balancer could not take all droplets of the pool. Throws DeployError balancer-full. */
function refuseTooMany({ membership: { balancer, droplets }, target }: Fleet): void {
  if (balancer === undefined || balancer.tag !== undefined || droplets.length <= MAX_DROPLETS_BY_ID) return;
  const message = `${target.description} takes at most ${MAX_DROPLETS_BY_ID} droplets by id, and would have ${droplets.length}.`;
  throw new DeployError('balancer-full', message, {
    source: 'user',
    hint: 'Let the balancer take its droplets by a tag, which has no limit, and give the droplets of the autoscale pool that tag.',
  });
}

/** Droplets that run the app for another environment stay as they are. Throws DeployError when all do. */
async function leaveOutOtherEnvironments(session: Session): Promise<void> {
  const { ports, members } = session;
  const { settings } = session.options;
  await surveyQuietly(members, settings);
  const others = members.filter((member) => member.survey.otherEnvironment !== undefined);
  const [first] = others;
  if (first === undefined) return;
  if (others.length === members.length) throw environmentCollision(first, settings);
  for (const { droplet, survey } of others) {
    const runs = `runs ${settings.app} for ${survey.otherEnvironment}`;
    warn(ports, `${droplet.name} ${runs} and stays as it is.`, droplet.name);
  }
  session.members = members.filter((member) => !others.includes(member));
  await closeAll(others);
}

/** Never a release of which only droplets say that it was deployed, once deployers have recorded one. */
export function releaseToAdopt({ release, dispute }: FleetRelease, of: Environment): StoredRelease {
  if (dispute !== undefined) {
    throw new DeployError('release-disputed', dispute, {
      hint: `See what each droplet runs: ${doDeploy(of, 'status')}. Then deploy that version: ${doDeploy(of, 'deploy', release?.imageTag ?? 'RELEASE')}`,
    });
  }
  if (release !== undefined) return release;
  throw new DeployError('no-release', 'No droplet runs a release that others could be brought to.', {
    source: 'user',
    hint: `Deploy one first: ${doDeploy(of, 'deploy')}`,
  });
}

function isUnpromoted({ canary, anchored }: Run, release: StoredRelease): boolean {
  const own = releaseHash(release);
  return canary.hashes.includes(own) && !anchored.some(({ hash }) => hash === own);
}

/** A droplet holds a release under its id once, as one role has it. Throws DeployError role-changed. */
function refuseOtherRole(member: Member, release: StoredRelease, of: Environment): void {
  if (!isOfOtherRole(member, release)) return;
  const message = `${member.host.name} has got release ${release.id} in another role, with other services or files.`;
  throw new DeployError('role-changed', message, {
    source: 'user',
    droplet: member.host.name,
    hint: `Deploy a new release: ${doDeploy(of, 'deploy', release.imageTag)}`,
  });
}

/** Droplets that are in rotation, and not recorded as out, whatever their health. */
export function placedIn(members: readonly Member[], observed: readonly Observed[]): Member[] {
  const isPlaced = ({ inLedger, rotation }: Observed) => !inLedger && (rotation === 'in' || rotation === 'none');
  const placed = new Set(observed.filter(isPlaced).map(({ id }) => id));
  return members.filter((member) => placed.has(member.droplet.id));
}

/** Droplets that lack files of the release, or images. */
export async function lacking(members: readonly Member[], release: StoredRelease): Promise<Member[]> {
  const found = await inParallel(members, async (member) => {
    const isIntact = member.survey.current !== release.id || changedFiles(member).length === 0;
    const isWhole = heldRelease(member, release.id) !== undefined && isIntact;
    return isWhole && (await findGoneImages([member], [release])).size === 0 ? [] : [member];
  });
  return found.flat();
}
