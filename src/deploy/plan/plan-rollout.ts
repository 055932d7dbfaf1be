/**
 * `do-deploy plan`: what a deploy or rollback would do. It looks at the fleet as a rollout does, asks the same refusals, and
 * plays the same planner; every command that it runs on a droplet only reads.
 */

import type { Settings } from '../../config/settings.js';
import { DeployError, ShellError } from '../../errors.js';
import { estimate } from '../../rollout/estimate.js';
import { type Forecast, forecast } from '../../rollout/forecast.js';
import { LIFECYCLE_EVENTS } from '../../rollout/lifecycle.js';
import type { ReleaseInfo } from '../../rollout/model.js';
import type {
  PlannedBatch,
  PlannedDifference,
  PlannedDroplet,
  PlannedProgram,
  RolloutPlan,
} from '../../rollout/plan.js';
import type { Observed, Policy, RolloutState } from '../../rollout/rollout-state.js';
import type { PlacedDroplet } from '../../targets/target.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { inParallel } from '../core/parallel.js';
import { closeAll, connectAll } from '../droplet/connect.js';
import { environmentCollision } from '../droplet/environment-collision.js';
import { hideSecretsOn } from '../droplet/hide-secrets.js';
import { isHalfDone, type Member, runningRelease, type Unreachable } from '../droplet/member.js';
import { survey } from '../droplet/survey.js';
import { canaryOn } from '../fleet/canary-record.js';
import { byHandSentence, type Fleet, findFleets, overlapsOf, refuseOverlap } from '../fleet/find-fleet.js';
import { notRunning } from '../fleet/not-running.js';
import { refuseImpossible } from '../fleet/policy.js';
import { ofRole } from '../fleet/role-settings.js';
import { readHistories } from '../inspect/read-history.js';
import { readLock } from '../inspect/read-locks.js';
import { healthOf } from '../inspect/read-status.js';
import { infoOf, type StoredRelease } from '../release/stored-release.js';
import {
  heldSentence,
  onlyOne,
  type PlannedPart,
  planPart,
  refuseNothingToHold,
  refuseOtherCanary,
} from '../session/canary.js';
import { capacityFloor, emptyAmong } from '../session/capacity-floor.js';
import { again } from '../session/continue-command.js';
import { policyFor, refuseUnreachedRole } from '../session/rollout.js';
import { NO_RELEASE_YET } from '../session/session.js';
import { maySkip, refuseOff, withSkipping } from '../session/skipping.js';
import { startRollout } from '../session/start-rollout.js';
import { checkDroplet } from '../staging/check-droplet.js';
import { differencesOf } from './differences.js';
import { Findings } from './findings.js';
import { type Goal, goalsOf } from './goals.js';
import type { PlanOptions } from './plan-options.js';

