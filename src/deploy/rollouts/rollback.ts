/** `do-deploy rollback`: rolls the fleet to an earlier release that the droplets still hold. */

import { DeployError } from '../../errors.js';
import type { DeployResult } from '../../rollout/model.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { inform } from '../core/report.js';
import { findGoneImages, refuseGoneImages } from '../droplet/gone-images.js';
import { namesWithout } from '../droplet/held-releases.js';
import { beforeCurrent, type Member, provenOn, runsAlready } from '../droplet/member.js';
import { surveyAll, surveyQuietly } from '../droplet/survey.js';
import { refuseImpossible } from '../fleet/policy.js';
import { visitFleet } from '../inspect/visit-fleet.js';
import { infoOf, type StoredRelease } from '../release/stored-release.js';
import { performRollout } from '../session/rollout.js';
import { NO_RELEASE_YET, runSession, type SessionOptions } from '../session/session.js';

export interface RollbackOptions extends SessionOptions {
  /** A release's id, or the tag of its images (of several, the latest release); default: the one before the current. */
  wanted?: string;
}

/** Never throws: every end is a result. */
export async function rollback(ports: DeployPorts, options: RollbackOptions): Promise<DeployResult> {
  const { settings, wanted = '' } = options;
  return await runSession('rollback', ports, options, { ...NO_RELEASE_YET, imageTag: wanted }, (session) =>
    performRollout(session, {
      refuse: refuseImpossible,
      reach: 'all',
      async choose(_, members) {
        await surveyAll(ports, settings, members, { prepare: false });
        const release = await releaseToGoBackTo(members, options);
        session.release = infoOf(release);
        inform(ports, `Rolling back to release ${release.id}.`);
        return { release };
      },
      isUpToDate: runsAlready,
    }),
  );
}

/** The release that a rollback would go to at the moment, for its confirmation. Takes no lease. */
export async function findReleaseToGoBackTo(
  ports: DeployPorts,
  options: Pick<RollbackOptions, 'settings' | 'wanted'>,
): Promise<StoredRelease> {
  return await visitFleet(ports, options.settings, {}, async (_, { members, unreachable: [first] }) => {
    if (first) throw first.error;
    await surveyQuietly(members, options.settings);
    return await releaseToGoBackTo(members, options);
  });
}

async function releaseToGoBackTo(
  members: readonly Member[],
  { wanted, settings: { app, environment } }: Pick<RollbackOptions, 'settings' | 'wanted'>,
): Promise<StoredRelease> {
  const all = new Map(members.flatMap((member) => member.survey.releases).map((release) => [release.id, release]));
  const newestFirst = [...all.values()].sort((a, b) => (a.id < b.id ? 1 : -1));
  const heldByAll = newestFirst.filter((release) => namesWithout(members, release.id) === '');
  const refusal = async (code: string, message: string) =>
    new DeployError(code, message, { source: 'user', hint: await othersHint(members, heldByAll) });

  if (wanted === undefined) {
    const before = runBefore(members, heldByAll);
    if (before !== undefined) return await withImages(before);
    const missing = runBefore(members, newestFirst);
    const which = missing && `: ${missing.id} is not on ${namesWithout(members, missing.id)}`;
    throw await refusal(
      'no-such-release',
      `There is no earlier release of ${app} that every droplet holds${which ?? ''}.`,
    );
  }
  const choice = newestFirst.find(({ id, imageTag }) => id === wanted || imageTag === wanted);
  if (choice === undefined) throw await refusal('no-such-release', `No droplet holds a release "${wanted}" of ${app}.`);
  const without = namesWithout(members, choice.id);
  if (without !== '') throw await refusal('release-gone', `Release ${choice.id} is no longer on ${without}.`);
  return await withImages(choice);

  async function withImages(release: StoredRelease): Promise<StoredRelease> {
    await refuseGoneImages(members, release, async () => {
      const others = await othersHint(members, heldByAll);
      return `${others} do-deploy ${environment} ${release.imageTag} deploys what that tag names today.`;
    });
    return release;
  }
}

/** Names releases that are complete on every droplet, have passed their gates and do not run everywhere already. */
async function othersHint(members: readonly Member[], heldByAll: readonly StoredRelease[]): Promise<string> {
  const proven = new Set(members.flatMap((member) => [...provenOn(member)]));
  const candidates = heldByAll.filter(
    ({ id }) => proven.has(id) && members.some((member) => member.survey.current !== id),
  );
  const gone = await findGoneImages(members, candidates);
  const whole = candidates.filter(({ id }) => !gone.has(id));
  if (whole.length === 0) return 'Deploy the version that you want instead.';
  return `The fleet can go back to: ${whole.map(({ id }) => id).join(', ')}.`;
}

/** The latest of the releases that ran, verified, before the droplets' current ones. Failed releases are never among them. */
function runBefore(members: readonly Member[], releases: readonly StoredRelease[]): StoredRelease | undefined {
  const before = new Set(members.flatMap((member) => beforeCurrent(member) ?? []));
  const current = new Set(members.flatMap((member) => member.survey.current ?? []));
  return releases.find((release) => before.has(release.id) && (current.size > 1 || !current.has(release.id)));
}
