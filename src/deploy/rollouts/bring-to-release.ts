/**
 * Which release droplets are brought to that do not run the fleet's, and how they get its files and images from those that
 * hold it: without project files and without git.
 */
import type { Settings } from '../../config/settings.js';
import { DeployError } from '../../errors.js';
import type { Observed } from '../../rollout/rollout-state.js';
import { doDeploy, type Environment } from '../core/do-deploy.js';
import { inParallel } from '../core/parallel.js';
import { inform, reportTo } from '../core/report.js';
import { findGoneImages } from '../droplet/gone-images.js';
import { namesOf } from '../droplet/held-releases.js';
import { refuseUnusableHome } from '../droplet/home-check.js';
import { changedFiles, heldRelease, isOfOtherRole, type Member } from '../droplet/member.js';
import type { FleetRelease } from '../fleet/fleet-release.js';
import { ofRole } from '../fleet/role-settings.js';
import type { StoredRelease } from '../release/stored-release.js';
import type { Session } from '../session/session.js';
import { checkDroplet } from '../staging/check-droplet.js';
import { stageFromDonors } from '../staging/fetch-release.js';

/** Never a release of which only droplets say that it was deployed, once deployers have recorded one. */
export function releaseToAdopt({ release, dispute, anchored }: FleetRelease, of: Settings): StoredRelease {
  if (dispute !== undefined) {
    // What droplets run instead may be a release that has failed.
    const remedy =
      anchored === undefined
        ? `Then deploy that version: ${doDeploy(of, 'deploy', release?.imageTag ?? 'RELEASE')}`
        : `Then bring all to the one that was recorded: ${doDeploy(of, 'rollback', anchored.id)}. Or deploy another version.`;
    throw new DeployError('release-disputed', `${ofRole(of)}${dispute}`, {
      hint: `See what each droplet runs: ${doDeploy(of, 'status')}. ${remedy}`,
    });
  }
  if (release !== undefined) return release;
  throw new DeployError('no-release', 'No droplet runs a release that others could be brought to.', {
    source: 'user',
    hint: `Deploy one first: ${doDeploy(of, 'deploy')}`,
  });
}

/** Brings what the strays lack of the release, which other droplets hold. Throws DeployError before any of them has left. */
export async function stageTo(
  { ports, options: { settings, interrupted } }: Session,
  release: StoredRelease,
  { donors, strays }: { donors: readonly Member[]; strays: readonly Member[] },
): Promise<void> {
  if (strays.length === 0) return;
  reportTo(ports)({ type: 'phase-started', phase: 'stage' });
  inform(ports, `Bringing ${namesOf(strays)} to release ${release.id}.`);
  for (const member of strays) {
    refuseUnusableHome(member, settings);
    checkDroplet(member);
    if (settings.roles !== undefined) refuseOtherRole(member, release, settings);
  }
  const to = await lacking(strays, release);
  if (to.length > 0) await stageFromDonors({ ports, settings, signal: interrupted }, release, { donors, to });
}

/** Droplets that lack files of the release, or images. */
async function lacking(members: readonly Member[], release: StoredRelease): Promise<Member[]> {
  const found = await inParallel(members, async (member) => {
    const isIntact = member.survey.current !== release.id || changedFiles(member).length === 0;
    const isWhole = heldRelease(member, release.id) !== undefined && isIntact;
    return isWhole && (await findGoneImages([member], [release])).size === 0 ? [] : [member];
  });
  return found.flat();
}

/** A droplet holds a release under its id once, as one role has it. Throws DeployError role-changed. */
function refuseOtherRole(member: Member, release: StoredRelease, of: Environment): void {
  if (!isOfOtherRole(member, release)) return;
  const message = `${member.host.name} has got release ${release.id} in another role, with other services or files.`;
  throw new DeployError('role-changed', message, {
    source: 'user',
    droplet: member.host.name,
    hint: `Deploy a new release: ${doDeploy(of, 'deploy', release.imageTag)}`,
  });
}

/** Droplets that are in rotation, and not recorded as out, whatever their health. */
export function placedIn(members: readonly Member[], observed: readonly Observed[]): Member[] {
  const isPlaced = ({ inLedger, rotation }: Observed) => !inLedger && (rotation === 'in' || rotation === 'none');
  const placed = new Set(observed.filter(isPlaced).map(({ id }) => id));
  return members.filter((member) => placed.has(member.droplet.id));
}
