import { defineSection } from '../section.js';
import { listOfPaths } from '../values.js';

/** All optional. */
export const DEFAULT_FILES = ['config/.env.common?', 'config/.env.{environment}?', 'config/nginx/?'];

export const files = defineSection({
  neededFor: 'release',
  keys: {
    files: listOfPaths().meta({
      description:
        'Other files of a release: files, or folders with a trailing `/`. `{environment}` and `?` as above. Env files listed by name (`.env*`) also set the variables of the compose files; later files override earlier ones.',
      default: DEFAULT_FILES,
      examples: [['config/.env.common', 'config/.env.{environment}', 'config/nginx/']],
    }),
  },
  resolve(written, { release, place, ofRoles }) {
    const entries = written.files ?? DEFAULT_FILES;
    release.files.push(...entries.map((entry, index) => ({ entry, place: place('files', index) })));
    for (const { role, written: own } of ofRoles('files')) {
      const files = (own as string[]).map((entry, index) => ({ entry, place: place('roles', role, 'files', index) }));
      release.roles.set(role, { ...release.roles.get(role), files });
    }
    return {};
  },
});
