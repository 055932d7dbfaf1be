/** Droplets that also hold releases of another environment of the app. */
import { describe, expect, it } from 'vitest';
import { type DropletStateFile, ownPart, type Survey } from '../../../src/deploy/droplet/survey-command.js';
import type { StoredRelease } from '../../../src/deploy/release/stored-release.js';

const release = (id: string, environment: string) => ({ id, environment }) as StoredRelease;
const OWN = release('r1', 'production');
const OTHER = release('r2', 'staging');
const state = (id: string): DropletStateFile => ({ release: id, phase: 'verified', run: 'x', since: '2026' });
const aSurvey = (overrides: Partial<Survey>): Survey => ({
  home: '/root',
  problems: [],
  releases: [],
  handled: new Map(),
  checksums: new Map([['a', '1']]),
  found: new Map([['a', '2']]),
  ...overrides,
});

describe('a survey', () => {
  it('is unchanged when all releases are of the environment', () => {
    const survey = aSurvey({ releases: [OWN], current: 'r1', state: state('r1') });
    expect(ownPart(survey, 'production')).toBe(survey);
  });

  it('hides the current release and its files when they are of another environment', () => {
    const own = ownPart(aSurvey({ releases: [OWN, OTHER], current: 'r2', state: state('r2') }), 'production');
    expect(own).toMatchObject({ releases: [OWN], otherEnvironment: 'staging' });
    expect({ current: own.current, state: own.state }).toEqual({ current: undefined, state: undefined });
    expect([own.checksums.size, own.found.size]).toEqual([0, 0]);
  });

  it('keeps the current release beside releases of another environment', () => {
    const own = ownPart(aSurvey({ releases: [OWN, OTHER], current: 'r1', state: state('r1') }), 'production');
    expect(own).toMatchObject({ releases: [OWN], current: 'r1', state: state('r1'), otherEnvironment: 'staging' });
    expect(own.found.size).toBe(1);
  });
});
