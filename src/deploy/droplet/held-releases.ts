/** Which droplets hold which releases. */
import { provenRelease } from '../../rollout/choose-release.js';
import type { StoredRelease } from '../release/stored-release.js';
import { heldRelease, holdingOf, type Member } from './member.js';

/** The release with this id as some droplet holds it. */
export function findRelease(members: readonly Member[], id: string | undefined): StoredRelease | undefined {
  return members.flatMap((member) => member.survey.releases).find((release) => release.id === id);
}

/** The fleet's release: the latest that passed its gates on any of the droplets. */
export function releaseOfFleet(members: readonly Member[]): StoredRelease | undefined {
  return findRelease(members, provenRelease(members.map(holdingOf)));
}

/** Names of the droplets that do not hold the release: "web-1, web-3"; '' when all do. */
export function namesWithout(members: readonly Member[], id: string): string {
  return namesOf(members.filter((member) => heldRelease(member, id) === undefined));
}

/** ": R is not on web-2", for the end of a sentence; '' without a release. */
export function whereMissing(members: readonly Member[], release: StoredRelease | undefined): string {
  return release === undefined ? '' : `: ${release.id} is not on ${namesWithout(members, release.id)}`;
}

export function namesOf(members: readonly Member[]): string {
  return members.map((member) => member.host.name).join(', ');
}
