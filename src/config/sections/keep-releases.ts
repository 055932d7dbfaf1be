import { defineSection } from '../section.js';
import { wholeNumber } from '../values.js';

const DEFAULT = 5;

export const keepReleases = defineSection({
  keys: {
    keep_releases: wholeNumber(2, 1000, 'must be a whole number from 2: the running release, and one to go back to', {
      description:
        'Releases that stay on a droplet for a rollback: the running one, the one before, then the newest that have proven themselves. A successful deploy removes the others, with the images that nothing else uses; it never removes volumes.',
      default: DEFAULT,
      examples: [5],
    }),
  },
  resolve: (written) => ({ keepReleases: written.keep_releases ?? DEFAULT }),
});
