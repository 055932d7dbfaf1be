import { DeployError } from '../../errors.js';
import type { ByHand, DeployResult } from '../../rollout/model.js';
import { type Policy, stillToCome } from '../../rollout/rollout-state.js';
import { publishBundle } from '../boot/publish-bundle.js';
import { doDeploy } from '../core/do-deploy.js';
import { waitForAll } from '../core/parallel.js';
import { inform, reportTask, reportTo, warn } from '../core/report.js';
import { heldRelease, type Member, runningRelease } from '../droplet/member.js';
import { balancersBeside, behindBalancers } from '../fleet/behind-balancer.js';
import { byHandSentence, type Fleet, findFleets, overlapsOf } from '../fleet/find-fleet.js';
import { GoalAnchor, together } from '../fleet/goal-anchor.js';
import { mayHaveDowntime, policyOf } from '../fleet/policy.js';
import { readHistories } from '../inspect/read-history.js';
import type { StoredRelease } from '../release/stored-release.js';
import type { Run, Stopping } from '../steps/run.js';
import { askApps, askFirst } from './ask-first.js';
import { owesBake } from './bake-record.js';
import { checkCanary, forgetCanary, holdsAsCanary, onlyOne, planPart, recordCanary } from './canary.js';
import { findProbe } from './find-probe.js';
import { type Goal, goalFor, goalOfAll } from './goal.js';
import { raise } from './lifecycle.js';
import { observeFleet } from './observe-fleet.js';
import { announce, connectToAll, connectToReachable, takeLease } from './open-session.js';
import { type PlannedShare, rollToRelease } from './roll-to-release.js';
import { type Session, stopIfInterrupted } from './session.js';
import { refuseOff, withSkipped } from './skipping.js';
import { previousReleases, startRollout } from './start-rollout.js';
import { reportStopped } from './stopped-services.js';

/** What distinguishes one kind of rollout from the others. */
export interface Rollout {
  /** Includes droplets of the autoscale pool that are not behind the balancer yet. */
  newcomers?: boolean;
  /** `first`: a droplet with two roles is treated as one of the first; otherwise it is refused. */
  overlap?: 'first';
  /** False: only an address that the settings name is probed. */
  probesBalancer?: boolean;
  /** Overrides the settings. */
  policy?: Partial<Policy>;
  /** Throws DeployError before any droplet is connected. */
  refuse?(fleet: Fleet, policy: Policy): void;
  /**
   * `all`: a droplet that cannot be reached fails the rollout, unless the user chose to skip it. `reachable`: it stays as
   * it is, and the rollout ends as failed after it has rolled the others. `any`: it stays as it is, and that is no failure.
   */
  reach: 'all' | 'reachable' | 'any';
  /** The fleet is on its release afterwards, as far as other runs are concerned. */
  anchors?: boolean;
  /** Afterwards, droplets that boot by themselves get the fleet's release. */
  publishes?: boolean;
  /** The only service whose containers are changed. */
  service?: string | undefined;
  /**
   * `stop` and `start` the service, which otherwise is started anew. `start-all`: services that are stopped start again, also where
   * the droplet keeps its release.
   */
  stopping?: Stopping['kind'];
  /** What is recorded of a droplet that is taken out by hand. */
  byHand?: ByHand;
  /** The name or id of a droplet that is brought back, although it was taken out by hand. */
  bringsBack?: string;
  /** Throws DeployError where the records at DigitalOcean show that there is nothing to begin with: before the run is announced. */
  refuseByRecords?(fleets: readonly Fleet[]): Promise<void>;
  /** Why there is nothing to do, as a sentence. Asked before any droplet is connected. */
  nothingToDo?(fleets: readonly Fleet[]): string | undefined;
  /** Removes members from the session before the lease is taken. */
  leaveOut?(session: Session): Promise<void>;
  /**
   * Surveys the droplets and chooses the release of each share, or stages it; sets `session.release`. The releases have one id
   * where something new is rolled out.
   */
  choose(shares: readonly Share[]): Promise<Choice[]>;
  /** Whether the droplet needs nothing, as far as its release goes. */
  isUpToDate(member: Member, release: StoredRelease): boolean;
}

/** What a role has of a rollout; without roles there is one share, of the whole fleet. */
export interface Share {
  fleet: Fleet;
  run: Run;
  policy: Policy;
  members: readonly Member[];
}

/** Runs the task for each share. Results keep their order; errors as in `waitForAll`. */
export async function eachShare<S, T>(
  shares: readonly S[],
  task: (share: S, index: number) => Promise<T>,
): Promise<T[]> {
  return await waitForAll(shares.map(task));
}

