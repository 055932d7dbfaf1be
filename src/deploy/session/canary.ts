/** Rollouts to a part of the fleet: `--canary` and `--droplets`. The release is staged everywhere, and then held. */

import type { Settings } from '../../config/settings.js';
import { asDeployError, DeployError } from '../../errors.js';
import { batchSize } from '../../rollout/batches.js';
import type { DeployResult, Ways } from '../../rollout/model.js';
import type { Policy } from '../../rollout/rollout-state.js';
import { doDeploy, type Environment } from '../core/do-deploy.js';
import { warn } from '../core/report.js';
import { copyOf, namesOf } from '../droplet/held-releases.js';
import { beforeCurrent, currentRelease, heldRelease, isHalfDone, type Member } from '../droplet/member.js';
import { type Canary, canaryOn, runsHash } from '../fleet/canary-record.js';
import { type Fleet, isNamed } from '../fleet/find-fleet.js';
import { GoalAnchor } from '../fleet/goal-anchor.js';
import { releaseHash } from '../release/release-hash.js';
import type { StoredRelease } from '../release/stored-release.js';
import type { Run } from '../steps/run.js';
import { askedOf, continueCommand } from './continue-command.js';
import type { PlannedShare } from './roll-to-release.js';
import type { Session } from './session.js';

/**
 * `canary`: that many droplets, or the first batch. `droplets`: those with these names or ids. The rest of the fleet keeps
 * its release until `promote`.
 */
export type Part = { canary: number | 'first batch' } | { droplets: readonly string[] };

/** What a part of the fleet means for the planner. Undefined when it is the whole fleet. */
export interface PlannedPart {
  /** Droplets at which the rollout is held. */
  holdAt?: number;
  /** Ids of the droplets that keep their release. */
  others: ReadonlySet<number>;
}

/**
 * The only fleet of the environment: a canary is one of a fleet, not of several roles. Throws DeployError canary-of-roles.
 * @param what was asked for: `--canary`, `promote` …
 */
export function onlyOne<T>(fleets: readonly T[], what: string): T {
  const [first, ...others] = fleets;
  if (first !== undefined && others.length === 0) return first;
  throw new DeployError('canary-of-roles', `${what} is not for environments with roles.`, {
    source: 'user',
    hint:
      what === 'promote' || what === 'abort'
        ? 'Deploy the version that all droplets shall run: it takes the place of a canary from before the environment had roles.'
        : 'Deploy without it: roles are rolled in their order. Set rollout.batch to [1, 50%], and rollout.pause to 5m: then one droplet of the first role has the release for 5 min before another one gets it. Ctrl-C in that time stops there, and names the command that goes back.',
  });
}

/** Throws DeployError no-such-droplet, or canary-of-all. */
export function planPart(
  part: Part | undefined,
  { membership }: Fleet,
  policy: Policy,
  environment: string,
): PlannedPart | undefined {
  const droplets = membership.droplets.map(({ droplet }) => droplet);
  if (part === undefined) return undefined;
  if ('canary' in part) {
    const holdAt = part.canary === 'first batch' ? batchSize(policy.batch, 0, droplets.length) : part.canary;
    if (holdAt >= droplets.length) {
      const fewer = `--canary ${Math.floor(droplets.length / 2)}`;
      throw wholeFleet(droplets.length, environment, { option: '--canary', fewer });
    }
    return { holdAt, others: new Set() };
  }
  const unknown = part.droplets.filter((word) => !droplets.some((droplet) => isNamed(droplet, word)));
  if (unknown.length > 0) {
    const message = `The fleet has no droplet ${unknown.join(', ')}.`;
    const hint = `Its droplets: ${droplets.map(({ name }) => name).join(', ')}`;
    throw new DeployError('no-such-droplet', message, { source: 'user', hint });
  }
  const others = droplets
    .filter((droplet) => !part.droplets.some((word) => isNamed(droplet, word)))
    .map(({ id }) => id);
  if (others.length === 0) {
    const some = droplets.slice(0, Math.floor(droplets.length / 2)).map(({ name }) => name);
    throw wholeFleet(droplets.length, environment, { option: '--droplets', fewer: `--droplets ${some.join(',')}` });
  }
  return { others: new Set(others) };
}

/** @param asked.fewer the option with about half of the droplets */
function wholeFleet(
  size: number,
  environment: string,
  { option, fewer: instead }: { option: string; fewer: string },
): DeployError {
  const message = `That leaves no droplet of ${environment} on its release: the fleet has ${size}.`;
  const fewer = size > 2 ? `Deploy to fewer, with ${instead}, or to all, without ${option}.` : undefined;
  return new DeployError('canary-of-all', message, {
    source: 'user',
    hint: fewer ?? `Deploy to ${size === 1 ? 'it' : 'both of them'}, without ${option}.`,
  });
}

