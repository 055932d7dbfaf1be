/** What `status --check` found, a line for each difference. */
import type { Difference } from '../rollout/drift.js';
import type { Palette } from './palette.js';
import { count } from './text.js';

/** As docs/events.md shows it. */
export interface ShownDrift {
  app: string;
  environment: string;
  /** The fleet's release; absent when nothing was ever deployed. */
  release?: { id: string; imageTag: string };
  differences: Difference[];
  /** How many were compared. */
  droplets: number;
  /** Who deploys at the moment. */
  deploying?: { who: string; since: string; url?: string | undefined };
}

export function driftLines(drift: ShownDrift, palette: Palette): string[] {
  const { app, environment, release, differences, deploying } = drift;
  const title = palette.strong(`${app}: ${environment}${release === undefined ? '' : `, release ${release.id}`}`);
  const meanwhile =
    deploying === undefined
      ? []
      : [palette.caution(`${deploying.who} is deploying at the moment: what differs may be that deploy's doing.`)];
  if (differences.length === 0) return [title, ...meanwhile, palette.good(noneSentence(drift.droplets))];
  const lines = differences.map(
    ({ droplet, message }) => `${palette.caution(droplet)}: ${message.replaceAll(/\s*\n\s*/g, ' ')}`,
  );
  return [title, ...meanwhile, ...lines, ...adviceLines(differences, environment, palette)];
}

function noneSentence(droplets: number): string {
  return droplets === 1 ? 'The droplet is as its release says.' : `All ${droplets} droplets are as the release says.`;
}

function adviceLines(differences: readonly Difference[], environment: string, palette: Palette): string[] {
  const commands = (['heal', 'adopt'] as const).flatMap((fix) => {
    const mends = differences.filter((one) => one.fix === fix);
    return mends.length === 0
      ? []
      : [`${palette.strong(`do-deploy ${fix} ${environment}`)} mends ${count(mends.length, 'difference')}.`];
  });
  return commands.length === 0 ? [] : ['', ...commands];
}
