/** The run that must bring the fleet back after whatever has happened, and whether it did: f of the properties. */
import type { DeployResult } from '../../src/rollout/model.js';
import { phaseOf, runs } from './ends.js';
import { lockProcess } from './lock.js';
import { CURE, type RunPlan } from './scenario.js';
import type { Droplet, World } from './world.js';

export interface Recovery {
  run: RunPlan;
  allowDowntime: boolean;
  /** Who must be in rotation afterwards. */
  fleet: Droplet[];
  /** By droplet: the release of those that serve, verified and unmarked. `heal` must leave it. */
  serving: Map<Droplet, string>;
}

/**
 * `heal`, where the releases that are there can do: the story's release is good everywhere, or so bad that no gate
 * lets it pass. Where it is neither, or a droplet holds no release, a deploy of one that is good.
 */
export function recoveryFor(world: World): Recovery {
  const { story, balancer, monitor } = world;
  const fleet = [...world.droplets.values()].filter(
    (droplet) =>
      !droplet.destroyed &&
      !world.isByHand(droplet) &&
      (!droplet.disturbed ||
        !world.isFleet ||
        // One that somebody has put back, and DigitalOcean does not show yet, joins during the run.
        (world.isMember(droplet) && balancer?.shown.has(droplet.id) !== false) ||
        droplet.tags.has(world.ledgerTag(droplet))),
  );
  // A droplet that joined and never ran a release may hold what was staged on it: nothing that the others have proven.
  const strangers = fleet.some((droplet) => !holdsABaseRelease(droplet) || droplet.disk.state === undefined);
  const canHeal = story.start === 'managed' && !strangers && isClear(world);
  const disturbed = [...world.droplets.values()].some((droplet) => droplet.disturbed);
  monitor.tally(`recovery: ${canHeal ? 'heal' : 'deploy'}`);
  return {
    run: {
      command: canHeal ? 'heal' : 'deploy',
      tag: CURE,
      force: false,
      startMs: 0,
      later: true,
      waitLockMs: 0,
      chaos: 0,
      faults: [],
    },
    // The floor can't be kept by a fleet that others have made smaller, nor by one in which nothing works yet.
    allowDowntime:
      disturbed ||
      ((story.policy.allowDowntime || tightFloor(world, fleet.length)) && mustLeave(fleet, world, canHeal)),
    fleet,
    serving: new Map(fleet.filter((one) => isWhole(world, one)).map((one) => [one, one.disk.current ?? ''])),
  };
}

/** It serves, verified, and nothing is recorded of it. */
function isWhole(world: World, droplet: Droplet): boolean {
  const release = droplet.disk.current ?? '';
  const isVerified = phaseOf(droplet) === `${release} verified` && runs(droplet, release);
  const serves = !world.isBalanced(droplet) || (world.isMember(droplet) && world.answers(droplet, world.time));
  return isVerified && serves && world.isFine(droplet, world.time) && !droplet.tags.has(world.ledgerTag(droplet));
}

function holdsABaseRelease(droplet: Droplet): boolean {
  return [...droplet.disk.releases.values()].some(({ record }) => record.imageTag === 'v1');
}

/** A floor that lets nobody leave while one is out. */
function tightFloor(world: World, size: number): boolean {
  const { minInRotation } = world.story.policy;
  return size === 1 || (minInRotation !== undefined && minInRotation >= size);
}

/** Whether one that serves has to leave: not where all that do run what is verified on them, and are healed. */
function mustLeave(fleet: readonly Droplet[], world: World, canHeal: boolean): boolean {
  const serving = fleet.filter((droplet) => world.isMember(droplet) && world.works(droplet, world.time));
  const isDone = (droplet: Droplet) => {
    const release = droplet.disk.current ?? '';
    return phaseOf(droplet) === `${release} verified` && runs(droplet, release);
  };
  return !canHeal || !serving.every(isDone);
}

/** Whether the story's release is good or bad beyond doubt. */
function isClear(world: World): boolean {
  const { image, onlyOn, policy } = world.story;
  switch (image.kind) {
    case 'good':
      return (
        image.readyMs < policy.healthTimeoutMs / 2 ||
        (image.readyMs > policy.healthTimeoutMs && onlyOn === undefined && !isProven(world))
      );
    case 'wrong-answer':
      // Without a balancer nobody asks.
      if (world.balancer === undefined && !world.story.http) return image.readyMs < policy.healthTimeoutMs / 2;
      return onlyOn === undefined;
    case 'never-healthy':
    case 'does-not-start':
      return onlyOn === undefined;
    default:
      return false;
  }
}

/** What one run found too slow, a later one may have found ready. */
function isProven(world: World): boolean {
  return [...world.droplets.values()].some(({ disk }) => {
    if (disk.state === undefined) return false;
    const { release, phase } = JSON.parse(disk.state) as { release: string; phase: string };
    return phase === 'verified' && disk.releases.get(release)?.record.imageTag !== 'v1';
  });
}

export function judgeRecovery(world: World, recovery: Recovery, result: DeployResult | undefined): void {
  const { monitor } = world;
  // Nobody can find again what a request that could not be recalled has taken from the ledger.
  if ([...world.droplets.values()].some(({ seen }) => seen.untaggedLate)) return;
  const violation = (text: string) =>
    monitor.violation('f', `after ${recovery.run.command} (${result?.outcome} ${result?.error?.code ?? ''}): ${text}`);
  // The last droplet that is left cannot be started again without downtime, which is for the user to allow.
  const left = [...world.droplets.values()].filter((droplet) => world.isMember(droplet));
  if (result?.error?.code === 'capacity-floor' && left.length === 1) return;
  if (result?.outcome !== 'succeeded' && result?.outcome !== 'skipped') {
    violation(`it has not come to a good end: ${result?.error?.message ?? result?.summary}`);
    return;
  }
  for (const droplet of recovery.fleet) {
    // A deploy ends on its release. `heal` ends with each droplet on a verified one: its own where it served.
    const own = recovery.serving.get(droplet) ?? droplet.disk.current ?? '';
    const release = recovery.run.command === 'heal' ? own : result.release.id;
    if (!runs(droplet, release)) violation(`${droplet.name} does not run ${release}`);
    if (phaseOf(droplet) !== `${release} verified`) violation(`${droplet.name} is left ${phaseOf(droplet)}`);
    if (droplet.tags.has(world.ledgerTag(droplet))) violation(`${droplet.name} is in the ledger`);
    if (!world.isFine(droplet, world.time)) violation(`${droplet.name} is not well`);
    if ((world.isBalanced(droplet) || world.story.http) && !world.answers(droplet, world.time))
      violation(`${droplet.name} does not answer`);
    const isOut = world.isFleet && !world.isMember(droplet);
    // Nobody tags again what somebody has untagged.
    if (isOut && (world.balancer || !droplet.disturbed)) violation(`${droplet.name} is out of rotation`);
  }
  for (const droplet of world.droplets.values()) {
    const holder = lockProcess(world, droplet);
    if (holder) monitor.violation('g', `${droplet.name} is still locked by ${holder.deployer.name}`);
  }
}