/**
 * To be called once the release is staged and before anything rolls. Warns when another release takes the place of a canary;
 * refuses a canary beside another one, and one on a fleet that would have nothing to go back to. Throws DeployError.
 */
export function checkCanary(session: Session, run: Run, release: StoredRelease): void {
  const { members, part, options, command, ports } = session;
  const held = canaryHeld(run, members);
  const isOther = held !== undefined && held.hash !== releaseHash(release);
  if (part === undefined) {
    const replaces = command === 'deploy' || (command === 'rollback' && options.ends === undefined);
    if (isOther && replaces) warn(ports, `${heldSentence(held)} This ${command} takes its place.`);
    return;
  }
  if (isOther) throw canaryIsHeld(held, options.settings);
  refuseNothingToHold(members, release, options.settings);
}

/** Throws DeployError nothing-to-hold where no droplet has a release to go back to. */
export function refuseNothingToHold(
  members: readonly Member[],
  { imageTag }: Pick<StoredRelease, 'imageTag'>,
  settings: Environment,
): void {
  if (members.some((member) => currentRelease(member) !== undefined)) return;
  throw new DeployError(
    'nothing-to-hold',
    'No droplet runs a release yet, so a canary would have nothing to go back to.',
    {
      source: 'user',
      hint: `Deploy to the whole fleet first: ${doDeploy(settings, 'deploy', imageTag)}`,
    },
  );
}

/** Before anything is uploaded for a canary beside another one. Throws DeployError canary-held. */
export function refuseOtherCanary(
  { members, part, options }: Pick<Session, 'members' | 'part'> & { options: Pick<Session['options'], 'settings'> },
  run: { canary: Pick<Run['canary'], 'hashes'> },
  imageTag: string,
): void {
  const held = canaryHeld(run, members);
  if (part === undefined || held?.release === undefined || held.release.imageTag === imageTag) return;
  throw canaryIsHeld(held, options.settings);
}

/** The canary that is held on any of these droplets. */
export function canaryHeld(
  run: { canary: Pick<Run['canary'], 'hashes'> },
  members: readonly Member[],
): Canary | undefined {
  return canaryOn(members, run.canary.hashes);
}

/** Whether droplets hold the release as a canary: a record that none of them runs means nothing. */
export function holdsAsCanary(
  { canary }: Pick<Run, 'canary'>,
  members: readonly Member[],
  release: StoredRelease,
): boolean {
  const hash = releaseHash(release);
  return canary.hashes.includes(hash) && members.some((member) => runsHash(member, hash));
}

/** "A canary of v2 is held on web-1." */
export function heldSentence({ release, members }: Canary): string {
  return `A canary${release === undefined ? '' : ` of ${release.imageTag}`} is held on ${namesOf(members)}.`;
}

/** The canary is as large as it was wanted, and others are not well, or it is not itself: that is no good end. */
export function besideLeftOut(left: readonly Member[], of: Environment): DeployError {
  const message = `With a canary held, an earlier run has left ${namesOf(left)} out of rotation, or half-changed.`;
  return new DeployError('left-out', message, {
    hint: `Put back what it has left: ${doDeploy(of, 'heal')}`,
  });
}

export function canaryIsHeld(canary: Canary, of: WithRoles): DeployError {
  const why = hasRoles(of) ? ` ${of.environment} has roles now, so it can be neither promoted nor aborted.` : '';
  const { forward, back } = waysOutOf(tagsOf(canary), of);
  return new DeployError('canary-held', `${heldSentence(canary)}${why}`, {
    source: 'user',
    hint: `Roll it out (${forward}), or take it back (${back}).`,
  });
}

/** @param why it is not well there */
export function canaryIsSick(canary: Canary, { host: { name } }: Member, why: string, of: Environment): DeployError {
  return new DeployError('canary-sick', `The canary is not well on ${name}: ${why}.`, {
    droplet: name,
    hint: `Finish it (${finishCommand(canary, of)}), repair it (${doDeploy(of, 'heal')}), or take it back (${doDeploy(of, 'abort')}).`,
  });
}

/** The deploy that brings the canary again to as many droplets, with images that they have lost. */
export function finishCommand({ release, members }: Canary, of: Environment): string {
  return doDeploy(of, 'deploy', ...finishWords(release?.imageTag, members.length));
}

export function finishWords(tag: string | undefined, size: number): string[] {
  return [...(tag === undefined ? [] : [tag]), '--canary', String(size)];
}

type WithRoles = Environment & Pick<Settings, 'roles'>;

function hasRoles({ roles = [] }: WithRoles): boolean {
  return roles.length > 1;
}

