/** A bake that did not come to its end: what `status` says of it. session/bake-record.ts writes the record. */
import type { Settings } from '../../config/settings.js';
import { ShellError } from '../../errors.js';
import { isHalfDone, type Member } from '../droplet/member.js';
import { runsAny } from '../fleet/canary-record.js';
import { readDone } from './read-done.js';

/** Of the record, which names the release that has to bake. */
export const BAKE_RECORD = 'rollout_bake';

/**
 * The droplets that run a release whose bake an earlier run has not finished: all of the fleet or role, or those of a canary. Of
 * a release that only some were left on, the bake is not what is missing. Empty where it cannot be read.
 */
export async function unbakedOn(
  members: readonly Member[],
  canaries: readonly string[],
  settings: Settings,
): Promise<Member[]> {
  if ((settings.rollout.bakeMs ?? 0) === 0 || members.length === 0) return [];
  const id = await recordedOn(members, settings);
  const running = members.filter((member) => member.survey.current !== undefined);
  const on = running.filter((member) => member.survey.current === id && !isHalfDone(member));
  const [first] = on;
  const isWhole = on.length === running.length || (first !== undefined && runsAny(first, canaries));
  return isWhole ? on : [];
}

async function recordedOn(members: readonly Member[], settings: Settings): Promise<string | undefined> {
  try {
    return (await readDone({ members, options: { settings } }, BAKE_RECORD)).release || undefined;
  } catch (error) {
    if (error instanceof ShellError) return undefined;
    throw error;
  }
}
