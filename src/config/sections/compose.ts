import { z } from 'zod';
import { defineSection } from '../section.js';
import { bool, listOfPaths, map } from '../values.js';

/** A path that ends in `?` is optional. */
export const DEFAULT_COMPOSE_FILES = ['compose/docker-compose.yml', 'compose/docker-compose.{environment}.yml?'];

const EMPTY = 'must be a list of paths';
const FORM = 'must be a list of paths, or a map with files and build';

export interface ComposeSection {
  files?: string[];
  build?: boolean;
}

export const compose = defineSection({
  neededFor: 'release',
  keys: {
    compose: z
      .union(
        [
          listOfPaths().min(1, { error: EMPTY }),
          map(
            {
              files: listOfPaths()
                .min(1, { error: EMPTY })
                .meta({ examples: [['compose/docker-compose.yml']] }),
              build: bool().meta({ examples: [true] }),
            },
            FORM,
          ),
        ],
        { error: FORM },
      )
      .meta({
        description:
          'Compose files, the base first. `{environment}` stands for the name of the environment; a trailing `?` makes a file optional. Or a map: `files`, the same list, and `build: true`, which builds services that have a `build:` on each droplet before any leaves rotation.',
        default: DEFAULT_COMPOSE_FILES,
        examples: [['compose/docker-compose.yml', 'compose/docker-compose.{environment}.yml'], { build: true }],
      })
      .transform((value): ComposeSection => (Array.isArray(value) ? { files: value } : value)),
  },
  resolve(written, { release, place, isWritten }) {
    const { files = DEFAULT_COMPOSE_FILES, build } = written.compose ?? {};
    const path = isWritten('compose', 'files') ? ['compose', 'files'] : ['compose'];
    release.compose.push(...files.map((entry, index) => ({ entry, place: place(...path, index) })));
    return { build: build || undefined };
  },
});
