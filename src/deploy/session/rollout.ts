import type { DeployError } from '../../errors.js';
import type { DeployResult } from '../../rollout/model.js';
import type { Policy } from '../../rollout/planner.js';
import { reportTo } from '../core/report.js';
import { heldRelease, type Member, runningRelease } from '../droplet/member.js';
import { type Fleet, findFleet } from '../fleet/find-fleet.js';
import { GoalAnchor } from '../fleet/goal-anchor.js';
import { policyOf } from '../fleet/policy.js';
import { releaseHash } from '../release/release-hash.js';
import type { StoredRelease } from '../release/stored-release.js';
import type { Run } from '../steps/run.js';
import { checkCanary, planPart, recordCanary } from './canary.js';
import { findProbe } from './find-probe.js';
import { type Goal, goalFor } from './goal.js';
import { raise } from './lifecycle.js';
import { observeFleet } from './observe-fleet.js';
import { announce, connectToAll, connectToReachable, takeLease } from './open-session.js';
import { rollToRelease } from './roll-to-release.js';
import { type Session, stopIfInterrupted } from './session.js';
import { refuseOff, withSkipped } from './skipping.js';
import { previousReleases, startRollout } from './start-rollout.js';

/** What distinguishes one kind of rollout from the others. */
export interface Rollout {
  /** Includes droplets of the autoscale pool that are not behind the balancer yet. */
  newcomers?: boolean;
  /** Overrides the settings. */
  policy?: Partial<Policy>;
  /** Throws DeployError before any droplet is connected. */
  refuse?(fleet: Fleet, policy: Policy): void;
  /**
   * `all`: a droplet that cannot be reached fails the rollout, unless the user chose to skip it. `reachable`: it stays as
   * it is, and the rollout ends as failed after it has rolled the others.
   */
  reach: 'all' | 'reachable';
  /** The fleet is on its release afterwards, as far as other runs are concerned. */
  anchors?: boolean;
  /** Removes members from the session before the lease is taken. */
  leaveOut?(session: Session): Promise<void>;
  /** Surveys the droplets and chooses the release, or stages it; sets `session.release`. */
  choose(run: Run, members: readonly Member[], policy: Policy): Promise<Choice>;
  /** Whether the droplet needs nothing, as far as its release goes. */
  isUpToDate(member: Member, release: StoredRelease): boolean;
}

export interface Choice extends Goal {
  /** Ids of droplets that count for the capacity floor but are never taken out. */
  exempt?: ReadonlySet<number>;
  /** What could not be done: the rollout ends as failed after it has rolled the others. */
  failure?: DeployError;
}

/** Finds the fleet, takes the lease, chooses the release and rolls to it. Throws DeployError before anything rolls. */
export async function performRollout(session: Session, rollout: Rollout): Promise<DeployResult> {
  const { ports } = session;
  const { settings, allowDowntime } = session.options;
  reportTo(ports)({ type: 'phase-started', phase: 'discover' });
  const fleet = await findFleet(ports, settings, { newcomers: rollout.newcomers });
  const { target } = fleet;
  // The balancer may not answer from here: that is found out while the release is staged.
  session.probe = findProbe(ports, settings, session.command === 'heal' ? {} : target);
  const policy: Policy = { ...policyOf(settings, target, allowDowntime), ...rollout.policy };
  const needsAll = rollout.reach === 'all' && session.options.skip === undefined;
  const droplets = fleet.membership.droplets.map(({ droplet }) => droplet);
  if (rollout.reach === 'all') refuseOff(session, droplets);
  rollout.refuse?.(fleet, policy);
  const part = planPart(session.options.part, fleet, policy, settings.environment);
  session.part = part;
  announce(session, fleet);
  const unreached = await (needsAll ? connectToAll(session, fleet) : connectToReachable(session, fleet));
  await rollout.leaveOut?.(session);

  const run = await takeLease(session, fleet);
  await raise(session, 'pre_deploy');
  stopIfInterrupted(session);
  const { members } = session;
  const { failure, ...goal } = await rollout.choose(run, members, policy);
  const exempt = new Set([...(goal.exempt ?? []), ...(part?.others ?? [])]);
  stopIfInterrupted(session);
  session.goal = goal;
  checkCanary(session, run, goal.release);
  const participants = members.filter((member) => !exempt.has(member.droplet.id));

  session.previous = [...new Set(members.map(runningRelease).filter((id) => id !== ''))];
  const commits = new Set(members.map((member) => heldRelease(member, runningRelease(member))?.commit));
  session.previousCommit = commits.size === 1 ? [...commits][0] : undefined;
  const observed = await observeFleet(run, members);
  const isUpToDate = (member: Member) => rollout.isUpToDate(member, goalFor(goal, member.droplet.id));
  const upToDate = members.filter(isUpToDate).map(({ droplet }) => droplet.id);
  const previous = previousReleases(participants, goal);
  const start = startRollout(observed, { ...policy, holdAt: part?.holdAt }, new Set(upToDate), previous, exempt);
  // What only a part of the fleet runs is not the fleet's release: that of a canary is, once all droplets run it.
  const isCanary = part !== undefined || run.canary.hash === releaseHash(goal.release);
  const anchor = rollout.anchors && !isCanary ? new GoalAnchor(fleet.anchors, run.anchored, goal.release) : undefined;
  const [first] = upToDate;
  if (first !== undefined && upToDate.length === members.length) {
    await anchor?.verified(goal.release, () => run.lease.ensure(first));
  }
  await recordCanary(session, run, goal.release);
  const result = await rollToRelease(session, { ...run, anchor }, start, goal, previous);
  if (session.options.skip !== undefined) return withSkipped(session, result);
  const undone = failure ?? unreached;
  if (undone === undefined) return result;
  return { ...result, outcome: 'failed', error: result.error ?? undone.info() };
}
