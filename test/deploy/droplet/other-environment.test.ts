/** What a droplet has of another environment of the app. */
import { describe, expect, it } from 'vitest';
import { type DropletStateFile, ownPart, type Survey } from '../../../src/deploy/droplet/survey-command.js';
import { mergeHistories } from '../../../src/deploy/inspect/read-history.js';
import type { StoredRelease } from '../../../src/deploy/release/stored-release.js';

const release = (id: string, environment: string) => ({ id, environment }) as StoredRelease;
const OWN = release('r1', 'production');
const OTHER = release('r2', 'staging');
const state = (id: string): DropletStateFile => ({ release: id, phase: 'verified', run: 'x', since: '2026' });
const aSurvey = (overrides: Partial<Survey>): Survey => ({
  home: '/root',
  problems: [],
  releases: [],
  checksums: new Map([['a', '1']]),
  found: new Map([['a', '2']]),
  ...overrides,
});

describe('a survey', () => {
  it('is left as it is where all releases are of the environment', () => {
    const survey = aSurvey({ releases: [OWN], current: 'r1', state: state('r1') });
    expect(ownPart(survey, 'production')).toBe(survey);
  });

  it('of a droplet that runs another environment’s release tells of no release, and of no file', () => {
    const own = ownPart(aSurvey({ releases: [OWN, OTHER], current: 'r2', state: state('r2') }), 'production');
    expect(own).toMatchObject({ releases: [OWN], otherEnvironment: 'staging' });
    expect({ current: own.current, state: own.state }).toEqual({ current: undefined, state: undefined });
    expect([own.checksums.size, own.found.size]).toEqual([0, 0]);
  });

  it('keeps what it runs of its own beside another one’s releases', () => {
    const own = ownPart(aSurvey({ releases: [OWN, OTHER], current: 'r1', state: state('r1') }), 'production');
    expect(own).toMatchObject({ releases: [OWN], current: 'r1', state: state('r1'), otherEnvironment: 'staging' });
    expect(own.found.size).toBe(1);
  });
});

describe('the history', () => {
  const line = (run: string, more: object = {}) =>
    JSON.stringify({
      ...{ at: `2026-11-2${run}`, run, command: 'deploy', who: 'ann', release: `r${run}`, imageTag: 'v1' },
      ...{ outcome: 'succeeded', durationMs: 1 },
      ...more,
    });
  const runs = (...texts: string[]) => mergeHistories(texts, 'production').map(({ run }) => run);

  it('is of the environment’s own runs, by what their lines say', () => {
    const text = [line('1', { environment: 'production' }), line('2', { environment: 'staging' })].join('\n');
    expect(runs(text)).toEqual(['1']);
  });

  it('takes a line that says nothing for what its release is, else for what the droplet’s releases are', () => {
    const text = [line('1'), line('2'), line('3'), '{"cut'].join('\n');
    expect(runs(text)).toEqual(['3', '2', '1']);
    expect(runs(`${text}\n${JSON.stringify(OWN)}\n${JSON.stringify(OTHER)}`)).toEqual(['3', '1']);
    expect(runs(`${text}\n${JSON.stringify(OTHER)}`)).toEqual([]);
  });
});
