import { z } from 'zod';
import { defineSection, type WrittenLayer } from '../section.js';
import type { Settings } from '../settings.js';
import { suggest } from '../suggest.js';

const ERROR = 'must be a map of layers, each with a map of its settings, or false';

/** `slack`, `./deploy/layers/statuspage.ts`, `@acme/do-deploy-datadog`. */
const NAME = /^(?!__proto__$)[@./A-Za-z0-9][\w@./-]{0,199}$/;

const written = z.union([z.literal(false), z.record(z.string(), z.unknown()), z.array(z.unknown())], {
  error: 'must be a map of settings (`{}` for none), or false',
});

export const layers = defineSection({
  neededFor: 'rollout',
  keys: {
    layers: z
      .record(
        z.string().regex(NAME, { error: 'is not the name of a layer: letters a-z, digits and @ . / _ -' }),
        written,
        { error: ERROR },
      )
      .meta({
        description:
          'What happens besides the rollout: notifications, migrations, your own code. By name of a built-in layer, path of a file of yours (`./`), or name of a package, with the settings of each; `false` switches one off. See [layers.md](layers.md).',
        examples: [{ slack: { webhook: '$SLACK_WEBHOOK' } }],
      }),
  },
  async resolve(
    { layers: map = {} },
    { place, isWritten, readLayers, isForAll, ...about },
  ): Promise<Pick<Settings, 'handlers'>> {
    if (readLayers === undefined) return { handlers: [] };
    const lost = Object.keys(map).filter((name) => map[name] === false && !isForAll('layers', name));
    for (const name of lost) {
      const known = suggest(
        name,
        Object.keys(map).filter((one) => one !== name),
      );
      const remedy = known === undefined ? 'remove it, or correct its name' : `did you mean ${known}?`;
      about.problems.add(
        place('layers', name),
        `layers.${name} is false, but there is no such layer to switch off`,
        remedy,
      );
    }
    const wanted = Object.entries(map).flatMap(([name, settings]): WrittenLayer[] =>
      settings === false
        ? []
        : [
            {
              name,
              settings,
              place: (...path) => place('layers', name, ...path),
              isWritten: (...path) => isWritten('layers', name, ...path),
            },
          ],
    );
    return { handlers: await readLayers(wanted, about) };
  },
});
