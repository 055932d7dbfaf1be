import { defineSection } from '../section.js';
import { anyText } from '../values.js';

export const prepare = defineSection({
  neededFor: 'release',
  keys: {
    prepare: anyText('must be a path').meta({
      description:
        'Your own script, run on each droplet in the folder of the release before its images are pulled or built, while every droplet serves. It may add files there. When it fails, nothing has changed. `{environment}` and `?` as above.',
      examples: ['deploy/prepare.sh'],
    }),
  },
  resolve(written, { release, place }) {
    if (written.prepare !== undefined) release.prepare = { entry: written.prepare, place: place('prepare') };
    return {};
  },
});
