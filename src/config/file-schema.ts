import { z } from 'zod';
import { ENVIRONMENT_NAME, ENVIRONMENT_NAME_RULE } from './names.js';
import type { Section } from './section.js';
import { type Keys, optionalKeys, text } from './values.js';

/** What the schema makes of a file: keys of the top level, and the same keys for each environment. */
export interface DeployFile {
  environments?: { [name: string]: { [key: string]: unknown } };
  [key: string]: unknown;
}

/**
 * The schema of config/deploy.yml, after `$NAME` was replaced. The reference and the JSON Schema for editors are made
 * from it.
 */
export function fileSchema(sections: readonly Section[]): z.ZodObject {
  const shared = sections.filter(({ scope }) => scope !== 'environment');
  const environment = z
    .strictObject(optionalKeys(keysOf([...ofEnvironmentOnly(sections), ...shared])), {
      error: 'must be a map with load_balancer or droplet',
    })
    .meta({
      description:
        'An environment, with exactly one of `load_balancer`, `droplet`, `droplets` and `tag`. Any key of the top level may stand here too: maps are merged, everything else is replaced.',
    });

  const keys: Record<string, z.ZodType> = {};
  for (const { keys: own, required } of shared) Object.assign(keys, required ? own : optionalKeys(own));
  return z.strictObject(
    {
      ...keys,
      environments: z
        .record(text(ENVIRONMENT_NAME_RULE, ENVIRONMENT_NAME), environment, { error: 'must be a map of environments' })
        .meta({ description: 'The environments, by name (lower-case letters a-z, digits and -).' }),
    },
    { error: 'must be a map of keys and values' },
  );
}

function ofEnvironmentOnly(sections: readonly Section[]): Section[] {
  return sections.filter(({ scope }) => scope === 'environment');
}

/** Throws where two sections claim a key: a fault in the program. */
function keysOf(sections: readonly Section[]): Keys {
  const keys: Record<string, z.ZodType> = {};
  for (const [key, schema] of sections.flatMap((section) => Object.entries(section.keys))) {
    if (Object.hasOwn(keys, key) || key === 'environments') throw new Error(`two sections have the key ${key}`);
    keys[key] = schema;
  }
  return keys;
}
