import { IMAGE_TAG, IMAGE_TAG_RULE } from '../names.js';
import { defineSection } from '../section.js';
import { text } from '../values.js';

const DEFAULT = 'latest';

export const imageTag = defineSection({
  keys: {
    image_tag: text(`${IMAGE_TAG_RULE}, in quotes if it looks like a number`, IMAGE_TAG).meta({
      description: 'Value of IMAGE_TAG in the compose files when the command line names no release.',
      default: DEFAULT,
      examples: [DEFAULT, 'v1.4.2'],
    }),
  },
  resolve: (written) => ({ imageTag: written.image_tag ?? DEFAULT }),
});
