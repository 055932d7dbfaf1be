/**
 * `do-deploy adopt`: brings droplets that joined the fleet, or do not run its release for another reason, to that
 * release. Droplets that run it take no part. Needs no project files and no git: droplets that hold the release pass its
 * files on.
 */

import { DeployError } from '../../errors.js';
import type { DeployResult } from '../../rollout/model.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import type { Environment } from '../core/do-deploy.js';
import { warn } from '../core/report.js';
import { closeAll } from '../droplet/connect.js';
import { environmentCollision } from '../droplet/environment-collision.js';
import { runsUnchanged } from '../droplet/member.js';
import { surveyAll, surveyQuietly } from '../droplet/survey.js';
import type { Canary } from '../fleet/canary-record.js';
import type { Fleet } from '../fleet/find-fleet.js';
import { fleetRelease, recordedIn } from '../fleet/fleet-release.js';
import { illness } from '../inspect/read-status.js';
import { releaseHash } from '../release/release-hash.js';
import { infoOf, type StoredRelease } from '../release/stored-release.js';
import { besideLeftOut, canaryHeld, canaryIsHeld, canaryIsSick } from '../session/canary.js';
import { observeFleet } from '../session/observe-fleet.js';
import { eachShare, performRollout } from '../session/rollout.js';
import { NO_RELEASE_YET, runSession, type Session, type SessionOptions } from '../session/session.js';
import type { Run } from '../steps/run.js';
import { placedIn, releaseToAdopt, stageTo } from './bring-to-release.js';

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
      publishes: true,
      leaveOut: leaveOutOtherEnvironments,
      choose: (shares) =>
        eachShare(shares, async ({ run, members }) => {
          await surveyAll(ports, settings, members, { prepare: true });
          const release = releaseToAdopt(fleetRelease(members, recordedIn(run)), run.settings);
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
          const failure = left.length > 0 ? besideLeftOut(left, settings) : canary && sickness(canary, settings);
          return { release, failure, exempt: new Set(settled.map((member) => member.droplet.id)) };
        }),
      isUpToDate: runsUnchanged,
    }),
  );
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

/** The canary is left alone; but what does not run there must not pass for a good end. */
function sickness(canary: Canary, of: Environment): DeployError | undefined {
  const [sick] = canary.members.flatMap((member) => {
    const why = illness(member);
    return why === undefined ? [] : [canaryIsSick(canary, member, why, of)];
  });
  return sick;
}

function isUnpromoted({ canary, anchored }: Run, release: StoredRelease): boolean {
  const own = releaseHash(release);
  return canary.hashes.includes(own) && !anchored.some(({ hash }) => hash === own);
}
