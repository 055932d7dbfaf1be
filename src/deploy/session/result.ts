/** What a rollout came to, in rows and in words. */

import type { DeployError } from '../../errors.js';
import { type Course, isInHand } from '../../rollout/courses.js';
import type { DeployResult, DropletOutcome, Evidence, ReleaseInfo, StatusRow } from '../../rollout/model.js';
import { type DropletState, isDeployed, type RolloutState } from '../../rollout/planner.js';
import { type Member, runningRelease } from '../droplet/member.js';
import type { StoredRelease } from '../release/stored-release.js';
/** A status row for each droplet, from the planner's state. */
export function rowsOf(state: RolloutState, members: readonly Member[], release: StoredRelease): StatusRow[] {
  const states = new Map(state.droplets.map((droplet) => [droplet.id, droplet]));
  return members.map((member) => {
    const droplet = states.get(member.droplet.id);
    const step = droplet?.running ?? droplet?.failure?.step;
    return {
      id: member.droplet.id,
      name: member.host.name,
      address: member.host.address,
      rotation: droplet?.rotation ?? 'unknown',
      release: releaseOn(member, droplet, release),
      health: droplet === undefined ? '' : droplet.healthy ? 'healthy' : 'not healthy',
      outcome: droplet === undefined ? 'not deployed' : outcomeOf(droplet),
      step,
      ...(droplet?.gone && { detail: 'no longer in the fleet' }),
      ...(droplet?.failure && { detail: droplet.failure.message }),
    };
  });
}

function releaseOn(member: Member, droplet: DropletState | undefined, release: StoredRelease): string {
  if (droplet !== undefined && isDeployed(droplet)) return release.id;
  return runningRelease(member);
}

const OUTCOMES: Record<Course, DropletOutcome> = {
  waiting: 'not deployed',
  kept: 'not deployed',
  returned: 'not deployed',
  forward: 'in progress',
  confirm: 'in progress',
  return: 'in progress',
  back: 'in progress',
  abandon: 'in progress',
  done: 'deployed',
  reverted: 'reverted',
  'given-up': 'deploy failed',
};

function outcomeOf(droplet: DropletState): DropletOutcome {
  if (droplet.course === 'done' && !droplet.touched) return 'up to date';
  if (isDeployed(droplet)) return 'deployed';
  return OUTCOMES[droplet.course];
}

export interface Ended {
  state: RolloutState;
  rows: StatusRow[];
  release: ReleaseInfo;
  environment: string;
  durationMs: number;
  error?: DeployError;
  evidence: { droplet: string; evidence: Evidence }[];
}

/** The one end of a rollout that was begun: succeeded, failed or interrupted. */
export function resultOf(ended: Ended): DeployResult {
  const { state, release, durationMs, environment } = ended;
  const rows = ended.rows.map(
    (row): StatusRow => (row.outcome === 'in progress' ? { ...row, outcome: 'unfinished' } : row),
  );
  const base = { release, rows, durationMs };
  const left = state.droplets.filter((droplet) => !droplet.gone);
  if (left.length > 0 && left.every((droplet) => droplet.course === 'done')) {
    return { ...base, outcome: 'succeeded', summary: fleetSentence(state) };
  }
  const interrupted = state.interrupted && ended.error === undefined;
  const error = ended.error?.info() ?? stuckInfo(state) ?? incomplete(environment);
  return {
    ...base,
    outcome: interrupted ? 'interrupted' : 'failed',
    summary: [fleetSentence(state), ...leftDeployed(state, rows)].join(' '),
    // Once droplets were changed it is a failed deploy, whoever has to fix what.
    ...(!interrupted && error && { error: { ...error, source: error.source === 'user' ? 'external' : error.source } }),
    ...(ended.evidence.length > 0 && { evidence: ended.evidence }),
    ...nextCommand(state, interrupted, environment, release),
  };
}

/** `revert-fleet`: those that were to be taken back, and still run the release. */
function notTakenBack(state: RolloutState): DropletState[] {
  return state.revertingFleet ? state.droplets.filter((droplet) => isDeployed(droplet) && droplet.touched) : [];
}

function leftDeployed(state: RolloutState, rows: readonly StatusRow[]): string[] {
  const ids = new Set(notTakenBack(state).map((droplet) => droplet.id));
  const names = rows.filter((row) => ids.has(row.id)).map((row) => row.name);
  if (names.length === 0) return [];
  return [`${names.join(', ')} still ${names.length === 1 ? 'runs' : 'run'} the release that failed.`];
}

/** A release that failed has to be mended first: then there is no command to name. */
function nextCommand(
  state: RolloutState,
  interrupted: boolean,
  environment: string,
  release: ReleaseInfo,
): { next?: string } {
  // Not heal: what some droplet runs, verified, it would bring to all.
  if (notTakenBack(state).some((droplet) => droplet.previous !== undefined))
    return { next: `do-deploy rollback ${environment}` };
  if (state.droplets.some(isStranded)) return { next: `do-deploy heal ${environment}` };
  return interrupted ? { next: `do-deploy ${environment} ${release.imageTag}` } : {};
}

/** Out of rotation, or not known to be in, or still in the ledger. */
export function isStranded(droplet: DropletState): boolean {
  if (droplet.gone) return false;
  return droplet.inLedger || droplet.rotation === 'out' || droplet.rotation === 'unknown' || isInHand(droplet.course);
}

function stuckInfo(state: RolloutState): DeployResult['error'] {
  if (state.halted) return { code: state.halted.code, message: 'The rollout was stopped.', source: 'external' };
  if (!state.stuck) return undefined;
  const { serving, floor } = state.stuck;
  return {
    code: 'capacity-floor',
    message: `Only ${serving} ${serving === 1 ? 'droplet serves' : 'droplets serve'}, and ${floor} must at any moment: no further one may leave.`,
    source: 'external',
    hint: 'Find out why a droplet is not healthy, with `do-deploy status`; then deploy again.',
  };
}

/** No failed deploy is without a reason. */
function incomplete(environment: string): NonNullable<DeployResult['error']> {
  return {
    code: 'not-everywhere',
    message: 'Not every droplet of the fleet was brought to the release.',
    source: 'external',
    hint: `See what each of them runs: do-deploy status ${environment}`,
  };
}

/** "All 3 droplets are in rotation." */
function fleetSentence(state: RolloutState): string {
  const left = state.droplets.filter((droplet) => !droplet.gone);
  const total = left.length;
  const out = left.filter(({ rotation }) => rotation === 'out' || rotation === 'unknown').length;
  const recorded = left.filter(({ rotation, inLedger }) => rotation === 'in' && inLedger).length;
  const all = total === 1 ? 'The droplet' : `All ${total} droplets`;
  if (!state.policy.balanced)
    return state.droplets.every((d) => d.healthy)
      ? `${all} run${total === 1 ? 's' : ''}.`
      : `${all} may not be healthy.`;
  const still =
    recorded === 0 ? '' : total === 1 ? ', and still recorded as out' : `, ${recorded} of them still recorded as out`;
  if (out === 0) return `${all} ${total === 1 ? 'is' : 'are'} in rotation${still}.`;
  const outside = out === 1 ? '1 droplet is' : `${out} droplets are`;
  const inside = `${total - out} of ${total} ${total - out === 1 ? 'is' : 'are'}`;
  return `${outside} out of rotation and recorded as such; ${inside} in rotation${still}.`;
}
