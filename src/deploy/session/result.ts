/** The result of a rollout that has begun, for people and for scripts. */

import type { DeployError } from '../../errors.js';
import { isInHand } from '../../rollout/courses.js';
import type { DeployResult, Evidence, ReleaseInfo, StatusRow } from '../../rollout/model.js';
import { isBaked } from '../../rollout/rests.js';
import { type DropletState, isCondemned, isDeployed, isHeld, type RolloutState } from '../../rollout/rollout-state.js';
import { doDeploy, type Environment } from '../core/do-deploy.js';
import { capacityFloor, emptyAmong } from './capacity-floor.js';
import { type Asked, continueCommand } from './continue-command.js';
import { GATE_UNUSABLE } from './watch-gates.js';
import { releasesSentence, waysOf } from './ways.js';

interface Ended extends Asked {
  state: RolloutState;
  /** Of each role; without roles one, which has no name. */
  parts?: readonly { name?: string | undefined; state: RolloutState }[];
  rows: StatusRow[];
  release: ReleaseInfo;
  durationMs: number;
  /** The release was recorded as the fleet's before this rollout: only some droplets lacked it. */
  isFleets?: boolean;
  error?: DeployError;
  evidence: { droplet: string; evidence: Evidence }[];
}

/** Succeeded, failed or interrupted. */
export function resultOf(ended: Ended): DeployResult {
  const { state, release, durationMs, evidence } = ended;
  const rows = ended.rows.map(
    (row): StatusRow => (row.outcome === 'in progress' ? { ...row, outcome: 'unfinished' } : row),
  );
  const base = { release, rows, durationMs };
  const done = (isComplete(state) && !(state.interrupted && !isBaked(state))) || isHeld(state);
  if (done && ended.error === undefined) {
    return { ...base, outcome: 'succeeded', summary: fleetSentences(ended) };
  }
  const interrupted = ended.error === undefined ? state.interrupted : ended.error.code === 'interrupted';
  const error = ended.error?.info() ?? stoppedInfo(state, ended) ?? incompleteInfo(ended);
  return {
    ...base,
    outcome: interrupted ? 'interrupted' : 'failed',
    summary: [
      fleetSentences(ended),
      ...(interrupted && isComplete(state) ? [cutOff(state)] : []),
      ...(!interrupted && isComplete(state) && isBaked(state) && error.code === 'layer-failed'
        ? [`The same command raises post_deploy again: ${continueCommand(ended, release)}`]
        : []),
      ...stillOnFailed(state, rows),
      ...(isLeftOnTwo(ended)
        ? [`${releasesSentence(rows)} Go back, or correct what has failed and deploy again.`]
        : []),
    ].join(' '),
    // After droplets have changed it is a failed deploy, even when the user has to fix the cause.
    error: interrupted ? undefined : { ...error, source: error.source === 'user' ? 'external' : error.source },
    evidence: evidence.length > 0 ? evidence : undefined,
    next: nextCommand(ended, interrupted),
    ways: interrupted ? waysOf(state, ended, release) : undefined,
  };
}

/** Every droplet of the fleet runs its release. */
export function isComplete({ droplets }: RolloutState): boolean {
  const left = droplets.filter((droplet) => !droplet.gone);
  return left.length > 0 && left.every((droplet) => droplet.course === 'done');
}

/** What comes after the last droplet was interrupted: the command that continues makes up for it. */
function cutOff(state: RolloutState): string {
  return `Every droplet runs the release, but ${isBaked(state) ? 'post_deploy was not finished' : 'the bake was not waited for'}.`;
}

/** Droplets that should have been reverted, or have nothing to go back to, and still run the release. */
function notReverted({ takingBack, revertingFleet, droplets }: RolloutState): DropletState[] {
  if (!takingBack) return [];
  return droplets.filter(
    (droplet) =>
      isDeployed(droplet) &&
      droplet.touched &&
      (revertingFleet || droplet.course !== 'done' || droplet.previous === undefined),
  );
}

function stillOnFailed(state: RolloutState, rows: readonly StatusRow[]): string[] {
  const ids = new Set(notReverted(state).map((droplet) => droplet.id));
  const names = rows.filter((row) => ids.has(row.id)).map((row) => row.name);
  if (names.length === 0) return [];
  return [`${names.join(', ')} still ${names.length === 1 ? 'runs' : 'run'} the release that failed.`];
}

