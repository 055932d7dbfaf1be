/**
 * `do-deploy status --check`: what every droplet has and runs, read for the comparison in rollout/drift.ts. Changes
 * nothing and takes no lock; whether a deploy is under way is told.
 */

import pLimit from 'p-limit';
import type { Settings } from '../../config/settings.js';
import { asDeployError, DeployError, ShellError } from '../../errors.js';
import {
  type Difference,
  type DropletCheckup,
  type DropletFacts,
  type FleetRelease,
  findDifferences,
} from '../../rollout/drift.js';
import type { HistoryEntry } from '../../rollout/model.js';
import type { Target } from '../../targets/target.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { AT_ONCE } from '../core/parallel.js';
import { makeBalancerCheck } from '../droplet/balancer-probe.js';
import { connectAll } from '../droplet/connect.js';
import { releaseOfFleet } from '../droplet/fleet-release.js';
import { changedFiles, currentRelease, type Member } from '../droplet/member.js';
import { survey } from '../droplet/survey.js';
import { type Fleet, findFleet } from '../fleet/find-fleet.js';
import { type Holder, leaseStatusCommand, readHolder } from '../lease/lease-commands.js';
import type { StoredRelease } from '../release/stored-release.js';
import { historyCommand, mergeHistories } from './read-history.js';
export interface DriftReport {
  /** The fleet's release; absent when nothing was ever deployed. */
  release?: { id: string; imageTag: string };
  differences: Difference[];
  /** How many droplets were compared, or should have been. */
  droplets: number;
  /** A deploy that is under way: what differs may be its doing. */
  deploying?: Holder;
}

/** Throws CloudError, or DeployError when the fleet cannot be told. */
export async function checkFleet(ports: DeployPorts, settings: Settings): Promise<DriftReport> {
  const fleet = await findFleet(ports, settings, { newcomers: true });
  const quiet = { ...ports, reporter: { report: () => {} } };
  const running = fleet.membership.droplets.filter(({ droplet }) => droplet.status === 'active');
  const reached = await connectAll(
    quiet,
    settings,
    running.map(({ droplet }) => droplet),
  );
  const problems = new Map(reached.unreachable.map(({ droplet, error }) => [droplet.id, error.message]));
  try {
    const limit = pLimit(AT_ONCE);
    const visits = await Promise.all(
      reached.members.map((member) => limit(() => visit(member, fleet.target, ports, settings))),
    );
    const answered = new Map<number, Visit>();
    for (const [index, one] of visits.entries()) {
      const { id } = reached.members[index]?.droplet ?? {};
      if (id === undefined) continue;
      if ('checkup' in one) answered.set(id, one);
      else problems.set(id, one.problem);
    }
    const members = reached.members.filter((member) => answered.has(member.droplet.id));
    const record = releaseOfFleet(members);
    const history = mergeHistories(
      [...answered.values()].map((one) => one.history),
      settings.environment,
    );
    const differences = findDifferences({
      target: fleet.target.description,
      ...(record && { release: comparable(record) }),
      droplets: fleet.membership.droplets.map((found): DropletFacts => {
        const visited = answered.get(found.droplet.id);
        const unreachable = problems.get(found.droplet.id) ?? 'it was not asked';
        return {
          name: found.droplet.name,
          power: found.droplet.status,
          rotation: found.rotation,
          inLedger: found.inLedger,
          ...(visited?.outSince !== undefined && { outSince: visited.outSince }),
          answer: visited?.checkup ?? { unreachable },
        };
      }),
      departed: await departed(ports, fleet, history),
    });
    const deploying = [...answered.values()].find(
      ({ holder, checkup }) => holder !== undefined && checkup.otherEnvironment === undefined,
    )?.holder;
    return {
      ...(record && { release: { id: record.id, imageTag: record.imageTag } }),
      differences,
      droplets: fleet.membership.droplets.length,
      ...(deploying && { deploying }),
    };
  } finally {
    await Promise.allSettled(reached.members.map((member) => member.connection.close()));
  }
}

function comparable({ id, services, images }: StoredRelease): FleetRelease {
  return { id, services, images };
}

interface Visit {
  checkup: DropletCheckup;
  history: string;
  holder?: Holder;
  outSince?: string;
}

