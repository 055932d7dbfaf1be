/**
 * `do-deploy promote` and `do-deploy abort`: a held canary goes to the rest of the fleet, or is taken back. Both need no
 * project files: the droplets hold both releases.
 */

import { DeployError } from '../../errors.js';
import { judgeHealth } from '../../rollout/health.js';
import type { DeployResult, EndOfCanary } from '../../rollout/model.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { doDeploy, type Environment } from '../core/do-deploy.js';
import { inParallel } from '../core/parallel.js';
import { inform } from '../core/report.js';
import { refuseGoneImages } from '../droplet/gone-images.js';
import { namesOf, namesWithout } from '../droplet/held-releases.js';
import { isHalfDone, type Member, runsAlready, runsUnchanged } from '../droplet/member.js';
import { surveyAll, surveyQuietly } from '../droplet/survey.js';
import type { Recorded } from '../fleet/anchors.js';
import { type Canary, canaryOn } from '../fleet/canary-record.js';
import type { Fleet } from '../fleet/find-fleet.js';
import { fleetRelease, recordedIn } from '../fleet/fleet-release.js';
import { refuseImpossible } from '../fleet/policy.js';
import { failedCheck } from '../inspect/read-status.js';
import { visitFleets } from '../inspect/visit-fleet.js';
import { infoOf, type StoredRelease } from '../release/stored-release.js';
import { canaryIsSick, onlyOne } from '../session/canary.js';
import { observeFleet } from '../session/observe-fleet.js';
import { performRollout } from '../session/rollout.js';
import { NO_RELEASE_YET, runSession, type SessionOptions } from '../session/session.js';
import { placedIn, stageTo } from './bring-to-release.js';

/** Brings the canary's release to the droplets that do not run it. Never throws: every end is a result. */
export async function promote(given: DeployPorts, options: SessionOptions): Promise<DeployResult> {
  const { settings } = options;
  return await runSession('deploy', given, { ...options, ends: 'promote' }, NO_RELEASE_YET, (session, ports) =>
    performRollout(session, {
      refuse: refuseImpossible,
      refuseByRecords: (fleets) => refuseUnrecorded(fleets, 'promote'),
      reach: 'all',
      anchors: true,
      publishes: true,
      async choose(shares) {
        const { run, members, fleet } = onlyOne(shares, 'promote');
        await surveyAll(ports, settings, members, { prepare: true });
        const canary = mustBeHeld(recordedIn(run), members, 'promote', settings);
        await refuseSick(canary, fleet);
        const { release } = canary;
        session.release = infoOf(release);
        const names = namesOf(canary.members);
        inform(ports, `Deploying ${release.imageTag} to the rest: release ${release.id}, held on ${names}.`);
        const others = members.filter((member) => !runsUnchanged(member, release));
        // Some may have joined since the canary was staged.
        await stageTo(session, release, { donors: members, strays: others });
        return [{ release }];
      },
      isUpToDate: runsUnchanged,
    }),
  );
}

/** Takes the droplets that run the canary back to the fleet's release. Never throws: every end is a result. */
export async function abort(given: DeployPorts, options: SessionOptions): Promise<DeployResult> {
  const { settings } = options;
  return await runSession('rollback', given, { ...options, ends: 'abort' }, NO_RELEASE_YET, (session, ports) =>
    performRollout(session, {
      // Like rollback.
      policy: { pauseMs: 0, bakeMs: 0 },
      refuse: refuseImpossible,
      refuseByRecords: (fleets) => refuseUnrecorded(fleets, 'abort'),
      reach: 'all',
      anchors: true,
      publishes: true,
      async choose(shares) {
        const { run, members } = onlyOne(shares, 'abort');
        await surveyAll(ports, settings, members, { prepare: false });
        const canary = mustBeHeld(recordedIn(run), members, 'abort', settings);
        const release = await releaseBefore(canary, members, recordedIn(run), settings);
        session.release = infoOf(release);
        inform(ports, `Taking ${namesOf(canary.members)} back to release ${release.id}.`);
        // What the run of the canary has left recorded as out is put back, too.
        const placed = placedIn(members, await observeFleet(run, members));
        const exempt = placed.filter((member) => !canary.members.includes(member));
        return [{ release, exempt: new Set(exempt.map(({ droplet }) => droplet.id)) }];
      },
      isUpToDate: runsAlready,
    }),
  );
}

