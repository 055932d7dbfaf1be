/** The output of `bootstrap`: for each droplet what was changed, or would be, and what was left alone. */
import type { Palette } from './palette.js';
import { count } from './text.js';

/** As docs/events.md shows it. */
export interface ShownBootstrap {
  environment: string;
  /** Nothing was changed. */
  check: boolean;
  rows: {
    droplet: string;
    changes: { action: string; change: string; files: string[] }[];
    left: { action: string; reason: string }[];
  }[];
}

export function bootstrapLines({ check, rows }: ShownBootstrap, palette: Palette): string[] {
  return rows.flatMap(({ droplet, changes, left }) => [
    ...(check ? changes.map(({ action, change }) => `${palette.caution(droplet)}: would ${change} (${action})`) : []),
    ...left.map(({ action, reason }) => `${palette.faint(droplet)}: left alone (${action}): ${reason}`),
    ...endOf(droplet, changes.length, check, palette),
  ]);
}

function endOf(droplet: string, changes: number, check: boolean, palette: Palette): string[] {
  if (changes === 0) return [palette.good(`${droplet}: nothing to do`)];
  return check ? [] : [palette.good(`${droplet}: ready, after ${count(changes, 'change')}`)];
}
