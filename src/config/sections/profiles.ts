import { z } from 'zod';
import { PROFILE_NAME, PROFILE_NAME_RULE } from '../names.js';
import { defineSection } from '../section.js';
import { text } from '../values.js';

const NAMES = "must be a list of compose profiles' names";

/** Also of a role. */
export const profileNames = z.array(text(PROFILE_NAME_RULE, PROFILE_NAME), { error: NAMES });

export const profiles = defineSection({
  neededFor: 'release',
  keys: {
    profiles: profileNames.meta({
      description:
        'Compose profiles that are on: the services behind them are services of the release. They override COMPOSE_PROFILES in env files. A profile that no service has is refused. See [deploying.md](deploying.md#profiles).',
      examples: [['web', 'metrics']],
    }),
  },
  resolve(written, { release, place }): { profiles?: readonly string[] } {
    const names = written.profiles ?? [];
    release.profiles.push(
      ...names.map((entry, index) => ({ entry, place: place('profiles', index), path: `profiles[${index}]` })),
    );
    return names.length === 0 ? {} : { profiles: sorted(names) };
  },
});

/** Their order means nothing to compose, so it makes no other release. */
export function sorted(names: readonly string[]): string[] {
  return [...new Set(names)].sort();
}