/** Throws CloudError, DeployError where nothing of the fleet can be known, or what reading local files throws. */
export async function planRollout(given: DeployPorts, options: PlanOptions): Promise<RolloutPlan> {
  const ports = { ...given, reporter: { report: () => {} } };
  const { settings, command, imageTag, commit } = options;
  const found = new Findings(options.findings);
  const release: ReleaseInfo = command === 'deploy' ? { id: '', imageTag, ...commit } : { ...NO_RELEASE_YET };
  const asking = { command, release, options };
  const base = {
    command,
    app: settings.app,
    environment: settings.environment,
    programs: programsOf(options),
    next: again(asking),
  };
  const fleets = await found.unlessRefused(() => findFleets(ports, settings, { setApart: true, overlap: 'first' }));
  if (fleets === undefined) {
    const nothing = { droplets: [], differences: [], batches: [], changes: true };
    return { ...base, release, target: '', ...nothing, findings: found.all };
  }
  if (fleets.some((fleet) => overlapsOf(fleet).length > 0)) found.refusal(() => refuseOverlap(fleets));
  for (const one of fleets.flatMap(({ apart }) => apart)) {
    found.note(`${byHandSentence(one)}. It stays out.`, one.droplet.name);
  }
  const placed = fleets.flatMap(({ membership }) => membership.droplets);
  found.refusal(() =>
    refuseOff(
      asking,
      placed.map(({ droplet }) => droplet),
    ),
  );
  const rests = command === 'rollback' ? { pauseMs: 0, bakeMs: 0 } : {};
  const policies = new Map(fleets.map((fleet) => [fleet, policyFor(fleet, options.allowDowntime, rests)]));
  for (const [fleet, policy] of policies) found.refusal(() => refuseImpossible(fleet, policy));
  const part = found.refusal(() => {
    const { part: wanted } = options;
    if (wanted === undefined) return undefined;
    const [fleet, policy] = onlyOne([...policies], 'canary' in wanted ? '--canary' : '--droplets');
    return planPart(wanted, fleet, policy, settings.environment);
  });

  const running = placed.map(({ droplet }) => droplet).filter(({ status }) => status === 'active');
  const connected = await connectAll(ports, settings, running);
  try {
    const { members, unreachable } = await surveyed(ports, settings, connected.members, connected.unreachable);
    for (const { droplet, error } of unreachable) {
      const skips = options.skip !== undefined && maySkip(error);
      const { message, hint, code } = skips ? error : withSkipping(error, asking);
      if (skips) found.note(`${message} It is left out.`, droplet.name);
      else found.add({ kind: 'refused', code, message, hint, droplet: droplet.name });
    }
    const [first] = unreachable;
    if (members.length === 0 && first !== undefined) throw first.error;
    const reached = fleets.map((fleet) => membersOf(fleet, members));
    found.refusal(() => refuseUnreachedRole(fleets, reached));
    await lookAtDroplets(found, settings, members);

    const recorded = await Promise.all(fleets.map(({ anchors }) => anchors.readWithCanaries()));
    const goals = await goalsOf(ports, options, fleets, reached, recorded, found);
    const shares = [...policies].map(([fleet, policy], index): Share => {
      const { canaries } = recorded[index] ?? { canaries: [] };
      const own = { ...policy, holdAt: part?.holdAt };
      return { fleet, members: reached[index] ?? [], goal: goals?.[index], canaries, policy: own };
    });
    for (const { members, canaries } of shares) noteCanary(found, options, part, members, canaries);
    const planned = await Promise.all(shares.map((share) => planShare(ports, options, share, part, found)));
    const histories = await readHistories(members, settings);
    const batches = planned.flatMap(({ share, foreseen }) => batchesOf(share, foreseen));
    for (const one of planned) noteFloor(found, one, part);
    const [known] = planned.flatMap(({ release: one }) => one ?? []);
    const time = estimate(histories, command, new Set(batches.flatMap(({ droplets }) => droplets)).size);
    const bakeMs = planned.at(-1)?.foreseen.bakeMs;
    return {
      ...base,
      release: known ? { ...release, ...infoOf(known) } : release,
      target: fleets.map((fleet) => `${ofRole(fleet.settings)}${fleet.target.description}`).join(', '),
      changes:
        goals === undefined || planned.some(({ start }) => start.droplets.some(({ course }) => course === 'waiting')),
      droplets: [
        ...planned.flatMap((one) => rowsOf(one, part)),
        ...fleets.flatMap(({ apart, settings: own }) =>
          apart.map((one) => ({
            ...placeOf(one, own),
            health: 'unknown',
            release: '',
            action: 'taken out by hand' as const,
          })),
        ),
      ],
      differences: planned.flatMap(({ differences }) => differences),
      batches,
      ...(bakeMs && { bakeMs }),
      ...(time && { estimate: time }),
      findings: found.all,
    };
  } finally {
    await closeAll(connected.members);
  }
}

interface Share {
  fleet: Fleet;
  members: readonly Member[];
  /** Absent where there is nothing to go to. */
  goal: Goal | undefined;
  canaries: readonly string[];
  policy: Policy;
}

