import { APP_NAME, APP_NAME_RULE } from '../names.js';
import { defineSection } from '../section.js';
import { text } from '../values.js';

export const app = defineSection({
  required: true,
  keys: {
    app: text(APP_NAME_RULE, APP_NAME).meta({
      description: 'Name of the compose project, and of the folder on the droplets (`~/do-deploy/APP`).',
      examples: ['shop'],
    }),
  },
  resolve: (written) => ({ app: written.app ?? '' }),
});
