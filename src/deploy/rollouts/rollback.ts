/** `do-deploy rollback`: rolls the fleet to an earlier release that the droplets still hold. */

import type { DeployResult } from '../../rollout/model.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { inform } from '../core/report.js';
import { runsAlready } from '../droplet/member.js';
import { surveyAll, surveyQuietly } from '../droplet/survey.js';
import { type Canary, canaryOn } from '../fleet/canary-record.js';
import { recordedIn } from '../fleet/fleet-release.js';
import { refuseImpossible } from '../fleet/policy.js';
import { visitFleets } from '../inspect/visit-fleet.js';
import { infoOf, type StoredRelease } from '../release/stored-release.js';
import { canaryHeld, canaryIsHeld } from '../session/canary.js';
import { eachShare, performRollout } from '../session/rollout.js';
import { NO_RELEASE_YET, runSession, type SessionOptions } from '../session/session.js';
import { releasesToGoBackTo, type WantedRelease } from './release-before.js';

export type RollbackOptions = SessionOptions & WantedRelease;

/** Never throws: every end is a result. */
export async function rollback(given: DeployPorts, options: RollbackOptions): Promise<DeployResult> {
  const { settings, wanted = '' } = options;
  return await runSession('rollback', given, options, { ...NO_RELEASE_YET, imageTag: wanted }, (session, ports) =>
    performRollout(session, {
      // It leads back to what has been verified, and may be urgent.
      policy: { pauseMs: 0, bakeMs: 0 },
      refuse: refuseImpossible,
      reach: 'all',
      anchors: true,
      publishes: true,
      async choose(shares) {
        await eachShare(shares, ({ members }) => surveyAll(ports, settings, members, { prepare: false }));
        for (const { run, members } of shares) refuseBesideCanary(canaryHeld(run, members), options);
        const releases = await releasesToGoBackTo(
          shares.map(({ run, members, fleet }) => ({ members, recorded: recordedIn(run), fleet })),
          options,
        );
        const [release] = releases;
        if (release !== undefined) session.release = infoOf(release);
        inform(ports, `Rolling back to release ${session.release.id}.`);
        return releases.map((own) => ({ release: own }));
      },
      isUpToDate: runsAlready,
    }),
  );
}

/** The release that a rollback would go to at the moment, for its confirmation. Takes no lease. */
export async function findReleaseToGoBackTo(ports: DeployPorts, options: WantedRelease): Promise<StoredRelease> {
  return await visitFleets(ports, options.settings, { setApart: true }, async (visits) => {
    const [first] = visits.flatMap(({ unreachable }) => unreachable);
    if (first) throw first.error;
    const shares = await Promise.all(
      visits.map(async ({ fleet, members }) => {
        await surveyQuietly(members, options.settings);
        const recorded = await fleet.anchors.readWithCanaries();
        refuseBesideCanary(canaryOn(members, recorded.canaries), options);
        return { members, recorded, fleet };
      }),
    );
    const [release] = await releasesToGoBackTo(shares, options);
    if (release === undefined) throw new Error('an environment has at least one target');
    return release;
  });
}

/** "The release before" is not clear then. Throws DeployError canary-held. */
export function refuseBesideCanary(canary: Canary | undefined, { wanted, settings }: WantedRelease): void {
  if (wanted === undefined && canary !== undefined) {
    throw canaryIsHeld(canary, settings);
  }
}
