/** Which droplets hold which releases. */
import { mostCommon } from '../../rollout/choose-release.js';
import { releaseHash } from '../release/release-hash.js';
import type { StoredRelease } from '../release/stored-release.js';
import { heldRelease, holdingOf, type Member } from './member.js';

/** The release with this id as some droplet holds it: for people. */
export function findRelease(members: readonly Member[], id: string | undefined): StoredRelease | undefined {
  return members.flatMap((member) => member.survey.releases).find((release) => release.id === id);
}

/** The release that most droplets run, as some droplet holds it. Ties: the one that was anchored last, then the latest. */
export function releaseOfMost(members: readonly Member[], anchored: readonly string[] = []): StoredRelease | undefined {
  const [most] = mostCommon(members.map(holdingOf), anchored);
  return findRelease(members, most);
}

/** The release with this hash, as some droplet holds it. */
export function copyOf(members: readonly Member[], hash: string): StoredRelease | undefined {
  return members.flatMap((member) => member.survey.releases).find((release) => releaseHash(release) === hash);
}

/**
 * A record of each release that droplets hold. Where records of the same id differ: the one with an anchored hash, or else
 * the most common one. To roll to it, every droplet must hold the same record.
 */
export function recordsOf(members: readonly Member[], anchored: ReadonlySet<string>): StoredRelease[] {
  const byId = new Map<string, { release: StoredRelease; hash: string }[]>();
  for (const release of members.flatMap((member) => member.survey.releases)) {
    byId.set(release.id, [...(byId.get(release.id) ?? []), { release, hash: releaseHash(release) }]);
  }
  return [...byId.values()].flatMap((copies) => {
    const weight = (hash: string) =>
      (anchored.has(hash) ? members.length : 0) + copies.filter((one) => one.hash === hash).length;
    const [first] = copies.sort((a, b) => weight(b.hash) - weight(a.hash));
    return first === undefined ? [] : [first.release];
  });
}

/** Names of the droplets that do not hold this record of the release: "web-1, web-3"; '' when all do. */
export function namesWithout(members: readonly Member[], release: StoredRelease): string {
  const hash = releaseHash(release);
  return namesOf(
    members.filter((member) => {
      const held = heldRelease(member, release.id);
      return held === undefined || releaseHash(held) !== hash;
    }),
  );
}

/** ": R is not on web-2", for the end of a sentence; '' without a release. */
export function whereMissing(members: readonly Member[], release: StoredRelease | undefined): string {
  return release === undefined ? '' : `: ${release.id} is not on ${namesWithout(members, release)}`;
}

export function namesOf(members: readonly Member[]): string {
  return members.map((member) => member.host.name).join(', ');
}