export interface Choice extends Goal {
  /** Ids of droplets that count for the capacity floor but are never taken out. */
  exempt?: ReadonlySet<number>;
  /** What could not be done: the rollout ends as failed after it has rolled the others. */
  failure?: DeployError;
}

/** Finds the fleets, takes the lease, chooses the releases and rolls to them. Throws DeployError before anything rolls. */
export async function performRollout(session: Session, rollout: Rollout): Promise<DeployResult> {
  const { ports } = session;
  const { settings, allowDowntime, part: wanted } = session.options;
  reportTo(ports)({ type: 'phase-started', phase: 'discover' });
  const { newcomers, bringsBack } = rollout;
  const setApart = bringsBack === undefined ? true : { except: bringsBack };
  const [fleets, balancers] = await waitForAll([
    findFleets(ports, settings, { newcomers, setApart, overlap: rollout.overlap }),
    balancersBeside(ports.cloud, settings),
  ]);
  const nothing = rollout.nothingToDo?.(fleets);
  if (nothing !== undefined) {
    announce(session, fleets);
    return { outcome: 'skipped', release: session.release, rows: [], durationMs: 0, summary: nothing };
  }
  await rollout.refuseByRecords?.(fleets);
  for (const one of fleets.flatMap(({ apart }) => apart)) inform(ports, `${byHandSentence(one)}. It stays out.`);
  for (const { name, sentence } of fleets.flatMap(overlapsOf))
    warn(ports, `${sentence}. It is treated as one of the first.`, name);
  // The balancer may not answer from here: that is found out while the release is staged.
  const withAddress = fleets.find(({ target }) => target.publicUrl !== undefined) ?? fleets[0];
  const visited = rollout.probesBalancer === false ? undefined : withAddress;
  session.probe = findProbe(ports, settings, visited?.target ?? {});
  const policies = fleets.map((fleet) => policyFor(fleet, allowDowntime, rollout.policy));
  const needsAll = rollout.reach === 'all' && session.options.skip === undefined;
  const droplets = fleets.flatMap(({ membership }) => membership.droplets.map(({ droplet }) => droplet));
  if (rollout.reach === 'all') refuseOff(session, droplets);
  for (const [index, fleet] of fleets.entries()) rollout.refuse?.(fleet, policies[index] as Policy);
  const onlyFleet = () => onlyOne(fleets, wanted !== undefined && 'canary' in wanted ? '--canary' : '--droplets');
  const part = wanted && planPart(wanted, onlyFleet(), policies[0] as Policy, settings.environment);
  session.part = part;
  announce(session, fleets);
  for (const sentence of behindBalancers(fleets, balancers)) warn(ports, sentence);
  const unreached = await (needsAll ? connectToAll(session, fleets) : connectToReachable(session, fleets));
  await rollout.leaveOut?.(session);

  const reached = fleets.map((fleet) => membersOf(session, fleet));
  if (rollout.reach === 'all') refuseUnreachedRole(fleets, reached);

  const runs = await takeLease(session, fleets);
  session.past = readHistories(session.members, settings).catch(() => []);
  await raise(session, 'pre_deploy');
  stopIfInterrupted(session);
  const { members } = session;
  const all = fleets.map((fleet, index): Share => {
    return { fleet, run: runs[index] as Run, policy: policies[index] as Policy, members: membersOf(session, fleet) };
  });
  // Of a role that cannot be reached nothing is known, and nothing is done there.
  const shares = all.filter((share) => share.members.length > 0);
  const choices = await rollout.choose(shares);
  stopIfInterrupted(session);
  session.goal = goalOfAll(shares.map((share, index) => ({ members: share.members, goal: choices[index] as Choice })));
  for (const [index, { run }] of shares.entries()) checkCanary(session, run, (choices[index] as Choice).release);

  session.previous = [...new Set(members.map(runningRelease).filter((id) => id !== ''))];
  const commits = new Set(members.map((member) => heldRelease(member, runningRelease(member))?.commit));
  session.previousCommit = commits.size === 1 ? [...commits][0] : undefined;
  const isUpToDate = (member: Member, goal: Goal) => rollout.isUpToDate(member, goalFor(goal, member.droplet.id));
  const exemptions = await eachShare(shares, async ({ run, members }, index) => {
    const goal = choices[index] as Choice;
    if (members.every((member) => isUpToDate(member, goal))) return new Set<string>();
    return await askApps(session, { run, members }, [goal.release, ...(goal.own?.values() ?? [])]);
  });
  const plans = await eachShare(shares, (share, index) => {
    const { failure: _, exempt, ...goal } = choices[index] as Choice;
    const left = new Set([...(exempt ?? []), ...(part?.others ?? [])]);
    const run = {
      ...share.run,
      exemptFromAppCheck: exemptions[index],
      service: rollout.service,
      stopping: stoppingOf(rollout, goal.release),
      byHand: rollout.byHand,
    };
    const own = { ...share, run, policy: { ...share.policy, holdAt: part?.holdAt } };
    return planShare(session, own, goal, left, (member) => isUpToDate(member, goal));
  });
  const starts = plans.map(({ start }) => start);
  for (const plan of plans) reportStopped(ports, plan);
  // A gate that says no where only a bake is left is the release's failure.
  if (starts.some((start) => stillToCome(start) > 0)) await askFirst(session, starts);
  stopIfInterrupted(session);
  // What only a part of the fleet runs is not the fleet's release: that of a canary is, once all droplets run it.
  const isCanary = part !== undefined || plans.some(({ run, goal }) => holdsAsCanary(run, members, goal.release));
  const anchor =
    rollout.anchors && !isCanary
      ? together(plans.map(({ fleet, run, goal }) => new GoalAnchor(fleet.anchors, run.anchored, goal.release)))
      : undefined;
  const [first] = members;
  const goal = plans[0]?.goal;
  if (first !== undefined && goal && plans.every((plan) => plan.members.every((one) => isUpToDate(one, plan.goal)))) {
    await anchor?.verified(goal.release, () => (runs[0] as Run).lease.ensure(first.droplet.id));
  }
  // What a killed run has left must not make a canary of this rollout.
  await forgetCanary(session, plans);
  for (const { run, goal } of plans) await recordCanary(session, run, goal.release);
  const result = await rollToRelease(
    session,
    plans.map((plan) => ({ ...plan, run: { ...plan.run, anchor } })),
  );
  const isOnRelease = result.outcome === 'succeeded' || result.outcome === 'skipped';
  // A canary that is held is not recorded as the fleet's release, and so not published.
  if (rollout.publishes && isOnRelease) await publishAll(session, plans);
  if (session.options.skip !== undefined) return withSkipped(session, result);
  const undone = choices.find(({ failure }) => failure !== undefined)?.failure ?? unreached;
  if (undone === undefined || rollout.reach === 'any') return result;
  return { ...result, outcome: 'failed', error: result.error ?? undone.info() };
}

