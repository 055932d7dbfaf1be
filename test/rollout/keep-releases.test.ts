import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { releasesToRemove } from '../../src/rollout/keep-releases.js';

const NGINX = 'sha256:nginx';
const release = (id: string, ...images: string[]) => ({ id, images: [`sha256:${id}`, NGINX, ...images] });
const NONE: ReadonlySet<string> = new Set();
const FIVE = ['r3', 'r1', 'r5', 'r2', 'r4'].map((id) => release(id));

describe('a droplet keeps', () => {
  it('the running release, the one before it, and then the newest, up to the limit', () => {
    expect(releasesToRemove(FIVE, { keep: 3, needed: ['r5', 'r4'], proven: NONE })).toEqual({
      releases: ['r2', 'r1'],
      images: ['sha256:r2', 'sha256:r1'],
    });
    expect(
      releasesToRemove(FIVE, { keep: 3, needed: ['r1', 'r4'], proven: NONE }).releases,
      'after going back to r1',
    ).toEqual(['r3', 'r2']);
    expect(releasesToRemove(FIVE, { keep: 5, needed: ['r5'], proven: NONE })).toEqual({ releases: [], images: [] });
  });

  it('a release that passed its gates rather than a newer one that failed', () => {
    const proven = new Set(['r1', 'r2', 'r5']);
    expect(releasesToRemove(FIVE, { keep: 3, needed: ['r5'], proven }).releases).toEqual(['r4', 'r3']);
    expect(releasesToRemove(FIVE, { keep: 4, needed: ['r5'], proven }).releases).toEqual(['r3']);
  });

  it('more than the limit if more are needed', () => {
    expect(releasesToRemove(FIVE, { keep: 2, needed: ['r5', 'r1', 'r2'], proven: NONE }).releases).toEqual([
      'r4',
      'r3',
    ]);
  });

  it('an image that is not identified by a digest', () => {
    const held = [release('r2'), release('r1', 'shop:latest')];
    expect(releasesToRemove(held, { keep: 1, needed: ['r2'], proven: NONE }).images).toEqual(['sha256:r1']);
  });

  it('never fewer than the limit, and every image of a kept release', () => {
    const ids = fc.uniqueArray(fc.integer({ min: 1, max: 30 }).map((n) => `r${String(n).padStart(2, '0')}`));
    fc.assert(
      fc.property(ids, fc.integer({ min: 2, max: 8 }), fc.array(fc.nat(30)), (all, keep, picks) => {
        const held = all.map((id, index) => release(id, `sha256:shared-${index % 3}`));
        const needed = picks.flatMap((pick) => all[pick] ?? []);
        const { releases, images } = releasesToRemove(held, { keep, needed, proven: NONE });
        const kept = held.filter(({ id }) => !releases.includes(id));
        expect(kept).toHaveLength(Math.min(all.length, Math.max(keep, new Set(needed).size)));
        expect(kept.map(({ id }) => id)).toEqual(expect.arrayContaining(needed));
        for (const one of kept) expect(images).not.toEqual(expect.arrayContaining([expect.toBeOneOf([...one.images])]));
        const newestRemoved = [...releases].sort().at(-1) ?? '';
        for (const { id } of kept) if (!needed.includes(id)) expect(id > newestRemoved).toBe(true);
      }),
    );
  });
});
