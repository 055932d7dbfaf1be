/** The commands that bring a fleet with two releases to one, after a run that was stopped on purpose. */

import type { Settings } from '../../config/settings.js';
import { mostCommon } from '../../rollout/choose-release.js';
import type { DeployResult, ReleaseInfo, Ways } from '../../rollout/model.js';
import type { RolloutState } from '../../rollout/rollout-state.js';
import { doDeploy } from '../core/do-deploy.js';
import { findRelease } from '../droplet/held-releases.js';
import { holdingOf, type Member } from '../droplet/member.js';
import { anchoredIds, fleetRelease, recordedIn } from '../fleet/fleet-release.js';
import { readHistories } from '../inspect/read-history.js';
import { type Asked, continueCommand } from './continue-command.js';
import type { Session } from './session.js';

/** Undefined unless the rollout has changed some droplets and left others on their release. */
export function waysOf(state: RolloutState, asked: Asked, release: ReleaseInfo): Ways | undefined {
  const { command } = asked;
  if (command !== 'deploy' && command !== 'rollback') return undefined;
  const left = state.droplets.filter(({ gone }) => !gone);
  const changed = left.filter(({ touched, course }) => touched && course !== 'reverted');
  const before = changed.find(({ previous }) => previous !== undefined)?.previous;
  if (before === undefined || changed.length === left.length) return undefined;
  return {
    forward: continueCommand(asked, release),
    // By its id: a tag may name several releases.
    back: doDeploy(asked, 'rollback', before),
  };
}

/** The result of `heal`; where it leaves two releases, it names their droplets and both ways on. */
export async function withWays({ members, options, run }: Session, result: DeployResult): Promise<DeployResult> {
  if (result.held !== undefined) return result;
  const groups = byRelease(members);
  if (groups.size < 2) return result;
  const recorded = run === undefined ? { anchored: [], canaries: [] } : recordedIn(run);
  // A release that has failed is not recorded as the fleet's: only the history says that it was wanted last.
  const failed = await lastFailed(members, options.settings);
  const newest = groups.has(failed ?? '') ? findRelease(members, failed) : fleetRelease(members, recorded).release;
  const common = mostCommon(members.map(holdingOf), anchoredIds(members, recorded.anchored));
  const other = common.find((id) => id !== newest?.id);
  if (newest === undefined || other === undefined) return result;
  const roleOf = (name: string) => result.rows.find((row) => row.name === name)?.role;
  const rows = [...groups].flatMap(([release, of]) =>
    of.map(({ host: { name } }) => ({ name, role: roleOf(name), release })),
  );
  return {
    ...result,
    summary: `${result.summary} ${releasesSentence(rows)}`,
    ways: {
      forward: doDeploy(options.settings, 'deploy', newest.imageTag),
      back: doDeploy(options.settings, 'rollback', other),
    },
  };
}

/** Id of the release that the last rollout was for, if it has failed: by the droplets' histories. */
async function lastFailed(members: readonly Member[], settings: Settings): Promise<string | undefined> {
  const entries = await readHistories(members, settings);
  const last = entries.find(({ command }) => command === 'deploy' || command === 'rollback');
  return last?.outcome === 'failed' ? last.release : undefined;
}

/**
 * "The fleet is on 2 releases: web-1, web-2 run R; web-3 runs S.": by roles, where each is on one.
 * @param rows of droplets, or of those that run something
 */
export function releasesSentence(
  rows: readonly { name: string; role?: string | undefined; release: string }[],
): string {
  const releasesOf = (role: string | undefined) =>
    new Set(rows.filter((one) => one.role === role).map((one) => one.release));
  const isWhole = rows.every(({ role }) => role !== undefined && releasesOf(role).size === 1);
  const runners = new Map<string, Set<string>>();
  for (const { name, role, release } of rows) {
    runners.set(release, (runners.get(release) ?? new Set()).add(isWhole ? (role ?? name) : name));
  }
  const described = [...runners].map(([release, of]) => {
    const runs = release === '' ? 'no release' : release;
    return `${[...of].join(', ')} ${of.size === 1 ? 'runs' : 'run'} ${runs}`;
  });
  return `The fleet is on ${runners.size} releases: ${described.join('; ')}.`;
}

/** By id, where the gates have passed. */
function byRelease(members: readonly Member[]): Map<string, Member[]> {
  const groups = new Map<string, Member[]>();
  for (const member of members) {
    const { state, current } = member.survey;
    if (current === undefined || state?.phase === 'switching') continue;
    groups.set(current, [...(groups.get(current) ?? []), member]);
  }
  return groups;
}
