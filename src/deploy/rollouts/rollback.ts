/** `do-deploy rollback`: a full rollout to an earlier release, from what the droplets keep. */

import { DeployError } from '../../errors.js';
import type { DeployResult } from '../../rollout/model.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { reportTo } from '../core/report.js';
import { connectAll } from '../droplet/connect.js';
import { findGoneImages, imageGone } from '../droplet/gone-images.js';
import { beforeCurrent, type Member, provenOn } from '../droplet/member.js';
import { surveyEach } from '../droplet/survey.js';
import { findFleet } from '../fleet/find-fleet.js';
import { policyOf, refuseImpossible } from '../fleet/policy.js';
import type { StoredRelease } from '../release/stored-release.js';
import { announce, reachAll } from '../session/open-session.js';
import { inSession, type SessionOptions } from '../session/session.js';
import { rollToExisting } from './roll-existing-release.js';
export interface RollbackOptions extends SessionOptions {
  /** A release's id, or the tag of its images (the latest such release); absent: the one before the current. */
  wanted?: string;
}

export async function rollback(ports: DeployPorts, options: RollbackOptions): Promise<DeployResult> {
  const release = { id: '', imageTag: options.wanted ?? '' };
  return await inSession('rollback', ports, options, release, async (session) => {
    reportTo(ports)({ type: 'phase-started', phase: 'discover' });
    const fleet = await findFleet(ports, options.settings);
    const policy = policyOf(options.settings, fleet.target, options.allowDowntime);
    refuseImpossible(fleet, policy);
    announce(session, fleet);
    await reachAll(session, fleet);
    return await rollToExisting(session, fleet, policy, (members) => releaseToGoBackTo(members, options));
  });
}

/** The release that a rollback goes back to, as things are now: for the question before it. Takes no lock. */
export async function findReleaseToGoBackTo(
  ports: DeployPorts,
  options: Pick<RollbackOptions, 'settings' | 'wanted'>,
): Promise<StoredRelease> {
  const { membership } = await findFleet(ports, options.settings);
  const droplets = membership.droplets.map(({ droplet }) => droplet);
  const quiet = { ...ports, reporter: { report: () => {} } };
  const { members, unreachable } = await connectAll(quiet, options.settings, droplets);
  try {
    const [first] = unreachable;
    if (first) throw first.error;
    await surveyEach(members, options.settings);
    return await releaseToGoBackTo(members, options);
  } finally {
    await Promise.allSettled(members.map((member) => member.connection.close()));
  }
}

async function releaseToGoBackTo(
  members: readonly Member[],
  { wanted, settings: { app, environment } }: Pick<RollbackOptions, 'settings' | 'wanted'>,
): Promise<StoredRelease> {
  const all = new Map(members.flatMap((member) => member.survey.releases).map((release) => [release.id, release]));
  const newestFirst = [...all.values()].sort((a, b) => (a.id < b.id ? 1 : -1));
  const held = newestFirst.filter((release) => lackers(members, release).length === 0);
  const choice = wanted === undefined ? runBefore(members, held) : newestFirst.find((one) => isCalled(one, wanted));
  const others = async () => await othersHint(members, held);
  if (choice === undefined) {
    const message =
      wanted === undefined
        ? `There is no earlier release of ${app} that every droplet holds${missing(members, runBefore(members, newestFirst))}.`
        : `No droplet holds a release "${wanted}" of ${app}.`;
    throw new DeployError('no-such-release', message, { source: 'user', hint: await others() });
  }
  if (lackers(members, choice).length > 0) {
    const message = `Release ${choice.id} is no longer on ${namesOf(lackers(members, choice))}.`;
    throw new DeployError('release-gone', message, { source: 'user', hint: await others() });
  }
  const gone = (await findGoneImages(members, [choice])).get(choice.id);
  if (gone === undefined) return choice;
  const anew = `do-deploy ${environment} ${choice.imageTag} deploys what that tag names today.`;
  throw imageGone(gone, choice, `${await others()} ${anew}`);
}

/** Names the releases that are whole on every droplet, have passed their gates, and do not run everywhere already. */
async function othersHint(members: readonly Member[], held: readonly StoredRelease[]): Promise<string> {
  const proven = new Set(members.flatMap((member) => [...provenOn(member)]));
  const candidates = held.filter(({ id }) => proven.has(id) && members.some((member) => member.survey.current !== id));
  const gone = await findGoneImages(members, candidates);
  const whole = candidates.filter(({ id }) => !gone.has(id));
  if (whole.length === 0) return 'Deploy the version that you want instead.';
  return `The fleet can go back to: ${whole.map(({ id }) => id).join(', ')}.`;
}

/** ": R is not on web-2", for the end of a sentence. */
function missing(members: readonly Member[], release: StoredRelease | undefined): string {
  return release === undefined ? '' : `: ${release.id} is not on ${namesOf(lackers(members, release))}`;
}

function namesOf(members: readonly Member[]): string {
  return members.map((member) => member.host.name).join(', ');
}

function lackers(members: readonly Member[], release: StoredRelease): Member[] {
  return members.filter((member) => !member.survey.releases.some((one) => one.id === release.id));
}

function isCalled(release: StoredRelease, wanted: string): boolean {
  return release.id === wanted || release.imageTag === wanted;
}

/** What ran before, as the droplets tell it; of several the latest. Failed releases were never verified, so never named. */
function runBefore(members: readonly Member[], held: readonly StoredRelease[]): StoredRelease | undefined {
  const before = new Set(members.flatMap((member) => beforeCurrent(member) ?? []));
  const current = new Set(members.flatMap((member) => member.survey.current ?? []));
  return held.find((release) => before.has(release.id) && (current.size > 1 || !current.has(release.id)));
}
