/**
 * `do-deploy heal`: repairs what a killed, failed or interrupted run left behind. Brings droplets that are out of rotation,
 * half-changed or not healthy back, each on a release that it holds already; droplets that serve keep theirs. Needs no
 * files and no registry: the ledger and the droplets' state.json say enough.
 */

import type { Settings } from '../../config/settings.js';
import { DeployError, ShellError } from '../../errors.js';
import { judgeHealth } from '../../rollout/health.js';
import type { DeployResult } from '../../rollout/model.js';
import { type Found, planRepairs, type RepairPlan } from '../../rollout/plan-repairs.js';
import type { Observed } from '../../rollout/rollout-state.js';
import type { Target } from '../../targets/target.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { doDeploy, type Environment } from '../core/do-deploy.js';
import { inParallel } from '../core/parallel.js';
import { inform } from '../core/report.js';
import { refuseGoneImages } from '../droplet/gone-images.js';
import { findRelease, namesWithout, releaseOfMost } from '../droplet/held-releases.js';
import { makeAppCheck } from '../droplet/make-app-check.js';
import { makeBalancerCheck } from '../droplet/make-balancer-check.js';
import { currentRelease, heldRelease, holdingOf, type Member, runsAlready, runsSomething } from '../droplet/member.js';
import { surveyAll, surveyQuietly } from '../droplet/survey.js';
import type { Recorded } from '../fleet/anchors.js';
import { canaryOn } from '../fleet/canary-record.js';
import { anchoredIds, fleetRelease, recordedIn } from '../fleet/fleet-release.js';
import { visitEach } from '../inspect/visit-fleet.js';
import { infoOf, type StoredRelease } from '../release/stored-release.js';
import { finishCommand } from '../session/canary.js';
import { observeFleet } from '../session/observe-fleet.js';
import { type Choice, eachShare, performRollout } from '../session/rollout.js';
import { NO_RELEASE_YET, runSession, type SessionOptions } from '../session/session.js';
import { withWays } from '../session/ways.js';

export interface HealOptions extends SessionOptions {
  /** The plan that was confirmed: nothing else is done. */
  confirmed?: RepairPlan;
}

/** Never throws: every end is a result. */
export async function heal(given: DeployPorts, options: HealOptions): Promise<DeployResult> {
  const { settings } = options;
  return await runSession('heal', given, options, NO_RELEASE_YET, async (session, ports) => {
    const result = await performRollout(session, {
      // Repairs as much as it can, also where the settings say to stop.
      policy: { onFailure: 'revert-droplet', pauseMs: 0, bakeMs: 0 },
      reach: 'reachable',
      // What is out is put back all the same.
      overlap: 'first',
      probesBalancer: false,
      async choose(shares) {
        const plans = await eachShare(shares, async ({ run, members }) => {
          await surveyAll(ports, settings, members, { prepare: false });
          const anchored = anchoredIds(members, run.anchored);
          return planRepairs(foundOn(members, await observeFleet(run, members)), anchored);
        });
        const all = allOf(plans);
        refuseUnconfirmed(all, options);
        const choices = await eachShare(shares, ({ run, members }, index) =>
          chooseReleases(members, recordedIn(run), plans[index] ?? all, settings),
        );
        // For the history: a release that something is brought to.
        const repaired = choices.find((_, index) => (plans[index]?.repairs.length ?? 0) > 0) ?? choices[0];
        if (repaired !== undefined) session.release = infoOf(repaired.release);
        for (const { sentence } of all.repairs) inform(ports, `${sentence}.`);
        return choices;
      },
      isUpToDate: runsAlready,
    });
    return await withWays(session, result);
  });
}

/** What heal would do at the moment, for its confirmation. Takes no lease. */
export async function findRepairs(
  ports: DeployPorts,
  { settings }: Pick<HealOptions, 'settings'>,
): Promise<RepairPlan> {
  const plans = await visitEach(ports, settings, { onlyRunning: true, setApart: true }, async ({ fleet, members }) => {
    const { membership, target, anchors } = fleet;
    await surveyQuietly(members, settings);
    const places = new Map(membership.droplets.map((found) => [found.droplet.id, found]));
    const observed = await inParallel(members, async (member) => ({
      id: member.droplet.id,
      rotation: places.get(member.droplet.id)?.rotation ?? 'unknown',
      inLedger: places.get(member.droplet.id)?.inLedger ?? false,
      healthy: await answers(member, target, settings),
    }));
    return planRepairs(foundOn(members, observed), anchoredIds(members, await anchors.read()));
  });
  return allOf(plans);
}

