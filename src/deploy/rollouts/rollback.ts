/** `do-deploy rollback`: rolls the fleet to an earlier release that the droplets still hold. */

import { DeployError } from '../../errors.js';
import type { DeployResult } from '../../rollout/model.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { doDeploy } from '../core/do-deploy.js';
import { inform } from '../core/report.js';
import { findGoneImages, refuseGoneImages } from '../droplet/gone-images.js';
import { namesWithout, recordsOf, whereMissing } from '../droplet/held-releases.js';
import {
  beforeCurrent,
  currentRelease,
  heldRelease,
  isHalfDone,
  type Member,
  provenOn,
  runningRelease,
  runsAlready,
} from '../droplet/member.js';
import { surveyAll, surveyQuietly } from '../droplet/survey.js';
import type { Recorded } from '../fleet/anchors.js';
import { type Canary, canaryOn } from '../fleet/canary-record.js';
import type { Fleet } from '../fleet/find-fleet.js';
import { anchoredIds, fleetRelease, recordedIn } from '../fleet/fleet-release.js';
import { refuseImpossible } from '../fleet/policy.js';
import { visitFleets } from '../inspect/visit-fleet.js';
import { releaseHash } from '../release/release-hash.js';
import { infoOf, type StoredRelease } from '../release/stored-release.js';
import { canaryHeld, canaryIsHeld } from '../session/canary.js';
import { eachShare, performRollout } from '../session/rollout.js';
import { NO_RELEASE_YET, runSession, type SessionOptions } from '../session/session.js';

