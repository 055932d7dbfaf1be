/** What `heal` does with each droplet. Pure: a plan is shown, confirmed and then performed. */
import { type Holding, releaseForHalfChanged } from './choose-release.js';
import type { Rotation } from './model.js';

/** A droplet as heal finds it. */
export interface Found {
  id: number;
  name: string;
  rotation: Rotation;
  /** Recorded as out by an earlier run. */
  inLedger: boolean;
  healthy: boolean;
  /** It runs what it is recorded to run. */
  runsItsRelease: boolean;
  holding: Holding;
}

export interface Repair {
  id: number;
  name: string;
  /** Id of the release that it serves afterwards. */
  release: string;
  /** For people: "web-2 stopped half-way to R2 and is out of rotation: it gets R1 and rejoins". */
  sentence: string;
  /** It serves its release, and only the record that it is out is removed. */
  isOnlyRecorded?: true;
}

export interface RepairPlan {
  repairs: Repair[];
  /** Names of droplets that do not serve and hold no release that they could be repaired with. */
  without: string[];
}

/**
 * Only droplets that are out of rotation or recorded as out, half-changed, or not running what they are recorded to run,
 * healthy. A droplet that is whole otherwise keeps its release.
 * @param anchored ids of the releases that deployers have recorded, newest first
 */
export function planRepairs(fleet: readonly Found[], anchored: readonly string[] = []): RepairPlan {
  const holdings = fleet.map(({ holding }) => holding);
  const broken = fleet.filter(isBroken).map((found) => ({ found, release: releaseOf(found, holdings, anchored) }));
  return {
    repairs: broken.flatMap(({ found, release }) =>
      release === undefined
        ? []
        : [
            {
              id: found.id,
              name: found.name,
              release,
              sentence: sentence(found, release),
              ...(isOnlyRecorded(found) && { isOnlyRecorded: true as const }),
            },
          ],
    ),
    without: broken.flatMap(({ found, release }) => (release === undefined ? [found.name] : [])),
  };
}

function isHalfChanged({ holding: { state } }: Found): boolean {
  return state?.phase === 'switching';
}

function isOut({ rotation }: Found): boolean {
  return rotation === 'out' || rotation === 'unknown';
}

function isBroken(found: Found): boolean {
  if (isOut(found) || found.inLedger || isHalfChanged(found) || !found.healthy) return true;
  // One that never had a release serves something that do-deploy did not start.
  return found.holding.current !== undefined && !found.runsItsRelease;
}

function releaseOf(found: Found, fleet: readonly Holding[], anchored: readonly string[]): string | undefined {
  const { current, holds } = found.holding;
  const isWhole = !isHalfChanged(found) && current !== undefined && holds.includes(current);
  return isWhole ? current : releaseForHalfChanged(found.holding, fleet, anchored);
}

function isOnlyRecorded(found: Found): boolean {
  return !isHalfChanged(found) && !isOut(found) && found.healthy && found.runsItsRelease;
}

function sentence(found: Found, release: string): string {
  const { name, holding, healthy, inLedger, runsItsRelease } = found;
  const half = isHalfChanged(found) ? [`stopped half-way to ${holding.state?.release}`] : [];
  const where = isOut(found)
    ? ['is out of rotation']
    : inLedger
      ? [found.rotation === 'none' ? 'is recorded as being changed' : 'is still recorded as out of rotation']
      : !healthy
        ? ['is not healthy']
        : half.length === 0 && !runsItsRelease
          ? ['does not run what was deployed']
          : [];
  return `${name} ${[...half, ...where].join(' and ')}: ${isOnlyRecorded(found) ? `it stays on ${release}, and its mark is removed` : remedy(found, release)}`;
}

function remedy(found: Found, release: string): string {
  const rejoins = found.rotation === 'none' ? '' : isOut(found) ? ', and rejoins' : ', out of rotation meanwhile';
  const isSame = found.holding.current === release && !isHalfChanged(found);
  return `${isSame ? `${release} is started again` : `it gets ${release}`}${rejoins}`;
}
