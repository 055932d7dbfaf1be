/** Which release the fleet is on, and whose word counts for it. */

import { isBelieved, provenRelease } from '../../rollout/choose-release.js';
import { copyOf, findRelease } from '../droplet/held-releases.js';
import { heldRelease, holdingOf, type Member } from '../droplet/member.js';
import { releaseHash } from '../release/release-hash.js';
import type { StoredRelease } from '../release/stored-release.js';
import type { Anchor, Recorded } from './anchors.js';
import { runsAny } from './canary-record.js';

export interface FleetRelease {
  /** What droplets are compared with. Only without a dispute are they brought to it. */
  release?: StoredRelease;
  /** The release that was anchored before; absent where droplets have to be asked. */
  before?: StoredRelease;
  /** Why the newest anchor is not believed, as a sentence. */
  dispute?: string;
  /** In a dispute, the release that was anchored last, where droplets hold it. */
  anchored?: StoredRelease;
}

/**
 * The release that was anchored last, in the record that has the anchored hash. Without anchors, or where they are not
 * believed: the latest release that passed its gates on any of the droplets, except those that run the canary.
 */
export function fleetRelease(members: readonly Member[], { anchored, canaries }: Recorded): FleetRelease {
  const [newest] = anchored;
  const others = members.filter((member) => !runsAny(member, canaries));
  const counted = others.length > 0 ? others : members;
  const latest = findRelease(members, provenRelease(counted.map(holdingOf)));
  if (newest === undefined) return { release: latest };
  const hashes = anchored.map(({ hash }) => hash);
  const running = counted.flatMap(hashOfRunning);
  const release = copyOf(members, newest.hash);
  if (release === undefined || !running.includes(newest.hash)) {
    const which = release === undefined ? '' : `, ${release.id}`;
    return {
      release: latest,
      dispute: `No droplet runs the release that was deployed last${which}.`,
      anchored: release,
    };
  }
  if (!isBelieved(running, hashes)) {
    return {
      release: latest,
      dispute: 'Most droplets run a release that is not recorded at DigitalOcean.',
      anchored: release,
    };
  }
  const before = hashes.find((hash) => hash !== newest.hash);
  return { release, before: before === undefined ? undefined : copyOf(members, before) };
}

/** As a run has read it under its lease. */
export function recordedIn({
  anchored,
  canary,
}: {
  anchored: readonly Anchor[];
  canary: { hashes: readonly string[] };
}): Recorded {
  return { anchored, canaries: canary.hashes };
}

/** Ids of the releases that are anchored and held by droplets, newest first. */
export function anchoredIds(members: readonly Member[], anchors: readonly Anchor[]): string[] {
  return [...new Set(anchors.flatMap(({ hash }) => copyOf(members, hash)?.id ?? []))];
}

/** Of the release that the droplet runs, verified; empty for one that runs none. */
function hashOfRunning(member: Member): string[] {
  const { state, current } = member.survey;
  if (state?.phase === 'switching' || current === undefined) return [];
  const held = heldRelease(member, current);
  return [held === undefined ? '' : releaseHash(held)];
}
