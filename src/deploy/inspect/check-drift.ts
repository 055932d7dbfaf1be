/**
 * `do-deploy status --check`: reads what every droplet has and runs, for the comparison in rollout/drift.ts. Changes
 * nothing and takes no lease; a deploy that is running is part of the report.
 */

import type { Settings } from '../../config/settings.js';
import { asDeployError, DeployError, ShellError } from '../../errors.js';
import type { HealthResponse } from '../../ports.js';
import {
  type Difference,
  type DropletCheckup,
  type DropletFacts,
  type FleetRelease,
  findDifferences,
} from '../../rollout/drift.js';
import type { ByHand, HistoryEntry } from '../../rollout/model.js';
import type { FleetMembership, Target } from '../../targets/target.js';
import { compareBundle } from '../bundle/compare-bundle.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { doDeploy } from '../core/do-deploy.js';
import { inParallel } from '../core/parallel.js';
import { awaitStart } from '../droplet/await-start.js';
import { makeAppCheck } from '../droplet/make-app-check.js';
import { makeBalancerCheck } from '../droplet/make-balancer-check.js';
import { changedFiles, currentRelease, loginTo, type Member, signalled, stoppedOn } from '../droplet/member.js';
import { survey } from '../droplet/survey.js';
import { canaryOn } from '../fleet/canary-record.js';
import { fleetRelease } from '../fleet/fleet-release.js';
import { ofRole } from '../fleet/role-settings.js';
import { type Holder, leaseStatusCommand, readHolder } from '../lease/lease-commands.js';
import type { StoredRelease } from '../release/stored-release.js';
import { unbakedOn } from './owed-bake.js';
import { historyCommand, lastFleet, mergeHistories } from './read-history.js';
import { describeMark } from './read-status.js';
import { type Visit, visitFleets } from './visit-fleet.js';

export interface DriftReport {
  /** The fleet's release; absent when nothing was ever deployed. */
  release?: { id: string; imageTag: string };
  /** Why `adopt` would refuse to bring droplets to it. */
  dispute?: string;
  /** A release that is held on some droplets. */
  canary?: { imageTag: string; droplets: string[] };
  /** A release whose bake did not come to its end. */
  unbaked?: { imageTag: string };
  differences: Difference[];
  /** Droplets that were taken out by hand: they are not compared. */
  byHand?: (ByHand & { droplet: string })[];
  /** Droplets of the fleet, compared or not. */
  droplets: number;
  /** Who holds the lock: the differences may be the doing of this deploy. */
  deploying?: Holder;
}

/** Throws CloudError, or DeployError when the fleet cannot be found. */
export async function checkFleet(ports: DeployPorts, settings: Settings): Promise<DriftReport> {
  const options = { newcomers: true, onlyRunning: true };
  return await visitFleets(ports, settings, options, async (visits) => {
    const present = new Set(visits.flatMap(({ fleet }) => fleet.membership.droplets.map(({ droplet }) => droplet.id)));
    const reports = await Promise.all(visits.map((visit) => checkRole(ports, visit, present)));
    const release = releaseOfAll(reports);
    const divided = betweenRoles(reports, release, settings);
    const disputes = reports.flatMap(({ dispute, role, anchored }) => {
      if (dispute === undefined || (divided !== undefined && anchored === release?.id)) return [];
      const back = anchored && ` To go back to the one that is recorded: ${doDeploy(settings, 'rollback', anchored)}`;
      return [`${ofRole({ role })}${dispute}${back ?? ''}`];
    });
    if (divided !== undefined) disputes.unshift(divided.sentence);
    const byHand = reports.flatMap((report) => report.byHand ?? []);
    const found = reports.flatMap(({ differences }) => differences);
    // Of any role: then adopt refuses for all.
    const isDisputed = reports.some(({ dispute }) => dispute !== undefined);
    const deploying = reports.find((report) => report.deploying !== undefined)?.deploying;
    const unbaked = reports.find((report) => report.unbaked !== undefined)?.unbaked;
    return {
      release,
      dispute: disputes.length === 0 ? undefined : disputes.join(' '),
      canary: reports.find(({ canary }) => canary !== undefined)?.canary,
      // One that is running may be in the bake.
      ...(unbaked && deploying === undefined && { unbaked }),
      differences: [...(isDisputed ? found.map(withoutAdopt) : found), ...(divided?.differences ?? [])],
      ...(byHand.length > 0 && { byHand }),
      droplets: reports.reduce((sum, { droplets }) => sum + droplets, 0),
      deploying,
    };
  });
}

/** As found in one role. */
export interface RoleReport extends DriftReport {
  role?: string | undefined;
  /** Its release is that of the newest anchor. */
  isRecorded: boolean;
  /** In a dispute, id of the release of the newest anchor. */
  anchored?: string | undefined;
  names: readonly string[];
}