/** The roles of an environment have bundles of their own. */
async function publishAll({ options }: Session, plans: readonly PlannedShare[]): Promise<void> {
  for (const { run, members, fleet, goal } of plans) {
    await publishBundle({ run, members, anchors: fleet.anchors, release: goal.release, signal: options.interrupted });
  }
}

/** @param overrides come before the settings */
export function policyFor(fleet: Fleet, allowDowntime: boolean, overrides: Partial<Policy> = {}): Policy {
  const policy = policyOf(fleet.settings, fleet.target, mayHaveDowntime(fleet, allowDowntime));
  return { ...policy, ...overrides };
}

function stoppingOf({ stopping, service }: Rollout, { id }: StoredRelease): Stopping | undefined {
  if (stopping === undefined) return undefined;
  return stopping === 'start-all' ? { kind: stopping, release: id } : { kind: stopping, service: service ?? '' };
}

function membersOf(session: Session, { membership }: Fleet): Member[] {
  const own = new Set(membership.droplets.map(({ droplet }) => droplet.id));
  return session.members.filter(({ droplet }) => own.has(droplet.id));
}

/** What `adopt` brings droplets to is recorded for each role: one that is left out as a whole would stay on its release. */
export function refuseUnreachedRole(fleets: readonly Fleet[], reached: readonly (readonly Member[])[]): void {
  const lost = fleets.find(({ settings }, index) => settings.role !== undefined && reached[index]?.length === 0);
  if (lost === undefined) return;
  throw new DeployError('role-unreachable', `No droplet of the role ${lost.settings.role} can be reached.`, {
    hint: `See what is wrong: ${doDeploy(lost.settings, 'status')}. Then deploy to all roles again.`,
  });
}

/** The state from which a share is rolled. */
async function planShare(
  session: Session,
  share: Share,
  goal: Goal,
  exempt: ReadonlySet<number>,
  isUpToDate: (member: Member) => boolean,
): Promise<PlannedShare> {
  const { run, members, policy } = share;
  const participants = members.filter((member) => !exempt.has(member.droplet.id));
  const observed = await reportTask(run.ports, 'observe', () => observeFleet(run, members));
  const upToDate = members.filter(isUpToDate).map(({ droplet }) => droplet.id);
  const previous = previousReleases(participants, goal);
  const unbaked = upToDate.length > 0 && (await owesBake(session, share, goal.release));
  const start = startRollout(observed, policy, new Set(upToDate), previous, exempt, unbaked);
  return { ...share, goal, start, previous };
}