/** Those that cannot be read are as good as unreachable. */
async function surveyed(
  ports: DeployPorts,
  settings: Settings,
  members: readonly Member[],
  unreachable: readonly Unreachable[],
): Promise<{ members: Member[]; unreachable: Unreachable[] }> {
  const lost: Unreachable[] = [...unreachable];
  const read = await inParallel(members, async (member) => {
    try {
      await survey(member, settings);
      await hideSecretsOn(ports, settings.app, member);
      return [member];
    } catch (error) {
      if (!(error instanceof DeployError)) throw error;
      lost.push({ droplet: member.droplet, error });
      return [];
    }
  });
  return { members: read.flat(), unreachable: lost };
}

function membersOf({ membership }: Fleet, members: readonly Member[]): Member[] {
  const own = new Set(membership.droplets.map(({ droplet }) => droplet.id));
  return members.filter(({ droplet }) => own.has(droplet.id));
}

/** What keeps single droplets from taking a release, and who holds the lock. */
async function lookAtDroplets(found: Findings, settings: Settings, members: readonly Member[]): Promise<void> {
  for (const member of members) {
    found.refusal(() => checkDroplet(member));
    const collision = environmentCollision(member, settings);
    if (collision !== undefined) found.refused(collision);
  }
  const locks = await inParallel(members, async (member) => {
    try {
      return await readLock(member, settings.app);
    } catch (error) {
      if (error instanceof ShellError) return undefined;
      throw error;
    }
  });
  const held = locks.find((lock) => lock?.state === 'held');
  if (held === undefined) return;
  const { who = 'another run', since } = held.holder ?? {};
  const message = `The lock is held: ${who} is deploying${since ? `, since ${since}` : ''}. What is said here may change meanwhile.`;
  found.add({
    kind: 'refused',
    code: 'lease-held',
    message,
    hint: 'Wait until it has ended, or deploy with --wait-lock 10m.',
  });
}

function noteCanary(
  found: Findings,
  { settings, command, imageTag, wanted }: PlanOptions,
  part: PlannedPart | undefined,
  members: readonly Member[],
  canaries: readonly string[],
): void {
  const run = { canary: { hashes: canaries } };
  if (part !== undefined) {
    found.refusal(() => refuseOtherCanary({ members: [...members], part, options: { settings } }, run, imageTag));
    found.refusal(() => refuseNothingToHold(members, { imageTag }, settings));
    return;
  }
  const held = canaryOn(members, canaries);
  if (held === undefined || (command === 'deploy' && held.release?.imageTag === imageTag)) return;
  // That is refused.
  if (command === 'rollback' && wanted === undefined) return;
  found.note(`${heldSentence(held)} This ${command} takes its place.`);
}

interface PlannedShare {
  share: Share;
  start: RolloutState;
  foreseen: Forecast;
  health: ReadonlyMap<number, string>;
  release: StoredRelease | undefined;
  differences: PlannedDifference[];
}

async function planShare(
  ports: DeployPorts,
  options: PlanOptions,
  share: Share,
  part: PlannedPart | undefined,
  found: Findings,
): Promise<PlannedShare> {
  const { fleet, members, goal, policy } = share;
  const health = new Map(
    await inParallel(members, async (member) => {
      const seen = await healthOf(member, fleet.target, fleet.settings);
      return [member.droplet.id, seen] as const;
    }),
  );
  const isMember = ({ droplet }: PlacedDroplet) => members.some((member) => member.droplet.id === droplet.id);
  const isCounted = (one: PlacedDroplet) => isMember(one) || options.skip === undefined;
  const observed = fleet.membership.droplets.filter(isCounted).map((one): Observed => {
    const member = members.find(({ droplet }) => droplet.id === one.droplet.id);
    const place = { id: one.droplet.id, rotation: one.rotation, inLedger: one.inLedger, gone: false };
    if (member === undefined) return { ...place, healthy: false, unasked: true, away: true };
    const state = health.get(one.droplet.id);
    const half = isHalfDone(member);
    return {
      ...place,
      halfDone: half,
      healthy: state === 'healthy' && !(half && one.rotation === 'none'),
      unasked: state === 'unknown',
    };
  });
  const upToDate = members.filter((member) => goal?.isUpToDate(member)).map(({ droplet }) => droplet.id);
  const start = startRollout(observed, policy, new Set(upToDate), new Map(), new Set(part?.others ?? []));
  const foreseen = goal === undefined ? { batches: [], held: false } : forecast(start);
  const rolled = new Set(foreseen.batches.flatMap(({ droplets }) => droplets));
  // Also those that the floor keeps from leaving: what they would get is known all the same.
  const isWaiting = (id: number) => start.droplets.some((droplet) => droplet.id === id && droplet.course === 'waiting');
  const changing = members.filter(({ droplet: { id } }) => rolled.has(id) || (part === undefined && isWaiting(id)));
  const differences = goal === undefined ? [] : await differencesOf(ports, options, goal, changing, found);
  return { share, start, foreseen, health, release: goal?.release, differences };
}

