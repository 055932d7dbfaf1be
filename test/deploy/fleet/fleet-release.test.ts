/** Whose word counts: a droplet that forges, against the anchors. */
import { describe, expect, it } from 'vitest';
import { namesWithout, recordsOf } from '../../../src/deploy/droplet/held-releases.js';
import { type Member, NOTHING_KNOWN } from '../../../src/deploy/droplet/member.js';
import type { DropletStateFile } from '../../../src/deploy/droplet/survey-command.js';
import type { Anchor } from '../../../src/deploy/fleet/anchors.js';
import { canaryOn } from '../../../src/deploy/fleet/canary-record.js';
import { anchoredIds, fleetRelease } from '../../../src/deploy/fleet/fleet-release.js';
import { releaseHash } from '../../../src/deploy/release/release-hash.js';
import { type StoredRelease, storedRelease } from '../../../src/deploy/release/stored-release.js';
import type { Connection } from '../../../src/ports.js';
import { aDroplet } from '../../support/fake-cloud.js';
import { aRecord } from '../../support/records.js';

const OLD = aRecord('20261101T000000Z-v1');
const NEW = aRecord('20261121T000000Z-v2');
const EVIL = aRecord('20991231T235959Z-v9');
const EARLIER = '2020-01-01T00:00:00Z';
const LATER = '2099-12-31T23:59:59Z';

let nextId = 1;
function member(runs: StoredRelease | undefined, holds: StoredRelease[], more: Partial<DropletStateFile> = {}): Member {
  const id = nextId++;
  const host = { id, name: `web-${id}`, address: '203.0.113.1' };
  const state: DropletStateFile | undefined = runs && {
    ...{ release: runs.id, phase: 'verified' as const, run: 'r', since: '2026-11-21T00:00:00Z' },
    ...more,
  };
  const survey = { ...NOTHING_KNOWN, releases: holds, current: runs?.id, state };
  return { droplet: aDroplet(id), host, connection: {} as Connection, survey, containers: [], services: [] };
}

const honest = () => member(OLD, [OLD, NEW]);
const newcomer = () => member(undefined, []);
const forger = () => member(EVIL, [OLD, NEW, EVIL], { since: LATER });
const anchored = (...releases: StoredRelease[]): Anchor[] =>
  releases.map((one, index) => ({ sequence: releases.length - index, hash: releaseHash(one) }));

const recorded = (all: Anchor[]) => ({ anchored: all, canaries: [] });

describe('the release of a fleet', () => {
  it.each([
    ['against two others', [honest(), honest(), forger()]],
    ['against one other', [honest(), forger()]],
    ['beside new droplets', [honest(), forger(), newcomer(), newcomer()]],
  ])('is not what a droplet forges with a later date (%s)', (_, members) => {
    for (const order of [members, [...members].reverse()]) {
      expect(fleetRelease(order, recorded(anchored(OLD)))).toEqual({ release: OLD });
    }
  });

  it('is disputed, and not the forged one, when only the forger runs any', () => {
    expect(fleetRelease([forger(), newcomer()], recorded(anchored(OLD))).dispute).toContain('No droplet runs');
    expect(
      fleetRelease([forger(), newcomer()], recorded(anchored(aRecord('20261110T000000Z-v5')))).dispute,
    ).toBeDefined();
  });

  it('is by the anchors, whatever the clocks of deployers said', () => {
    const upgraded = () => member(NEW, [OLD, NEW], { since: EARLIER });
    const ahead = () => member(OLD, [OLD, NEW], { since: LATER });
    const back = () => member(OLD, [OLD, NEW], { since: EARLIER });
    expect(fleetRelease([upgraded(), ahead()], recorded(anchored(NEW, OLD)))).toEqual({ release: NEW, before: OLD });
    const late = member(NEW, [OLD, NEW], { since: LATER });
    expect(fleetRelease([late, back()], recorded(anchored(OLD, NEW, OLD)))).toEqual({ release: OLD, before: NEW });
  });

  it('is also the anchored one where most droplets were made from an image with an earlier one', () => {
    const members = [member(NEW, [NEW]), member(OLD, [OLD]), member(OLD, [OLD]), member(OLD, [OLD])];
    expect(fleetRelease(members, recorded(anchored(NEW, OLD)))).toMatchObject({ release: NEW });
  });

  it('is disputed when most droplets run what was never anchored', () => {
    const other = aRecord('20261125T000000Z-v3');
    const deployed = () => member(other, [OLD, other], { since: LATER });
    expect(fleetRelease([deployed(), deployed(), honest()], recorded(anchored(OLD)))).toEqual({
      release: other,
      dispute: 'Most droplets run a release that is not recorded at DigitalOcean.',
      anchored: OLD,
    });
    expect(fleetRelease([deployed(), honest()], recorded(anchored(OLD))), 'half is not most').toEqual({ release: OLD });
  });

  it('is the anchored one also where most droplets run a canary, which deployers have recorded', () => {
    const canary = aRecord('20261125T000000Z-v3');
    const held = () => member(canary, [OLD, canary], { since: LATER });
    const all = { anchored: anchored(OLD), canaries: [releaseHash(canary)] };
    expect(fleetRelease([held(), held(), honest()], all)).toEqual({ release: OLD });
  });

  it('is the latest proven one where nothing is anchored yet', () => {
    expect(fleetRelease([honest(), member(NEW, [OLD, NEW], { since: LATER })], recorded([]))).toEqual({ release: NEW });
    expect(fleetRelease([newcomer()], recorded([]))).toEqual({ release: undefined });
  });
});

