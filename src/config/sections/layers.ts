import { z } from 'zod';
import { defineSection, type WrittenLayer } from '../section.js';
import type { Settings } from '../settings.js';

const ERROR = 'must be a map of layers, each with a map of its settings, or false';

/** `slack`, `./deploy/layers/statuspage.ts`, `@acme/do-deploy-datadog`. */
const NAME = /^(?!__proto__$)[@./A-Za-z0-9][\w@./-]{0,199}$/;

const written = z.union([z.literal(false), z.record(z.string(), z.unknown()), z.array(z.unknown())], {
  error: 'must be a map of settings (`{}` for none), or false',
});

export const layers = defineSection({
  neededFor: 'rollout',
  keys: {
    layers: z.record(z.string().regex(NAME, { error: 'is not the name of a layer' }), written, { error: ERROR }).meta({
      description:
        'What happens besides the rollout: notices, migrations, your own code. By name of a built-in layer, path of a file of yours (`./`), or name of a package, with the settings of each; `false` switches one off. See [layers.md](layers.md).',
      examples: [{ slack: { webhook: '$SLACK_WEBHOOK' } }],
    }),
  },
  async resolve({ layers: map = {} }, { place, readLayers, ...about }): Promise<Pick<Settings, 'handlers'>> {
    if (readLayers === undefined) return { handlers: [] };
    const wanted = Object.entries(map).flatMap(([name, settings]): WrittenLayer[] =>
      settings === false ? [] : [{ name, settings, place: (...path) => place('layers', name, ...path) }],
    );
    return { handlers: await readLayers(wanted, about) };
  },
});