function placeOf({ droplet, rotation }: PlacedDroplet, { role }: Settings) {
  return { id: droplet.id, name: droplet.name, ...(role && { role }), rotation };
}

function rowsOf({ share, foreseen, health, start }: PlannedShare, part: PlannedPart | undefined): PlannedDroplet[] {
  const rolled = new Set(foreseen.batches.flatMap(({ droplets }) => droplets));
  return share.fleet.membership.droplets.map((one): PlannedDroplet => {
    const { id } = one.droplet;
    const member = share.members.find(({ droplet }) => droplet.id === id);
    const place = placeOf(one, share.fleet.settings);
    if (member === undefined) {
      const health = one.droplet.status === 'active' ? 'unknown' : notRunning(one.droplet).message;
      return { ...place, health, release: '', action: 'not reached' };
    }
    const isWaiting = start.droplets.some((droplet) => droplet.id === id && droplet.course === 'waiting');
    const isHeld = part !== undefined && (part.others.has(id) || (isWaiting && !rolled.has(id)));
    const action = rolled.has(id) || (isWaiting && !isHeld) ? 'deployed' : isHeld ? 'held' : 'nothing';
    return { ...place, health: health.get(id) ?? 'unknown', release: runningRelease(member), action };
  });
}

function batchesOf({ fleet, policy }: Share, { batches }: Forecast): PlannedBatch[] {
  const names = new Map(fleet.membership.droplets.map(({ droplet }) => [droplet.id, droplet.name]));
  const named = (ids: readonly number[]) => ids.map((id) => names.get(id) ?? String(id));
  const { role } = fleet.settings;
  return batches.map(({ droplets, leaving, pauseMs, ...capacity }) => ({
    ...(role && { role }),
    droplets: named(droplets),
    leaving: policy.isFleet ? named(leaving) : [],
    ...capacity,
    of: fleet.membership.droplets.length,
    ...(pauseMs && { pauseMs }),
  }));
}

/** The deploy would stop there. */
function noteFloor(found: Findings, planned: PlannedShare, part: PlannedPart | undefined): void {
  const { fleet } = planned.share;
  const { stuck, batches } = planned.foreseen;
  if (stuck === undefined) return;
  const empty = emptyAmong(rowsOf(planned, part).filter(({ action }) => action !== 'not reached'));
  const { code, message, hint } = capacityFloor(stuck.serving, stuck.floor, fleet.settings, empty);
  const when = batches.length === 0 ? '' : ` That is after batch ${batches.length}.`;
  found.add({ kind: 'refused', code, message: `${ofRole(fleet.settings)}${message}${when}`, ...(hint && { hint }) });
}

/** In the order in which they run. */
function programsOf({ settings, command, handlers = [] }: PlanOptions): PlannedProgram[] {
  const own = command === 'deploy' && settings.prepare !== undefined ? [{ at: 'stage', name: settings.prepare }] : [];
  const layers = [...handlers].sort((one, other) => one.priority - other.priority);
  const known = [
    ...layers.map(({ event, name }) => ({ event, name })),
    ...(settings.hooks?.programs ?? []).map(({ event, path }) => ({ event, name: `hook ${path}` })),
  ];
  const inOrder = LIFECYCLE_EVENTS.flatMap((event) => known.filter((one) => one.event === event));
  return [...own, ...inOrder.map(({ event, name }) => ({ at: event, name }))];
}