export interface RollbackOptions extends SessionOptions {
  /** A release's id, or the tag of its images (of several, the latest release); default: the one before the current. */
  wanted?: string;
}

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
export async function findReleaseToGoBackTo(
  ports: DeployPorts,
  options: Pick<RollbackOptions, 'settings' | 'wanted'>,
): Promise<StoredRelease> {
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

/** What choosing a release to go back to takes: the same for every role. */
export interface Source {
  members: readonly Member[];
  recorded: Recorded;
  fleet: Pick<Fleet, 'target' | 'membership'>;
}

/** The release of each role, with one id: what a deploy was replacing that was stopped, or the latest that a role would go back to. */
export async function releasesToGoBackTo(
  shares: readonly Source[],
  options: Pick<RollbackOptions, 'settings' | 'wanted'>,
): Promise<StoredRelease[]> {
  const choose = (wanted = options.wanted) =>
    eachShare(shares, ({ members, recorded }) => releaseToGoBackTo(members, recorded, { ...options, wanted }));
  const inOne = () => shares.map((share) => replacedIn(share)?.id).find((id) => id !== undefined);
  const chosen = await choose(options.wanted ?? inOne() ?? replacedBetween(shares)?.id);
  const [latest, ...others] = latestDeployedFirst(
    shares,
    chosen.map(({ id }) => id),
  );
  return others.length === 0 ? chosen : await choose(latest);
}

/** Ids sort by when the releases were made, and an old one may have been deployed again. */
function latestDeployedFirst(shares: readonly Source[], ids: readonly string[]): string[] {
  const orders = shares.map(({ members, recorded }) => anchoredIds(members, recorded.anchored));
  const age = (id: string) =>
    Math.min(...orders.map((order) => (order.includes(id) ? order.indexOf(id) : Number.MAX_SAFE_INTEGER)));
  const byId = [...new Set(ids)].sort().reverse();
  return byId.sort((a, b) => age(a) - age(b));
}

/**
 * What a deploy was replacing that has ended between two roles. Roles are rolled in their order, and go back in the reverse:
 * so the last ones are still on it. They are, if it was the last release to be recorded, or if a role before ran it until now.
 */
function replacedBetween(shares: readonly Source[]): StoredRelease | undefined {
  const found = shares.map(({ members, recorded }) => {
    const { release, before, dispute } = fleetRelease(members, recorded);
    const isRecorded = dispute === undefined && recorded.anchored.length > 0;
    return { release, isRecorded, before: before ?? runBefore(members, heldByAll(members, recorded), release) };
  });
  const isReplaced = ({ release, isRecorded }: (typeof found)[number], index: number) => {
    const ahead = found.slice(0, index).filter((one) => one.release !== undefined && one.release.id !== release?.id);
    return ahead.some(({ before }) => isRecorded || before?.id === release?.id);
  };
  return found.findLast(isReplaced)?.release;
}

/** Newest first. */
function heldByAll(members: readonly Member[], recorded: Recorded): StoredRelease[] {
  return newestFirst(members, recorded).filter((release) => namesWithout(members, release) === '');
}

function newestFirst(members: readonly Member[], { anchored }: Recorded): StoredRelease[] {
  const records = recordsOf(members, new Set(anchored.map(({ hash }) => hash)));
  return records.sort((a, b) => (a.id < b.id ? 1 : -1));
}

/**
 * What a deploy was replacing that has ended in the middle: some droplets run its release, or are half-way to it, and it never
 * became that of the fleet. Then "the release before" is the one that the fleet is still on, not the one before that. In a
 * fleet only droplets in the ledger count: of others, nobody but the droplet itself says so.
 */
function replacedIn({ members, recorded, fleet: { target, membership } }: Source): StoredRelease | undefined {
  const inLedger = new Set(membership.droplets.filter((one) => one.inLedger).map(({ droplet }) => droplet.id));
  const { release, dispute } = fleetRelease(members, recorded);
  const hashes = new Set(recorded.anchored.map(({ hash }) => hash));
  const isRecorded = (held: StoredRelease | undefined) => held !== undefined && hashes.has(releaseHash(held));
  const isUnfinished = (member: Member) => {
    const running = runningRelease(member);
    if (running === '' || isRecorded(heldRelease(member, running))) return isGoingBack(member);
    return isHalfDone(member) ? isGoingBack(member) || !provenOn(member).has(running) : hashes.size > 0;
  };
  const changing = members.filter(({ droplet }) => !target.isFleet || inLedger.has(droplet.id));
  const unfinished = changing.filter(isUnfinished);
  if (unfinished.length === 0) return undefined;
  if (hashes.size > 0 && dispute === undefined) return release;
  // By the word of the droplets.
  return unfinished
    .filter(isHalfDone)
    .map(currentRelease)
    .find((before) => before !== undefined);
}

/** On its way back to the release that it ran: the run that had failed there was killed. */
function isGoingBack(member: Member): boolean {
  return isHalfDone(member) && runningRelease(member) === member.survey.current;
}

/** "The release before" is not clear then. Throws DeployError canary-held. */
export function refuseBesideCanary(
  canary: Canary | undefined,
  { wanted, settings }: Pick<RollbackOptions, 'settings' | 'wanted'>,
): void {
  if (wanted === undefined && canary !== undefined) {
    throw canaryIsHeld(canary, settings);
  }
}

async function releaseToGoBackTo(
  members: readonly Member[],
  recorded: Recorded,
  { wanted, settings }: Pick<RollbackOptions, 'settings' | 'wanted'>,
): Promise<StoredRelease> {
  const { app } = settings;
  const all = newestFirst(members, recorded);
  const whole = heldByAll(members, recorded);
  const fleet = fleetRelease(members, recorded);
  const before = (releases: readonly StoredRelease[]) =>
    fleet.before === undefined
      ? runBefore(members, releases, fleet.release)
      : releases.find(({ id }) => id === fleet.before?.id);
  const others = () => othersHint(members, whole);
  const refuse = async (code: string, message: string): Promise<never> => {
    throw new DeployError(code, message, { source: 'user', hint: await others() });
  };
  const isWanted = ({ id, imageTag }: StoredRelease) => id === wanted || imageTag === wanted;
  const choice = wanted === undefined ? before(whole) : all.find(isWanted);
  if (choice === undefined) {
    const where = whereMissing(members, before(all));
    const none = `There is no earlier release of ${app} that every droplet holds${where}.`;
    return await refuse(
      'no-such-release',
      wanted === undefined ? none : `No droplet holds a release "${wanted}" of ${app}.`,
    );
  }
  const without = namesWithout(members, choice);
  if (without !== '') return await refuse('release-gone', `Release ${choice.id} is no longer on ${without}.`);
  const current = `${doDeploy(settings, 'deploy', choice.imageTag)} deploys what that tag names today.`;
  await refuseGoneImages(members, choice, async () => `${await others()} ${current}`);
  return choice;
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

/**
 * The latest of the releases that ran, verified, before the droplets' current ones. Failed releases are never among them, nor
 * those that only a part of the fleet ever ran, as a canary that was taken back.
 */
function runBefore(
  members: readonly Member[],
  releases: readonly StoredRelease[],
  latest: StoredRelease | undefined,
): StoredRelease | undefined {
  const hadAll = (id: string) =>
    members.every((member) => member.survey.current === id || beforeCurrent(member) === id);
  const before = new Set(members.flatMap((member) => beforeCurrent(member) ?? []).filter(hadAll));
  const current = new Set(members.flatMap((member) => member.survey.current ?? []));
  // After a rollout that was stopped, what it was replacing: some droplets ran it before, others still do.
  const replaced = releases.find(({ id }) => before.has(id) && current.has(id) && id !== latest?.id);
  if (replaced !== undefined) return replaced;
  return releases.find((release) => before.has(release.id) && (current.size > 1 || !current.has(release.id)));
}
