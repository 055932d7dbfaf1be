/** The status table's rows, from the fleet at the start to its end. */

import type { Course } from '../../rollout/courses.js';
import type { DropletOutcome, StatusRow } from '../../rollout/model.js';
import { type DropletState, isDeployed, type RolloutState } from '../../rollout/rollout-state.js';
import { addressOf, type Member, NOTHING_KNOWN, runningRelease } from '../droplet/member.js';
import type { Fleet } from '../fleet/find-fleet.js';
import { surveyed } from '../inspect/read-status.js';
import { type Goal, goalFor } from './goal.js';

/** Before any droplet is connected. */
export function rowsAtStart(
  { membership: { droplets }, settings: { role } }: Pick<Fleet, 'membership' | 'settings'>,
  address: 'public' | 'private',
): StatusRow[] {
  return droplets.map(({ droplet, rotation }) => ({
    id: droplet.id,
    name: droplet.name,
    ...(role && { role }),
    address: addressOf(droplet, address) ?? '',
    rotation,
    release: '',
    health: '',
    outcome: 'not deployed',
  }));
}

/** For a run that ends before it changes anything: the rows with what the surveys have shown. */
export function rowsSurveyed(rows: readonly StatusRow[], members: readonly Member[]): StatusRow[] {
  return rows.map((row) => {
    const member = members.find(({ droplet }) => droplet.id === row.id);
    return member === undefined || member.survey === NOTHING_KNOWN ? row : { ...row, ...surveyed(member) };
  });
}

/** A row for each droplet from the planner's state. */
export function rowsOf(state: RolloutState, members: readonly Member[], goal: Goal, role?: string): StatusRow[] {
  const states = new Map(state.droplets.map((droplet) => [droplet.id, droplet]));
  return members.map((member) => {
    const droplet = states.get(member.droplet.id);
    const deployed = droplet !== undefined && isDeployed(droplet) && (droplet.touched || droplet.upToDate);
    return {
      id: member.droplet.id,
      name: member.host.name,
      ...(role && { role }),
      address: member.host.address,
      rotation: droplet?.rotation ?? 'unknown',
      release: deployed ? goalFor(goal, member.droplet.id).id : runningRelease(member),
      health: droplet === undefined ? '' : healthOf(droplet),
      outcome: droplet === undefined ? 'not deployed' : outcomeOf(droplet),
      step: droplet?.running ?? droplet?.failure?.step,
      detail: droplet?.failure?.message ?? (droplet?.gone ? 'no longer in the fleet' : undefined),
    };
  });
}

function healthOf({ healthy, unasked }: DropletState): string {
  if (healthy) return 'healthy';
  return unasked ? 'unknown' : 'not healthy';
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
  if (droplet.takenOut) return 'taken out';
  if (droplet.course === 'done' && !droplet.touched) return droplet.upToDate ? 'up to date' : 'not deployed';
  if (isDeployed(droplet)) return 'deployed';
  return OUTCOMES[droplet.course];
}

export function isSameRow(one: StatusRow, other: StatusRow | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
