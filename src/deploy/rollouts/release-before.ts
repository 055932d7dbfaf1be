/** Which release a rollback goes to. */
import type { Settings } from '../../config/settings.js';
import { DeployError } from '../../errors.js';
import { doDeploy } from '../core/do-deploy.js';
import { findGoneImages, refuseGoneImages } from '../droplet/gone-images.js';
import { copyOf, namesWithout, recordsOf, whereMissing } from '../droplet/held-releases.js';
import {
  beforeCurrent,
  currentRelease,
  heldRelease,
  isHalfDone,
  type Member,
  provenOn,
  runningRelease,
} from '../droplet/member.js';
import type { Recorded } from '../fleet/anchors.js';
import type { Fleet } from '../fleet/find-fleet.js';
import { anchoredIds, fleetRelease } from '../fleet/fleet-release.js';
import { releaseHash } from '../release/release-hash.js';
import type { StoredRelease } from '../release/stored-release.js';
import { eachShare } from '../session/rollout.js';

export interface WantedRelease {
  settings: Settings;
  /** A release's id, or the tag of its images (of several, the latest release); default: the one before the current. */
  wanted?: string | undefined;
}

/** What choosing a release to go back to takes: the same for every role. */
export interface Source {
  members: readonly Member[];
  recorded: Recorded;
  fleet: Pick<Fleet, 'target' | 'membership'>;
}

/**
 * The release of each role, with one id: the one that is wanted, or what a deploy was replacing that was stopped, or the one
 * before the fleet's. By what deployers have recorded: where they have not, by the word of the droplets. Throws DeployError
 * when there is none that every droplet holds.
 */
export async function releasesToGoBackTo(shares: readonly Source[], options: WantedRelease): Promise<StoredRelease[]> {
  const everyone = shares.flatMap(({ members }) => members);
  const choose = (wanted = options.wanted) =>
    eachShare(shares, (share) => releaseToGoBackTo(share, everyone, { ...options, wanted }));
  const chosen = await choose(options.wanted ?? stoppedAt(shares, everyone)?.id);
  const [latest, ...others] = latestDeployedFirst(
    shares,
    chosen.map(({ id }) => id),
  );
  return others.length === 0 ? chosen : await choose(latest);
}

/** What the fleet is still on, where a deploy was stopped that had not become its release. */
function stoppedAt(shares: readonly Source[], everyone: readonly Member[]): StoredRelease | undefined {
  const judged = shares.map((share) => byRecords(share, everyone));
  const undone = judged.find((one) => one?.isUndone);
  if (undone !== undefined) return undone.release;
  if (judged.some((one) => one !== undefined)) return undefined;
  return shares.map(replacedIn).find((release) => release !== undefined) ?? replacedBetween(shares);
}

/**
 * A droplet that has left the release that was recorded last has done so for a deploy that failed or was killed: then the fleet
 * goes back to that release. Otherwise to the one that was recorded before it.
 * Undefined where droplets have to be asked: nothing else is recorded, or an earlier version of do-deploy, which records
 * nothing, has deployed what all of them run.
 * @param everyone the droplets of all roles, whose releases have the same ids
 */
function byRecords(
  { members, recorded, fleet: { target, membership } }: Source,
  everyone: readonly Member[],
): { isUndone: boolean; release: StoredRelease | undefined } | undefined {
  const [newest, ...older] = recorded.anchored.map(({ hash }) => hash);
  if (newest === undefined) return undefined;
  const last = copyOf(members, newest);
  const running = members.filter((member) => runningRelease(member) !== '');
  const hashes = new Set([newest, ...older]);
  // Of a release that was deployed before and again, a droplet may only not have got it again yet.
  const since = older.includes(newest) ? firstOn(everyone, last) : '';
  const marked = new Set(membership.droplets.filter((one) => one.inLedger).map(({ droplet }) => droplet.id));
  // A killed run leaves its droplet recorded as out: without that record, a droplet's claim to be half-way counts for nothing.
  const isBelieved = (member: Member) => !isHalfDone(member) || !target.isFleet || marked.has(member.droplet.id);
  const odd = running
    .filter(isBelieved)
    .filter((member) => isGoingBack(member) || hasLeft(member, last, { hashes, since, members }));
  const isFromEarlier = new Set(odd.map(runningRelease)).size === 1 && !odd.some(isHalfDone);
  if (odd.length === running.length && isFromEarlier) return undefined;
  if (odd.length > 0) return { isUndone: true, release: last };
  const before = older.find((hash) => hash !== newest && !wasStopped(members, copyOf(members, hash)));
  return before === undefined ? undefined : { isUndone: false, release: copyOf(members, before) };
}