/** The canary, and the release that ends it, as they are at the moment, for a confirmation. Takes no lease. */
export async function findCanary(
  ports: DeployPorts,
  { settings, ends }: Pick<SessionOptions, 'settings'> & { ends: EndOfCanary },
): Promise<{ canary: Canary; release: StoredRelease }> {
  return await visitFleets(ports, settings, { setApart: true }, async (visits) => {
    const { fleet, members, unreachable } = onlyOne(visits, ends);
    const [first] = unreachable;
    if (first) throw first.error;
    await surveyQuietly(members, settings);
    const recorded = await fleet.anchors.readWithCanaries();
    const canary = mustBeHeld(recorded, members, ends, settings);
    if (ends === 'promote') {
      await refuseSick(canary, fleet);
      return { canary, release: canary.release };
    }
    return { canary, release: await releaseBefore(canary, members, recorded, settings) };
  });
}

/**
 * What is not well on the canary is not brought to the rest. A droplet that a killed promote has left half-way goes first then,
 * as in a deploy; but one at least must have shown that the release is good. Throws DeployError canary-sick.
 */
async function refuseSick(canary: Canary, { target, settings }: Fleet): Promise<void> {
  const { members } = canary;
  const judged = members.filter((member) => !isHalfDone(member));
  const [first] = members;
  if (judged.length === 0 && first !== undefined)
    throw canaryIsSick(canary, first, 'it was left half-changed', settings);
  const checks = await inParallel(judged, async (member) => {
    const verdict = judgeHealth(member.services, member.containers, member.survey.containers?.now ?? 0);
    const why = verdict.kind === 'failed' ? verdict.cause : await failedCheck(member, target, settings);
    return why === undefined ? [] : [{ member, why }];
  });
  for (const { member, why } of checks.flat()) throw canaryIsSick(canary, member, why, settings);
}

/** Throws DeployError no-canary where none is recorded: that needs neither the droplets nor their lock. */
async function refuseUnrecorded(fleets: readonly Fleet[], ends: EndOfCanary): Promise<void> {
  const { anchors, settings } = onlyOne(fleets, ends);
  const { canaries } = await anchors.readWithCanaries();
  if (canaries.length === 0) throw noCanary(ends, `no canary is held on ${settings.environment}`, settings);
}

/** Throws DeployError no-canary. */
function mustBeHeld(
  { canaries }: Recorded,
  members: readonly Member[],
  ends: EndOfCanary,
  of: Environment,
): Canary & { release: StoredRelease } {
  const { environment } = of;
  const canary = canaryOn(members, canaries);
  if (canary?.release !== undefined) return { ...canary, release: canary.release };
  const why =
    canaries.length === 0
      ? `no canary is held on ${environment}`
      : `the canary that is recorded for ${environment} runs on no droplet of the fleet: the run that began it was killed before, or its droplets have left the fleet`;
  throw noCanary(ends, why, of);
}

function noCanary(ends: EndOfCanary, why: string, of: Environment): DeployError {
  return new DeployError('no-canary', `Nothing to ${ends}: ${why}.`, {
    source: 'user',
    hint: `See what each droplet runs: ${doDeploy(of, 'status')}. What a killed run has left out, ${doDeploy(of, 'heal')} puts back.`,
  });
}

/** The release of the fleet, which every droplet of the canary must hold. Throws DeployError no-release-before. */
async function releaseBefore(
  canary: Canary & { release: StoredRelease },
  members: readonly Member[],
  recorded: Recorded,
  of: Environment,
): Promise<StoredRelease> {
  const others = members.filter((member) => !canary.members.includes(member));
  const found = fleetRelease(others.length > 0 ? others : members, recorded);
  // Where all that is left runs the canary, nobody else can run what was recorded.
  const isAlone = others.length === 0 && found.anchored !== undefined;
  const { release, dispute } = isAlone ? { release: found.anchored, dispute: undefined } : found;
  const without = release && namesWithout(canary.members, release);
  if (release === undefined || dispute !== undefined || without !== '' || release.id === canary.release.id) {
    const why =
      dispute ?? (without ? `Release ${release?.id} is no longer on ${without}.` : 'The fleet has no other release.');
    throw new DeployError('no-release-before', `The canary cannot be taken back. ${why}`, {
      hint: `Deploy the version that you want: ${doDeploy(of, 'deploy', 'RELEASE')}`,
    });
  }
  const to = (one: StoredRelease) => doDeploy(of, 'deploy', one.imageTag);
  await refuseGoneImages(
    canary.members,
    release,
    () => `A deploy to all pulls what is missing: ${to(release)}, or ${to(canary.release)} for the canary's release.`,
  );
  return release;
}
