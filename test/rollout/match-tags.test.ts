import { describe, expect, it } from 'vitest';
import { matchTags } from '../../src/rollout/match-tags.js';
import type { GitTag } from '../../src/rollout/model.js';
import { aRow } from '../support/scripted-events.js';

const AT = '2026-11-21T07:45:00Z';
const tag = (name: string, commit: string): GitTag => ({ name, commit, at: AT, subject: `version ${name}` });
const TAGS = [tag('v3', 'c3'), tag('v2', 'c2'), tag('v2-final', 'c2'), tag('v1', 'c1')];

/** Which tags run where, as "v2: production 1 of 2". */
function running(looks: Parameters<typeof matchTags>[1]): string[] {
  return matchTags(TAGS, looks).tags.flatMap(({ name, environments }) =>
    environments.map(({ environment, droplets, of }) => `${name}: ${environment} ${droplets} of ${of}`),
  );
}

describe('the tag that an environment runs', () => {
  it('is found by the commit, and among several tags by the image tag', () => {
    const production = { name: 'production', rows: [aRow(1, { commit: 'c2', imageTag: 'v2-final' })] };
    const staging = { name: 'staging', rows: [aRow(2, { commit: 'c2', imageTag: 'latest' })] };
    expect(running([production, staging])).toEqual(['v2: staging 1 of 1', 'v2-final: production 1 of 1']);
  });

  it('is found by the name without a commit, and not at all with uncommitted changes', () => {
    const rows = [
      aRow(1, { imageTag: 'v1' }),
      aRow(2, { imageTag: 'v3', commit: 'c3', dirty: true }),
      aRow(3, { imageTag: 'v1', commit: 'c9' }),
      aRow(4, { imageTag: 'v3', commit: 'c3' }),
    ];
    expect(running([{ name: 'production', rows }])).toEqual(['v3: production 1 of 4', 'v1: production 1 of 4']);
    expect(matchTags(TAGS, [{ name: 'production', rows }]).environments[0]?.untagged).toEqual([aRow(2).release]);
  });

  it('is unknown for what did not answer', () => {
    const rows = [aRow(1, { release: '', health: 'unknown' }), aRow(2, { release: '', health: 'no containers' })];
    const found = matchTags(TAGS, [
      { name: 'production', rows },
      { name: 'staging', rows: [], unknown: 'no token' },
    ]);
    expect(found.environments).toEqual([
      { name: 'production', unreachable: ['web-1'], untagged: [] },
      { name: 'staging', unknown: 'no token', unreachable: [], untagged: [] },
    ]);
  });
});
