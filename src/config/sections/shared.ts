import { defineSection } from '../section.js';
import { listOfPaths } from '../values.js';

export const shared = defineSection({
  neededFor: 'release',
  keys: {
    shared: listOfPaths().meta({
      description:
        'Files and folders (with a trailing `/`) that all releases on a droplet have in common, such as uploads. They stay in `~/do-deploy/APP/shared/` there, each release has a link to them, and do-deploy never removes them. Folders are created; files you put there yourself.',
      examples: [['data/', '.htpasswd']],
    }),
  },
  resolve(written, { release, place }) {
    release.shared = (written.shared ?? []).map((entry, index) => ({ entry, place: place('shared', index) }));
    return {};
  },
});