/** Undefined after a failed release: it has to be fixed first. */
function nextCommand(ended: Ended, interrupted: boolean): string | undefined {
  const { state, command, release } = ended;
  // Not heal: it leaves alone what serves, verified.
  if (notReverted(state).some(({ previous }) => previous !== undefined)) return backCommand(ended, notReverted(state));
  // Heal leaves out what was taken out by hand.
  if (state.droplets.some((droplet) => isStranded(droplet) || isLeftHalfWay(state, droplet))) {
    return command === 'droplet in' ? continueCommand(ended, release) : doDeploy(ended, 'heal');
  }
  if (isLeftOnTwo(ended) || (state.watchFailed && isLeft(ended))) return backCommand(ended, leftDeployed(state));
  if (ended.error?.code === GATE_UNUSABLE) return continueCommand(ended, release);
  // What comes after the rollout has failed.
  const hasBefore = leftDeployed(state).length > 0;
  if (!interrupted && isComplete(state) && command === 'deploy' && hasBefore) return doDeploy(ended, 'rollback');
  return interrupted ? continueCommand(ended, release) : undefined;
}

/** Droplets that run the release, and could go back: also those that an earlier try has brought to it. */
function leftDeployed({ droplets }: RolloutState): DropletState[] {
  return droplets.filter((one) => !one.gone && isDeployed(one) && one.previous !== undefined);
}

/** The release has failed somewhere, or by what was watched, and droplets that run it were not to go back. */
function isLeft({ state, command, ends, isFleets = false }: Ended): boolean {
  if (isFleets || ends !== undefined || (command !== 'deploy' && command !== 'rollback')) return false;
  return isCondemned(state) && leftDeployed(state).length > 0;
}

function isLeftOnTwo(ended: Ended): boolean {
  return isLeft(ended) && !ended.state.interrupted && !isComplete(ended.state);
}

/** By its id: what was recorded before the release that failed need not be what these droplets ran. */
function backCommand(of: Ended, droplets: readonly DropletState[]): string {
  const before = droplets.find(({ previous }) => previous !== undefined)?.previous;
  return doDeploy(of, 'rollback', ...(before === undefined ? [] : [before]));
}

/** Out of rotation, not known to be in, or still marked out. */
function isStranded(droplet: DropletState): boolean {
  if (droplet.gone) return false;
  return droplet.inLedger || droplet.rotation === 'out' || droplet.rotation === 'unknown' || isInHand(droplet.course);
}

/** Of a single droplet, which nothing records as out: some of its containers have changed, others have not. */
function isLeftHalfWay({ policy }: RolloutState, { gone, touched, course, previous }: DropletState): boolean {
  return !policy.isFleet && !gone && touched && course === 'given-up' && previous !== undefined;
}

function stoppedInfo({ halted, stuck }: RolloutState, of: Ended): DeployResult['error'] {
  if (halted) return { code: halted.code, message: 'The rollout was stopped.', source: 'external' };
  const empty = emptyAmong(of.rows.filter(({ outcome }) => outcome !== 'skipped'));
  return stuck && capacityFloor(stuck.serving, stuck.floor, of, empty).info();
}

function incompleteInfo(of: Environment): NonNullable<DeployResult['error']> {
  return {
    code: 'not-everywhere',
    message: 'Some droplets of the fleet did not get the release.',
    source: 'external',
    hint: `See what each droplet runs: ${doDeploy(of, 'status')}`,
  };
}

/** "web: All 3 droplets are in rotation. worker: The droplet runs." */
function fleetSentences({ state, parts = [] }: Ended): string {
  if (parts.length < 2) return fleetSentence(state);
  return parts.map((part) => `${part.name}: ${fleetSentence(part.state)}`).join(' ');
}

/** "All 3 droplets are in rotation." */
function fleetSentence(state: RolloutState): string {
  const left = state.droplets.filter((droplet) => !droplet.gone);
  const total = left.length;
  const all = total === 1 ? 'The droplet' : `All ${total} droplets`;
  if (!state.policy.balanced) {
    const changing = left.filter(({ inLedger }) => inLedger).length;
    const recorded =
      changing === 0 ? '' : ` ${changing} of ${total} ${changing === 1 ? 'is' : 'are'} recorded as being changed.`;
    return left.every((d) => d.healthy)
      ? `${all} run${total === 1 ? 's' : ''}.${recorded}`
      : `${total === 1 ? 'The droplet is not' : 'Not every droplet is'} known to be healthy.${recorded}`;
  }
  const out = left.filter(({ rotation }) => rotation === 'out' || rotation === 'unknown').length;
  const recorded = left.filter(({ rotation, inLedger }) => rotation === 'in' && inLedger).length;
  const still =
    recorded === 0 ? '' : total === 1 ? ', but still recorded as out' : `, ${recorded} of them still recorded as out`;
  if (out === 0) return `${all} ${total === 1 ? 'is' : 'are'} in rotation${still}.`;
  const outside = out === 1 ? '1 droplet is' : `${out} droplets are`;
  const inside = `${total - out} of ${total} ${total - out === 1 ? 'is' : 'are'}`;
  return `${outside} out of rotation and recorded as such; ${inside} in rotation${still}.`;
}
