/** The output of `status --check`: a line for each difference. */
import type { Difference } from '../rollout/drift.js';
import type { ByHand } from '../rollout/model.js';
import { byHandNote } from './ending.js';
import type { Palette } from './palette.js';
import { count } from './text.js';

/** As docs/events.md shows it. */
export interface ShownDrift {
  app: string;
  environment: string;
  /** What fixes differences, as commands to paste. */
  fixes: Record<'heal' | 'adopt', string>;
  /** The fleet's release; absent when nothing was ever deployed. */
  release?: { id: string; imageTag: string };
  /** Why this release is in doubt, as a sentence. */
  dispute?: string | undefined;
  /** A release that is held on some droplets: these are compared with it. */
  canary?: { imageTag: string; droplets: string[] } | undefined;
  /** A bake that did not come to its end. */
  bake?: OwedBake;
  differences: Difference[];
  /** Droplets that were taken out by hand, and not compared. */
  byHand?: (ByHand & { droplet: string })[];
  /** Number of droplets compared. */
  droplets: number;
  /** The deploy that is running now. */
  deploying?: { who: string; since: string; url?: string | undefined };
}

/** The release, and the command that bakes it. */
export interface OwedBake {
  imageTag: string;
  next: string;
}

/** @param what the command is for */
export function bakeLines({ imageTag, next }: OwedBake, what: string, palette: Palette): string[] {
  return [palette.caution(`The bake of ${imageTag} did not come to its end.`), `${what}: ${palette.strong(next)}`];
}

export function driftLines(drift: ShownDrift, palette: Palette): string[] {
  const { app, environment, release, dispute, differences, deploying } = drift;
  const title = palette.strong(`${app}: ${environment}${release === undefined ? '' : `, release ${release.id}`}`);
  const meanwhile =
    deploying === undefined
      ? []
      : [palette.caution(`${deploying.who} is deploying now: the differences may come from that deploy.`)];
  const { canary } = drift;
  const held = canary && palette.caution(`A canary of ${canary.imageTag} is held on ${canary.droplets.join(', ')}.`);
  const doubt = [...(dispute === undefined ? [] : [palette.caution(dispute)]), ...(held === undefined ? [] : [held])];
  if (drift.bake !== undefined) doubt.push(...bakeLines(drift.bake, 'To make up for it', palette));
  const out = (drift.byHand ?? []).map(({ droplet, ...mark }) => palette.faint(`${droplet}: ${byHandNote(mark)}`));
  doubt.push(...out);
  if (differences.length === 0) return [title, ...doubt, ...meanwhile, palette.good(noneSentence(drift.droplets))];
  const lines = differences.map(
    ({ droplet, message }) => `${palette.caution(droplet)}: ${message.replaceAll(/\s*\n\s*/g, ' ')}`,
  );
  return [title, ...doubt, ...meanwhile, ...lines, ...adviceLines(drift, palette)];
}

function noneSentence(droplets: number): string {
  return droplets === 1 ? 'The droplet matches its release.' : `All ${droplets} droplets match their release.`;
}

function adviceLines({ differences, fixes }: ShownDrift, palette: Palette): string[] {
  const commands = (['heal', 'adopt'] as const).flatMap((fix) => {
    const fixed = differences.filter((one) => one.fix === fix);
    return fixed.length === 0 ? [] : [`${palette.strong(fixes[fix])} fixes ${count(fixed.length, 'difference')}.`];
  });
  return commands.length === 0 ? [] : ['', ...commands];
}