/**
 * By what it ran before; a release that was never recorded is from no other deploy. A rollback that was killed is continued.
 * @param last the release that was recorded last
 * @param options.since what was verified earlier, ISO 8601, has not left it
 */
function hasLeft(
  member: Member,
  last: StoredRelease | undefined,
  { hashes, since: after, members }: { hashes: ReadonlySet<string>; since: string; members: readonly Member[] },
): boolean {
  if (runningRelease(member) === last?.id) return false;
  const { run = '', since = '' } = member.survey.state ?? {};
  if (isHalfDone(member)) return !isRollbacks(member);
  // A deploy brings its release to all before it begins: what one droplet alone holds, it may have made up.
  if (!isRecorded(member, hashes)) return members.length === 1 || isHeldElsewhere(member, members);
  // Heal repairs a droplet on a release that it had.
  return last !== undefined && beforeCurrent(member) === last.id && since > after && !run.startsWith('heal ');
}

/** Every droplet holds the release, and some that ran others before have never run it: its deploy was stopped. */
function wasStopped(members: readonly Member[], release: StoredRelease | undefined): boolean {
  if (release === undefined || namesWithout(members, release) !== '') return false;
  return members.some((member) => beforeCurrent(member) !== undefined && !provenOn(member).has(release.id));
}

/** The last change of the droplet was that of a rollback. */
function isRollbacks({ survey: { state } }: Member): boolean {
  return state?.run.startsWith('rollback ') === true;
}

function isHeldElsewhere(member: Member, members: readonly Member[]): boolean {
  const own = heldRelease(member, runningRelease(member));
  if (own === undefined) return false;
  const others = members.filter((other) => other !== member);
  return copyOf(others, releaseHash(own)) !== undefined;
}

/** When the first of the droplets that run the release was verified on it, ISO 8601; '' where none runs it. */
function firstOn(members: readonly Member[], release: StoredRelease | undefined): string {
  const on = members.filter((member) => !isHalfDone(member) && runningRelease(member) === release?.id);
  return on.flatMap(({ survey: { state } }) => state?.since ?? []).sort()[0] ?? '';
}

function isRecorded(member: Member, hashes: ReadonlySet<string>): boolean {
  const held = heldRelease(member, runningRelease(member));
  return held !== undefined && hashes.has(releaseHash(held));
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
  const isUnfinished = (member: Member) => {
    const running = runningRelease(member);
    if (running === '' || isRecorded(member, hashes)) return isGoingBack(member);
    return isHalfDone(member) ? isGoingBack(member) || !isRollbacks(member) : hashes.size > 0;
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

async function releaseToGoBackTo(
  share: Source,
  everyone: readonly Member[],
  { wanted, settings }: WantedRelease,
): Promise<StoredRelease> {
  const { app } = settings;
  const { members, recorded } = share;
  const all = newestFirst(members, recorded);
  const whole = heldByAll(members, recorded);
  const known = byRecords(share, everyone);
  const before = (releases: readonly StoredRelease[]) =>
    known === undefined
      ? runBefore(members, releases, fleetRelease(members, recorded).release)
      : releases.find(({ id }) => id === known.release?.id);
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
  if (without !== '') return await refuse('release-gone', `Release ${choice.id} is not on ${without}.`);
  const current = `${doDeploy(settings, 'deploy', choice.imageTag)} deploys what that tag names today.`;
  await refuseGoneImages(members, choice, async () => `${await others()} ${current}`);
  return choice;
}

/** Names releases that are complete on every droplet, have passed their gates and do not run everywhere already. */
async function othersHint(members: readonly Member[], heldByAll: readonly StoredRelease[]): Promise<string> {
  // Not what only a canary ran.
  const isProven = (id: string) => members.filter((member) => provenOn(member).has(id)).length * 2 > members.length;
  const candidates = heldByAll.filter(
    ({ id }) => isProven(id) && members.some((member) => member.survey.current !== id),
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
