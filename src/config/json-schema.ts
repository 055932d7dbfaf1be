import { z } from 'zod';
import type { Path } from './document.js';
import { deployFile } from './schema.js';

/** As much of JSON Schema as zod makes of our schema. */
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
export function jsonSchema(): JsonSchema {
  return z.toJSONSchema(deployFile, { io: 'input' }) as JsonSchema;
}

/** For editors: the same, but a value may also come from a `$NAME`. This is config/deploy.schema.json. */
export function editorSchema(): JsonSchema {
  return { title: 'do-deploy: config/deploy.yml', ...allowVariables(jsonSchema()) };
}

function allowVariables(node: JsonSchema): JsonSchema {
  if (node.type === 'boolean') return node;
  if (node.type === 'array') return { ...node, items: allowVariables(node.items as JsonSchema) };
  if (node.type === 'object') {
    const properties = Object.entries(node.properties ?? {}).map(([key, child]) => [key, allowVariables(child)]);
    const others = node.additionalProperties;
    return {
      ...node,
      ...(node.properties && { properties: Object.fromEntries(properties) }),
      ...(typeof others === 'object' && { additionalProperties: allowVariables(others) }),
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

/** The part that describes the value at a path, or undefined when there is no such key. */
export function schemaAt(schema: JsonSchema, path: Path): JsonSchema | undefined {
  let node: JsonSchema | undefined = schema;
  for (const step of path) {
    if (typeof step === 'number') return node;
    const others: JsonSchema | boolean | undefined = node?.additionalProperties;
    node = node?.properties?.[step] ?? (typeof others === 'object' ? others : undefined);
  }
  return node;
}

/** Paths of every key named `name` at the top level and below it. */
export function pathsOfKey(schema: JsonSchema, name: string, above: Path = []): Path[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, node]) => {
    const here = [...above, key];
    return [...(key === name ? [here] : []), ...pathsOfKey(node, name, here)];
  });
}
