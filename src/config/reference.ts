import { type JsonSchema, jsonSchema } from './json-schema.js';
import type { Section } from './section.js';
import { SECTIONS } from './sections/index.js';

/** A Markdown table with a row for each key; docs/configuration.md contains it. */
export function configurationReference(sections: readonly Section[] = SECTIONS): string {
  const schema = jsonSchema(sections);
  const environment = schema.properties?.environments?.additionalProperties as JsonSchema;
  const ofEnvironmentOnly = Object.entries(environment.properties ?? {}).filter(([key]) => !schema.properties?.[key]);

  const lines = [
    '| key | meaning | examples | default |',
    '|---|---|---|---|',
    ...Object.entries(schema.properties ?? {}).flatMap(([key, node]) => describe(key, node)),
    row('environments.NAME', environment),
    ...ofEnvironmentOnly.flatMap(([key, node]) => describe(`environments.NAME.${key}`, node)),
  ];
  return `${lines.join('\n')}\n`;
}

function describe(key: string, node: JsonSchema): string[] {
  const below = Object.entries(node.properties ?? {}).flatMap(([name, child]) => describe(`${key}.${name}`, child));
  // A map without a description of its own is described by its keys.
  return node.description === undefined ? below : [row(key, node), ...below];
}

function row(key: string, { description = '', examples = [], default: fallback }: JsonSchema): string {
  const cells = [
    `\`${key}\``,
    description.replaceAll('|', '\\|'),
    examples.map(asCode).join(' '),
    fallback === undefined ? '' : asCode(fallback),
  ];
  return `| ${cells.join(' | ')} |`;
}

function asCode(value: unknown): string {
  return `\`${asYaml(value)}\``;
}

/** A value as it is written in the file, on one line. */
export function asYaml(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(asYaml).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const pairs = Object.entries(value).map(([key, item]) => `${key}: ${asYaml(item)}`);
    return `{ ${pairs.join(', ')} }`;
  }
  // In a list or map, braces and commas have a meaning of their own.
  if (typeof value === 'string' && /[{},[\]]|^[*&!%@`]/.test(value)) return `'${value}'`;
  return String(value);
}
