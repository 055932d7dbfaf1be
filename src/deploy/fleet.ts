/** The fleet as it is found: droplets, rotation, ledger; and what forbids a deploy. */
import type { Settings } from '../config/settings.js';
import { DeployError } from '../errors.js';
import { type Policy, type RolloutState, record, type Seen, type Starter, start } from '../rollout/planner.js';
import { openTarget } from '../targets/open-target.js';
import type { Look, Target } from '../targets/target.js';
import type { DeployPorts } from './context.js';
import { Ledger } from './ledger.js';
import type { ReleaseRecord } from './release.js';
import { beforeCurrent, currentRelease, type Site } from './site.js';
import { together } from './together.js';

export interface Fleet {
  target: Target;
  ledger: Ledger;
  look: Look;
}

/**
 * Reads only. Throws CloudError, or DeployError with the reason and the remedy.
 * @param options.newcomers droplets of the autoscale pool that are not behind the balancer yet belong to it too
 */
export async function findFleet(
  ports: DeployPorts,
  settings: Settings,
  options: { newcomers: boolean } = { newcomers: false },
): Promise<Fleet> {
  const ledger = new Ledger(ports.cloud, settings.app, settings.environment);
  const target = await openTarget(settings.target, ports.cloud, ports.clock, ledger, options);
  const readable = target.healthCheck === undefined ? Promise.resolve() : ledger.proveReadable();
  const [look] = await together([target.look(), readable]);
  if (look.droplets.length === 0) {
    throw new DeployError('no-droplets', `There are no droplets behind ${target.description}.`, {
      source: 'user',
      hint: 'Add droplets to the load balancer in the control panel, or check load_balancer: in config/deploy.yml.',
    });
  }
  return { target, ledger, look };
}

export function policyOf(settings: Settings, target: Target, allowDowntime: boolean): Policy {
  const { batch, minInRotation, onFailure } = settings.rollout;
  return {
    batch,
    onFailure,
    allowDowntime,
    balanced: target.healthCheck !== undefined,
    ...(minInRotation !== undefined && { minInRotation }),
  };
}

/** Refuses a rollout that could not be begun or ended, before anything is changed. */
export function refuseImpossible(fleet: Fleet, policy: Policy): void {
  const off = fleet.look.droplets.filter(({ droplet }) => droplet.status !== 'active');
  if (off.length > 0) {
    const names = off.map(({ droplet }) => `${droplet.name} (${droplet.status})`).join(', ');
    throw new DeployError('droplet-off', `Not every droplet is running: ${names}.`, {
      hint: 'Power them on, or take them out of the load balancer.',
    });
  }
  if (!policy.balanced || policy.allowDowntime) return;
  const serving = fleet.look.droplets.filter(({ rotation }) => rotation === 'in').length;
  const size = fleet.look.droplets.length;
  if (size === 1 && serving === 1) {
    throw new DeployError(
      'fleet-of-one',
      'Only one droplet is behind the load balancer: while it is updated nothing would serve.',
      {
        source: 'user',
        hint: 'Add a second droplet, or accept the outage with --allow-downtime.',
      },
    );
  }
  if (policy.minInRotation !== undefined && policy.minInRotation >= size) {
    throw new DeployError(
      'floor-impossible',
      `rollout.min_in_rotation is ${policy.minInRotation}, but there are ${size} droplets: none could ever leave.`,
      {
        source: 'user',
        hint: `Set rollout.min_in_rotation to ${size - 1} or less in config/deploy.yml.`,
      },
    );
  }
}

/** The planner's start: what each droplet is now, under the lease, and whether it needs anything. */
export function startRollout(
  seen: readonly Seen[],
  policy: Policy,
  upToDate: ReadonlySet<number>,
  previous: ReadonlyMap<number, ReleaseRecord>,
  exempt: ReadonlySet<number> = new Set(),
): RolloutState {
  const starters = seen.map(({ id, rotation, healthy, inLedger, halfDone, away }): Starter => {
    const back = previous.get(id);
    return {
      id,
      rotation,
      healthy,
      inLedger,
      ...(inLedger && halfDone && { halfDone }),
      upToDate: upToDate.has(id),
      ...(back !== undefined && { previous: back.id }),
      ...((away || exempt.has(id)) && { exempt: true }),
    };
  });
  // The first batch starts from this very look.
  return record(start(policy, starters), { kind: 'looked', droplets: [...seen] });
}

/** The release to go back to, by droplet: the last verified one, unless it is the one being deployed. */
export function previousReleases(sites: readonly Site[], target: ReleaseRecord): Map<number, ReleaseRecord> {
  const previous = new Map<number, ReleaseRecord>();
  for (const site of sites) {
    const current = currentRelease(site);
    const before = site.survey.releases.find((release) => release.id === beforeCurrent(site));
    const back = current?.id === target.id ? before : current;
    if (back !== undefined && back.id !== target.id) previous.set(site.droplet.id, back);
  }
  return previous;
}