/** What is done in all roles. */
function allOf(plans: readonly RepairPlan[]): RepairPlan {
  return { repairs: plans.flatMap(({ repairs }) => repairs), without: plans.flatMap(({ without }) => without) };
}

/** As a rollout observes it: by the balancer's check where there is a balancer, otherwise by the containers. */
async function answers(member: Member, target: Target, { rollout }: Settings): Promise<boolean> {
  const { services, containers, survey } = member;
  const verdict = judgeHealth(services, containers, survey.containers?.now ?? 0);
  try {
    const response = await makeBalancerCheck(member, target);
    if (response !== undefined) return response.passed;
    if (!runsSomething(member) || verdict.kind !== 'healthy') return false;
    return (await makeAppCheck(member, rollout.healthHttp))?.passed !== false;
  } catch (error) {
    if (error instanceof ShellError) return false;
    throw error;
  }
}

type Seen = Pick<Observed, 'id' | 'rotation' | 'inLedger' | 'healthy'>;

function foundOn(members: readonly Member[], observed: readonly Seen[]): Found[] {
  const byId = new Map(observed.map((seen) => [seen.id, seen]));
  return members.flatMap((member): Found[] => {
    const seen = byId.get(member.droplet.id);
    if (seen === undefined) return [];
    const { id, rotation, inLedger, healthy } = seen;
    const current = currentRelease(member);
    const runsItsRelease = current !== undefined && runsAlready(member, current);
    return [{ id, name: member.host.name, rotation, inLedger, healthy, runsItsRelease, holding: holdingOf(member) }];
  });
}

/** Throws DeployError fleet-changed when something would be done that was not confirmed. */
function refuseUnconfirmed(plan: RepairPlan, { confirmed, settings }: HealOptions): void {
  if (confirmed === undefined) return;
  const isConfirmed = ({ id, release }: RepairPlan['repairs'][number]) =>
    confirmed.repairs.some((other) => other.id === id && other.release === release);
  const other = plan.repairs.find((repair) => !isConfirmed(repair));
  if (other === undefined) return;
  throw new DeployError('fleet-changed', `The fleet has changed since you confirmed: ${other.sentence}.`, {
    hint: `Look again: ${doDeploy(settings, 'heal')}`,
  });
}

/** Throws DeployError nothing-to-heal-to or image-gone before anything changes. */
async function chooseReleases(
  members: readonly Member[],
  recorded: Recorded,
  plan: RepairPlan,
  of: Environment,
): Promise<Choice> {
  const own = new Map<number, StoredRelease>();
  const canary = canaryOn(members, recorded.canaries);
  for (const member of members) {
    const repair = plan.repairs.find(({ id }) => id === member.droplet.id);
    const release = repair === undefined ? currentRelease(member) : heldRelease(member, repair.release);
    if (release !== undefined) own.set(member.droplet.id, release);
    if (repair === undefined || release === undefined) continue;
    await refuseGoneImages([member], release, () =>
      // adopt leaves a canary alone.
      canary?.members.includes(member)
        ? `${finishCommand(canary, of)} pulls the same image again.`
        : `Run ${doDeploy(of, 'adopt')}: it pulls the same image again.`,
    );
  }
  const { release: proven } = fleetRelease(members, recorded);
  const most = releaseOfMost(members, anchoredIds(members, recorded.anchored));
  const release = findRelease(members, plan.repairs[0]?.release) ?? most ?? [...own.values()][0];
  const failure = plan.without.length === 0 ? undefined : nothingFor(plan.without, members, proven, of);
  if (release === undefined) throw failure ?? nothingFor([], members, proven, of);
  const repaired = new Set(plan.repairs.map(({ id }) => id));
  const exempt = new Set(members.map(({ droplet }) => droplet.id).filter((id) => !repaired.has(id)));
  return { release, own, exempt, failure };
}

function nothingFor(
  without: readonly string[],
  members: readonly Member[],
  proven: StoredRelease | undefined,
  of: Environment,
): DeployError {
  const names = without.length > 0 ? without.join(', ') : 'The fleet';
  const lack = `${names} ${without.length > 1 ? 'hold' : 'holds'} no release to heal to`;
  const where = proven === undefined ? '' : `: ${proven.id} is not on ${namesWithout(members, proven)}`;
  return new DeployError('nothing-to-heal-to', `${lack}${where}.`, {
    hint: proven
      ? `Run ${doDeploy(of, 'adopt')}: it brings that release to them, and puts droplets that are out back.`
      : 'Deploy a release: it is brought to every droplet, first to those that are out.',
  });
}
