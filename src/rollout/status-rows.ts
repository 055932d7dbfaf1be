/** Applies events to the rows of the status table. Pure. */
import type { DeployEvent, DropletOutcome, StatusRow } from './model.js';

/** The rows after the event; `rows` itself is not changed. A new droplet is appended. */
export function applyEvent(rows: StatusRow[], event: DeployEvent): StatusRow[] {
  switch (event.type) {
    case 'rollout-started':
      return event.rows;
    case 'rollout-finished':
      return event.result.rows;
    case 'row-changed':
      return rows.some((row) => row.id === event.row.id)
        ? rows.map((row) => (row.id === event.row.id ? event.row : row))
        : [...rows, event.row];
    case 'step-started':
    case 'step-finished':
      return rows.map((row) => (row.name === event.droplet ? { ...withoutDetail(row), step: event.step } : row));
    case 'step-progress':
      return rows.map((row) => (row.name === event.droplet ? { ...row, step: event.step, detail: event.detail } : row));
    case 'step-failed':
      return rows.map((row) =>
        row.name === event.droplet ? { ...row, step: event.step, detail: event.error.message } : row,
      );
    default:
      return rows;
  }
}

function withoutDetail(row: StatusRow): StatusRow {
  const { detail: _, ...rest } = row;
  return rest;
}

/** The most urgent first. */
const BY_URGENCY: DropletOutcome[] = [
  'deploy failed',
  'unfinished',
  'reverted',
  'taken out',
  'skipped',
  'deployed',
  'in progress',
  'up to date',
  'not deployed',
];

/** "2 deployed, 1 not deployed"; outcomes without a droplet are left out. */
export function countOutcomes(rows: StatusRow[]): string {
  return BY_URGENCY.map((outcome) => ({ outcome, count: rows.filter((row) => row.outcome === outcome).length }))
    .filter(({ count }) => count > 0)
    .map(({ outcome, count }) => `${count} ${outcome}`)
    .join(', ');
}

/** Whether a canary may be promoted: of its droplets some have finished, and those are well. */
export function isCanaryWell(rows: readonly StatusRow[]): boolean {
  const finished = rows.filter(({ canary, imageTag, canaryTag }) => canary && imageTag === canaryTag);
  return finished.length > 0 && finished.every(({ health }) => health === 'healthy');
}