/** Everything at once, over the droplet's one connection. */
async function visit(
  member: Member,
  target: Target,
  { clock }: DeployPorts,
  settings: Settings,
): Promise<Visit | { problem: string }> {
  const { app } = settings;
  const asked = clock.now();
  let answeredAt = asked;
  try {
    const [, history, lease, balancerCheck] = await Promise.all([
      survey(member, settings, false).then(() => {
        answeredAt = clock.now();
      }),
      member.connection.run(historyCommand(app)),
      member.connection.run(leaseStatusCommand(app)),
      makeBalancerCheck(member, target).catch(() => undefined),
    ]);
    const held = lease.stdout.trim();
    const holder = held.startsWith('held') ? (readHolder(held) ?? NOBODY) : undefined;
    const { out } = member.survey;
    return {
      checkup: { ...checkupOf(member, { asked, answeredAt }, balancerCheck), ...foreignRelease(member, app) },
      history: history.stdout,
      ...(holder && { holder }),
      ...(out && { outSince: `${out.since} by ${out.who}, in the run ${out.run}` }),
    };
  } catch (error) {
    if (error instanceof ShellError || error instanceof DeployError) return { problem: asDeployError(error).message };
    throw error;
  }
}

/** The lock is held, but its file says not by whom. */
const NOBODY: Holder = { run: '', who: 'somebody', release: '', since: '' };

function checkupOf(
  member: Member,
  { asked, answeredAt }: { asked: number; answeredAt: number },
  balancerCheck: { passed: boolean; detail: string } | undefined,
): DropletCheckup {
  const { docker, compose, problems, diskFreeBytes, diskUsed, current, state, clock, containers } = member.survey;
  const [problem] = problems;
  return {
    docker,
    compose,
    ...(problem !== undefined && { problem: problem.split('\n')[0] ?? '' }),
    diskFreeBytes,
    diskUsed,
    ...(clock !== undefined && { clockAheadMs: clockAhead(clock, asked, answeredAt) }),
    current,
    ...(state?.phase === 'switching' && { halfWayTo: state.release }),
    built: builtThere(member),
    changedFiles: changedFiles(member),
    containers: containers?.containers ?? [],
    now: containers?.now ?? answeredAt,
    balancerCheck,
  };
}

function foreignRelease({ survey: { current, otherEnvironment } }: Member, app: string): { otherEnvironment?: string } {
  if (otherEnvironment === undefined) return {};
  const runs = current === undefined ? `runs ${app}` : `has releases of ${app}`;
  return { otherEnvironment: `${runs} for ${otherEnvironment}` };
}

function builtThere(member: Member): FleetRelease['images'] {
  const images = Object.entries(currentRelease(member)?.images ?? {});
  return Object.fromEntries(images.filter(([, image]) => image.built));
}

/** 0 where the clock (told to the second) may be right: the droplet read it at some moment between the two. */
function clockAhead(clock: number, asked: number, answeredAt: number): number {
  if (clock > answeredAt) return clock - answeredAt;
  return Math.min(0, clock + 999 - asked);
}

/**
 * Droplets of the last rollout to the whole fleet, and of what was adopted or healed since: these commands leave out
 * droplets that are not behind the balancer at the time.
 * @param history newest first
 */
export function lastFleet(history: readonly HistoryEntry[]): Set<number> {
  const succeeded = history.filter(({ outcome }) => outcome === 'succeeded');
  const whole = succeeded.findIndex(({ command }) => command === 'deploy' || command === 'rollback');
  const since = whole < 0 ? succeeded : succeeded.slice(0, whole + 1);
  return new Set(since.flatMap(({ droplets }) => droplets ?? []));
}

/** Droplets of the last rollout that still exist, and have gone from the balancer without a word in the ledger. */
async function departed(ports: DeployPorts, fleet: Fleet, history: readonly HistoryEntry[]): Promise<string[]> {
  if (fleet.target.healthCheck === undefined) return [];
  const here = new Set(fleet.membership.droplets.map(({ droplet }) => droplet.id));
  const gone = new Set([...lastFleet(history)].filter((id) => !here.has(id)));
  if (gone.size === 0) return [];
  const existing = await ports.cloud.listDroplets();
  return existing.filter(({ id }) => gone.has(id)).map(({ name }) => name);
}
