import { APP_NAME } from '../names.js';
import { defineSection } from '../section.js';
import { text } from '../values.js';

export const app = defineSection({
  required: true,
  keys: {
    app: text('must be lower-case letters, digits, - and _, and begin with a letter or digit', APP_NAME).meta({
      description: 'Name of the compose project, and of the folder on the droplets (`~/do-deploy/APP`).',
      examples: ['shop'],
    }),
  },
  resolve: (written) => ({ app: written.app ?? '' }),
});
