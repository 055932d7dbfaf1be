import { z } from 'zod';
import { PROFILE_NAME } from '../names.js';
import { defineSection } from '../section.js';
import { text } from '../values.js';

const NAMES = "must be a list of compose profiles' names";

export const profiles = defineSection({
  neededFor: 'release',
  keys: {
    profiles: z.array(text(NAMES, PROFILE_NAME), { error: NAMES }).meta({
      description:
        'Compose profiles that are on: the services behind them are services of the release. They override COMPOSE_PROFILES in env files. A profile that no service has is refused. See [deploying.md](deploying.md#profiles).',
      examples: [['web', 'metrics']],
    }),
  },
  resolve(written, { release, place }): { profiles?: readonly string[] } {
    const names = written.profiles ?? [];
    release.profiles = names.map((entry, index) => ({ entry, place: place('profiles', index) }));
    // Their order means nothing to compose, so it makes no other release.
    return names.length === 0 ? {} : { profiles: [...new Set(names)].sort() };
  },
});