describe('a record of the anchored release', () => {
  it.each<[string, Partial<StoredRelease>]>([
    ['content', { content: 'evil' }],
    ['compose files', { composeFiles: ['evil.yml'] }],
    ['env files', { envFiles: ['evil.env'] }],
    ['prepare', { prepare: 'evil.sh' }],
    ['images', { images: { app: { reference: 'shop:1', pinned: 'evil@sha256:1', imageId: 'sha256:1' } } }],
    ['services', { services: [] }],
    ['environment', { environment: 'staging' }],
    ['app', { app: 'blog' }],
  ])('is not believed with another %s', (_, change) => {
    const forged = { ...OLD, ...change };
    const [liar, honestOne] = [member(forged, [forged]), member(OLD, [OLD])];
    const members = [liar, honestOne];
    expect(fleetRelease(members, recorded(anchored(OLD))).release).toBe(OLD);
    for (const order of [members, [honestOne, liar]]) {
      expect(recordsOf(order, new Set([releaseHash(OLD)]))).toEqual([OLD]);
    }
    expect(namesWithout(members, OLD)).toBe(liar.host.name);
  });

  it('is the same where only what is its own differs', () => {
    const built = (imageId: string) => ({ app: { reference: 'shop:1', pinned: imageId, imageId, built: true } });
    const own = { ...OLD, images: built('sha256:1'), createdBy: 'ben', commit: 'c0ffee' };
    expect(releaseHash(own)).toBe(releaseHash({ ...OLD, images: built('sha256:2') }));
    const store = { app: { ...OLD.images.app, imageId: 'sha256:of-another-store' } } as StoredRelease['images'];
    expect(releaseHash({ ...OLD, images: store })).toBe(releaseHash(OLD));
  });

  it('without an anchor is that of most droplets', () => {
    const forged = { ...OLD, composeFiles: ['evil.yml'] };
    const members = [member(forged, [forged]), honest(), honest()];
    expect(recordsOf(members, new Set()).find(({ id }) => id === OLD.id)).toEqual(OLD);
  });

  it.each(['../../etc', '..', '.hidden', 'a/b', '', 'a b', '-rf'])('may not have the id %j', (id) => {
    expect(storedRelease.safeParse({ ...OLD, id }).success).toBe(false);
  });
});

it('the ids of anchored releases are in the order of the anchors, each once', () => {
  expect(anchoredIds([honest(), newcomer()], anchored(OLD, NEW, OLD, EVIL))).toEqual([OLD.id, NEW.id]);
});

describe('a canary', () => {
  const held = (...releases: StoredRelease[]) => ({ anchored: [], canaries: releases.map(releaseHash).sort() });

  it('is not the release of a fleet without anchors, whichever of several records is its own', () => {
    const members = [honest(), member(NEW, [OLD, NEW], { since: LATER })];
    expect(fleetRelease(members, held(NEW)).release).toEqual(OLD);
    expect(fleetRelease(members, held(NEW, EVIL)).release).toEqual(OLD);
    expect(fleetRelease(members, held()).release).toEqual(NEW);
  });

  it('is that of the droplets, not of a record that none of them runs', () => {
    const members = [honest(), member(NEW, [OLD, NEW])];
    for (const other of [EVIL, aRecord('20261122T000000Z-v4'), aRecord('20261123T000000Z-v5')]) {
      expect(canaryOn(members, held(other, NEW).canaries)).toEqual({
        hash: releaseHash(NEW),
        release: NEW,
        members: [members[1]],
      });
    }
    expect(canaryOn(members, held(EVIL).canaries)).toBeUndefined();
  });
});
