import { z } from 'zod';
import type { Path } from './document.js';
import { fileSchema } from './file-schema.js';
import type { Section } from './section.js';
import { SECTIONS } from './sections/index.js';

/** The subset of JSON Schema that zod generates for the configuration. */
export interface JsonSchema {
  type?: string;
  description?: string;
  default?: unknown;
  examples?: unknown[];
  properties?: Record<string, JsonSchema>;
  additionalProperties?: JsonSchema | boolean;
  required?: string[];
  [keyword: string]: unknown;
}

/** Of config/deploy.yml as it is written. */
export function jsonSchema(sections: readonly Section[] = SECTIONS): JsonSchema {
  return z.toJSONSchema(fileSchema(sections), { io: 'input', override: keepExamples }) as JsonSchema;
}

/** Of a layer's settings. What JSON Schema cannot tell is left open; of a schema that zod cannot turn into one, everything. */
export function inputSchema(schema: z.ZodType): JsonSchema {
  try {
    return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema;
  } catch {
    return {};
  }
}

/** Where a value may be a map or something else, those of the map. */
export function keysOf(schema: JsonSchema | undefined): string[] {
  const forms = [schema, ...((schema?.anyOf ?? []) as JsonSchema[])];
  return forms.flatMap((form) => Object.keys(form?.properties ?? {}));
}

/** zod leaves out the examples of a map in which a value is changed: ours are as they are written. */
function keepExamples({ zodSchema, jsonSchema }: { zodSchema: z.core.$ZodTypes; jsonSchema: object }): void {
  const examples = zodSchema._zod.def.type === 'record' ? z.globalRegistry.get(zodSchema)?.examples : undefined;
  if (examples !== undefined) Object.assign(jsonSchema, { examples });
}

/** For editors: the same, but any value may also come from a `$NAME`. This is config/deploy.schema.json. */
export function editorSchema(sections: readonly Section[] = SECTIONS): JsonSchema {
  return { title: 'do-deploy: config/deploy.yml', ...allowVariables(jsonSchema(sections)) };
}

function allowVariables(node: JsonSchema): JsonSchema {
  if (node.type === 'boolean') return node;
  if (node.type === 'array') return { ...node, items: allowVariables(node.items as JsonSchema) };
  if (node.type === 'object') {
    const { properties, additionalProperties: others } = node;
    const pairs = Object.entries(properties ?? {}).map(([key, child]) => [key, allowVariables(child)]);
    return {
      ...node,
      properties: properties && Object.fromEntries(pairs),
      additionalProperties: typeof others === 'object' ? allowVariables(others) : others,
    };
  }
  const { description, default: fallback, examples, ...rules } = node;
  return {
    description,
    default: fallback,
    examples,
    anyOf: [...((rules.anyOf as JsonSchema[] | undefined) ?? [rules]), { type: 'string', pattern: '\\$' }],
  };
}

/** The part that describes the value at a path; undefined when there is no such key. */
export function schemaAt(schema: JsonSchema, path: Path): JsonSchema | undefined {
  let node: JsonSchema | undefined = schema;
  for (const step of path) {
    if (typeof step === 'number') return node;
    const others: JsonSchema | boolean | undefined = node?.additionalProperties;
    node = node?.properties?.[step] ?? (typeof others === 'object' ? others : undefined) ?? formWith(node, step);
  }
  return node;
}

/** Where a value may be a map or something else. */
function formWith(node: JsonSchema | undefined, key: string): JsonSchema | undefined {
  const forms = (node?.anyOf ?? []) as JsonSchema[];
  return forms.find(({ properties }) => properties?.[key] !== undefined)?.properties?.[key];
}

/** As `schemaAt`; of a list, the schema of its items. */
export function itemAt(schema: JsonSchema, path: Path): JsonSchema | undefined {
  const inList = path.findIndex((step) => typeof step === 'number');
  if (inList === -1) return schemaAt(schema, path);
  const items = schemaAt(schema, path.slice(0, inList))?.items as JsonSchema | undefined;
  return items && itemAt(items, path.slice(inList + 1));
}

/** Paths of every key named `name`, at the top level and below. */
export function pathsOfKey(schema: JsonSchema, name: string, above: Path = []): Path[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, node]) => {
    const here = [...above, key];
    return [...(key === name ? [here] : []), ...pathsOfKey(node, name, here)];
  });
}
