import { z } from 'zod';
import { defineSection } from '../section.js';
import { map, text } from '../values.js';

const WORDS = 'must be a list of words';

const section = map({
  service: text("must be a service's name").meta({
    description: 'The service whose image and variables it has.',
    examples: ['app'],
  }),
  command: z
    .array(z.string({ error: WORDS }), { error: WORDS })
    .min(1, { error: WORDS })
    .meta({
      description: 'The command and its arguments, run as `run` does it. Without it: a shell of the image.',
      examples: [['bin/rails', 'console']],
    }),
}).meta({
  description: 'What the command `console` runs when it is not told. See [operating.md](operating.md#console).',
});

/** What `do-deploy console` runs. */
export const consoleSection = defineSection({
  keys: { console: section },
  resolve(written): { console?: { service?: string; command?: readonly string[] } } {
    return written.console === undefined ? {} : { console: written.console };
  },
});