/** The commands that end a canary. Where there are roles now, a deploy to all of them takes its place. */
export function waysOutOf(
  { tag, before }: { tag?: string | undefined; before?: string | undefined },
  of: WithRoles,
): Ways {
  if (!hasRoles(of)) return { forward: doDeploy(of, 'promote'), back: doDeploy(of, 'abort') };
  const to = (version = 'RELEASE') => doDeploy(of, 'deploy', version);
  return { forward: to(tag), back: to(before) };
}

/** The versions of the canary, and of what its droplets ran before. */
function tagsOf({ release, members }: Canary): { tag?: string | undefined; before?: string | undefined } {
  const before = members.flatMap((member) => {
    const id = isHalfDone(member) ? member.survey.current : beforeCurrent(member);
    return heldRelease(member, id)?.imageTag ?? [];
  });
  return { tag: release?.imageTag, before: before[0] };
}

/** Records the canary before its first droplet leaves. Throws CloudError, or DeployError lease-lost. */
export async function recordCanary(session: Session, run: Run, release: StoredRelease): Promise<void> {
  const [first] = session.members;
  if (session.part === undefined || first === undefined) return;
  const hash = releaseHash(release);
  if (run.canary.hashes.includes(hash)) return;
  await run.canary.record.write(hash, () => run.lease.ensure(first.droplet.id));
  run.canary.hashes = [...run.canary.hashes, hash];
}

/**
 * Removes each record once no droplet runs its release, or all do, or all run what this run has rolled out: what is held then
 * is the fleet's. Never throws: a record without a droplet that runs its release means nothing, and the next run tries again.
 * @param gone ids of droplets that have left the fleet meanwhile
 */
export async function forgetCanary(
  session: Session,
  shares: readonly Pick<PlannedShare, 'run' | 'goal' | 'members' | 'fleet'>[],
  gone: ReadonlySet<number> = new Set(),
): Promise<void> {
  const isLeft = ({ droplet }: Member) => !gone.has(droplet.id);
  const members = session.members.filter(isLeft);
  const [first] = members;
  const [share] = shares;
  if (first === undefined || share === undefined || session.skipped.length > 0) return;
  if (shares.some(({ run }) => (run.away ?? []).length > 0)) return;
  const { canary, lease } = share.run;
  const ensure = () => lease.ensure(first.droplet.id);
  const isOn = (release: StoredRelease) => (member: Member) =>
    runsHash(member, releaseHash(release)) && !isHalfDone(member);
  const isEverywhere = shares.every((share) => share.members.filter(isLeft).every(isOn(share.goal.release)));
  try {
    for (const hash of canary.hashes) {
      const isHeld = members.some((member) => runsHash(member, hash));
      const release = copyOf(members, hash);
      if (isHeld && !isEverywhere && !(release !== undefined && members.every(isOn(release)))) continue;
      // Of a canary that all droplets run now, nothing has been anchored yet.
      for (const { fleet, run, goal } of isHeld ? shares : []) {
        const own = isEverywhere ? goal.release : release;
        if (own !== undefined) await new GoalAnchor(fleet.anchors, run.anchored, own).verified(own, ensure);
      }
      await canary.record.remove(hash, ensure);
      canary.hashes = canary.hashes.filter((other) => other !== hash);
    }
  } catch (error) {
    warn(session.ports, `The record of the canary could not be removed: ${asDeployError(error).message}`);
  }
}

/**
 * The result of a run that leaves a canary behind, with both ways on.
 * @param isCondemned the release that this run was bringing has failed: it is not brought to more droplets
 */
export function withCanary(session: Session, run: Run, result: DeployResult, isCondemned = false): DeployResult {
  const canary = canaryHeld(run, session.members);
  if (canary === undefined || canary.release === undefined) return result;
  const { settings, ends } = session.options;
  const held = { imageTag: canary.release.imageTag, droplets: canary.members.map(({ host }) => host.name) };
  const isUnfinished = result.outcome === 'failed' || result.outcome === 'interrupted';
  const isItsOwn = session.part !== undefined || ends !== undefined;
  // What is stranded comes first; promote and abort put it back themselves.
  const healsFirst = ends === undefined && result.next === doDeploy(settings, 'heal');
  // What has failed beside the canary is not continued with it.
  if (healsFirst || (isUnfinished && !isItsOwn)) return { ...result, held };
  const ways = waysOutOf(tagsOf(canary), settings);
  if (isCondemned && ends !== 'abort') return { ...result, held, next: ways.back, ways: undefined };
  const again = isUnfinished && session.part !== undefined;
  const forward = again ? continueCommand(askedOf(session), session.release) : ways.forward;
  return { ...result, held, next: undefined, ways: { ...ways, forward } };
}