/** What deployers have recorded last; after a deploy that was stopped between two roles, only some of them run it. */
function releaseOfAll(reports: readonly RoleReport[]): DriftReport['release'] {
  const known = reports.filter(({ release }) => release !== undefined);
  return (known.findLast(({ isRecorded }) => isRecorded) ?? known[0])?.release;
}

/** Each role may be whole, and still be on another release than the others. */
function betweenRoles(
  reports: readonly RoleReport[],
  release: DriftReport['release'],
  settings: Settings,
): { sentence: string; differences: Difference[] } | undefined {
  const others = reports.filter((report) => report.release !== undefined && report.release.id !== release?.id);
  if (release === undefined || others.length === 0) return undefined;
  const runs = reports.flatMap((report) => (report.release ? [`${report.role} runs ${report.release.id}`] : []));
  const isHeld = others.every(({ anchored }) => anchored === release.id);
  const command = isHeld ? doDeploy(settings, 'rollback', release.id) : doDeploy(settings, 'deploy', release.imageTag);
  return {
    sentence: `The roles are on different releases: ${runs.join(', ')}. To bring all to ${release.id}: ${command}`,
    differences: others.flatMap(({ names, role, release: own }) =>
      names.map((droplet): Difference => {
        const message = `is on ${own?.id} with the role ${role}, instead of ${release.id}`;
        return { droplet, kind: 'other-release', message };
      }),
    ),
  };
}

/**
 * Surveys the droplets of one role and compares them. Throws CloudError.
 * @param present ids of the droplets of all roles
 */
export async function checkRole(
  ports: DeployPorts,
  { fleet, members: all, unreachable }: Visit,
  present: ReadonlySet<number>,
): Promise<RoleReport> {
  const { settings, membership } = fleet;
  const apart = membership.droplets.flatMap(({ droplet, byHand }) => (byHand ? [{ droplet, byHand }] : []));
  const isApart = (id: number) => apart.some(({ droplet }) => droplet.id === id);
  const members = all.filter(({ droplet }) => !isApart(droplet.id));
  const problems = new Map(unreachable.map(({ droplet, error }) => [droplet.id, error.message]));
  const answers = new Map<number, Answer>();
  await inParallel(members, async (member) => {
    const answer = await ask(member, fleet.target, ports, settings);
    if ('problem' in answer) problems.set(member.droplet.id, answer.problem);
    else answers.set(member.droplet.id, answer);
  });
  const answered = members.flatMap(({ droplet }) => answers.get(droplet.id) ?? []);
  const surveyed = members.filter(({ droplet }) => answers.has(droplet.id));
  const recorded = await fleet.anchors.readWithCanaries();
  const { release, dispute, anchored } = fleetRelease(surveyed, recorded);
  const [unbaked] = (await unbakedOn(surveyed, recorded.canaries, settings)).flatMap(
    (one) => currentRelease(one) ?? [],
  );
  const held = canaryOn(surveyed, recorded.canaries);
  const canary = held?.release;
  const texts = answered.map(({ history }) => history);
  const differences = findDifferences({
    target: fleet.target.description,
    isBalanced: fleet.target.healthCheck !== undefined,
    release: release && factsOfRelease(release),
    canary: canary && factsOfRelease(canary),
    droplets: membership.droplets
      .filter(({ droplet }) => !isApart(droplet.id))
      .map((found) => factsOf(found, answers.get(found.droplet.id), problems.get(found.droplet.id))),
    departed: await departed(ports, settings, present, mergeHistories(texts, settings.environment)),
    bundle:
      release === undefined || dispute !== undefined || !fleet.target.isFleet
        ? undefined
        : await compareBundle(ports, settings, release, recorded.anchored),
  });
  const deploying = answered.find(
    ({ holder, checkup }) => holder !== undefined && checkup.otherEnvironment === undefined,
  )?.holder;
  return {
    release: release && { id: release.id, imageTag: release.imageTag },
    dispute,
    role: settings.role,
    isRecorded: dispute === undefined && recorded.anchored.length > 0,
    anchored: anchored?.id,
    names: membership.droplets.map(({ droplet }) => droplet.name),
    canary: canary && { imageTag: canary.imageTag, droplets: held?.members.map(({ host }) => host.name) ?? [] },
    ...(unbaked && { unbaked: { imageTag: unbaked.imageTag } }),
    differences,
    ...(apart.length > 0 && { byHand: apart.map(({ droplet, byHand }) => ({ droplet: droplet.name, ...byHand })) }),
    droplets: membership.droplets.length - apart.length,
    deploying,
  };
}

