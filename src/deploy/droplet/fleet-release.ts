import { provenRelease } from '../../rollout/choose-release.js';
import type { StoredRelease } from '../release/stored-release.js';
import { holdingOf, type Member } from './member.js';
/** The release that the fleet is on: the latest that was proven on any of the droplets. */
export function releaseOfFleet(members: readonly Member[]): StoredRelease | undefined {
  const id = provenRelease(members.map(holdingOf));
  return members.flatMap((member) => member.survey.releases).find((release) => release.id === id);
}