function withoutAdopt(difference: Difference): Difference {
  return difference.fix === 'adopt' ? { ...difference, fix: undefined } : difference;
}

function factsOfRelease({ id, services, images }: StoredRelease): FleetRelease {
  return { id, services, images };
}

/** What a droplet answered. */
interface Answer {
  checkup: DropletCheckup;
  history: string;
  holder?: Holder;
  outSince?: string;
}

function factsOf(
  { droplet, rotation, inLedger }: FleetMembership['droplets'][number],
  answer: Answer | undefined,
  problem = 'it was not read',
): DropletFacts {
  return {
    name: droplet.name,
    power: droplet.status,
    rotation,
    inLedger,
    outSince: answer?.outSince,
    answer: answer?.checkup ?? { unreachable: problem },
  };
}

/** Reads everything simultaneously, over the droplet's one connection. */
async function ask(
  member: Member,
  target: Target,
  { clock }: DeployPorts,
  settings: Settings,
): Promise<Answer | { problem: string }> {
  const { app } = settings;
  const asked = clock.now();
  let answeredAt = asked;
  try {
    const [, history, lease] = await Promise.all([
      survey(member, settings).then(() => {
        answeredAt = clock.now();
      }),
      member.connection.run(historyCommand(app)),
      member.connection.run(leaseStatusCommand(app)),
    ]);
    const now = await awaitStart(member, clock, { app, timeoutMs: settings.rollout.healthTimeoutMs });
    const [balancerCheck, appCheck] = await Promise.all([
      makeBalancerCheck(member, target).catch(() => undefined),
      makeAppCheck(member, settings.rollout.healthHttp).catch(() => undefined),
    ]);
    const status = lease.stdout.trim();
    return {
      checkup: checkupOf(member, app, { asked, answeredAt, now }, { balancerCheck, appCheck }),
      history: history.stdout,
      holder: status.startsWith('held') ? (readHolder(status) ?? UNKNOWN_HOLDER) : undefined,
      outSince: describeMark(member.survey.out),
    };
  } catch (error) {
    if (error instanceof ShellError || error instanceof DeployError) return { problem: asDeployError(error).message };
    throw error;
  }
}

/** The lock is held, but its file does not name the holder. */
const UNKNOWN_HOLDER: Holder = { run: '', who: 'another run', release: '', since: '' };

function checkupOf(
  member: Member,
  app: string,
  { asked, answeredAt, now }: { asked: number; answeredAt: number; now: number | undefined },
  checks: { balancerCheck: HealthResponse | undefined; appCheck: HealthResponse | undefined },
): DropletCheckup {
  const { docker, compose, problems, diskFreeBytes, diskUsed, current, state, clock } = member.survey;
  return {
    docker,
    compose,
    problem: problems[0]?.split('\n')[0],
    diskFreeBytes,
    diskUsed,
    login: loginTo(member),
    clockAheadMs: clock === undefined ? undefined : clockAhead(clock, asked, answeredAt),
    current,
    halfWayTo: state?.phase === 'switching' ? state.release : undefined,
    otherEnvironment: describeOtherEnvironment(member, app),
    // Their ids depend on this droplet's image store, or on its own build.
    built: currentRelease(member)?.images ?? {},
    stopped: stoppedOn(member, current),
    changedFiles: changedFiles(member),
    containers: member.containers,
    signalled: signalled(member),
    now: now ?? answeredAt,
    ...checks,
  };
}

function describeOtherEnvironment({ survey: { current, otherEnvironment } }: Member, app: string): string | undefined {
  if (otherEnvironment === undefined) return undefined;
  return `${current === undefined ? 'runs' : 'has releases of'} ${app} for ${otherEnvironment}`;
}

/**
 * How far the droplet's clock is ahead, in ms. It has whole seconds and was read at some moment between `asked` and
 * `answeredAt`: 0 when it may be right.
 */
function clockAhead(clock: number, asked: number, answeredAt: number): number {
  if (clock > answeredAt) return clock - answeredAt;
  return Math.min(0, clock + 999 - asked);
}

/** Names of droplets of the last rollouts that still exist and that somebody took from the balancer, or untagged, without a mark. */
async function departed(
  ports: DeployPorts,
  { target: { kind }, role }: Settings,
  present: ReadonlySet<number>,
  history: readonly HistoryEntry[],
): Promise<string[]> {
  // What was taken from a list was taken out of the fleet.
  if (kind === 'droplet' || kind === 'droplets') return [];
  const gone = new Set([...lastFleet(history, role)].filter((id) => !present.has(id)));
  if (gone.size === 0) return [];
  const existing = await ports.cloud.listDroplets();
  return existing.filter(({ id }) => gone.has(id)).map(({ name }) => name);
}
