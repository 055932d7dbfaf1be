import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { editorSchema, type JsonSchema, jsonSchema } from '../../src/config/json-schema.js';
import { asYaml, configurationReference } from '../../src/config/reference.js';
import type { RunCommand } from '../../src/config/secret-sources.js';
import { createProject, load } from './project-folder.js';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

/** Every key with a value of its own, as a path from the top. */
function leaves(schema: JsonSchema, above: string[] = []): [string[], JsonSchema][] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, node]) => {
    const path = [...above, key];
    return node.properties ? leaves(node, path) : ([[path, node]] as [string[], JsonSchema][]);
  });
}

describe('the schema for editors', () => {
  const validate = new Ajv2020({ allowUnionTypes: true }).compile(editorSchema());

  it('is the one that is committed: npm run schema', () => {
    expect(JSON.parse(read('config/deploy.schema.json'))).toEqual(editorSchema());
  });

  it('takes the example project, with its variables', () => {
    expect(validate(parse(read('config/deploy.yml')))).toBe(true);
  });

  it('takes variables for numbers, and refuses unknown keys and wrong values', () => {
    const environments = { test: { droplet: 1 } };
    expect(validate({ app: 'shop', environments, ssh: { port: '$PORT' } })).toBe(true);
    expect(validate({ app: 'shop', environments, ssh: { prot: 22 } })).toBe(false);
    expect(validate({ app: 'shop', environments, rollout: { batch: '1.5' } })).toBe(false);
    expect(validate({ app: 'shop', environments: { test: { droplet: 'web' } } })).toBe(false);
  });
});

describe('the configuration reference', () => {
  const environment = jsonSchema().properties?.environments?.additionalProperties as JsonSchema;

  it('has a line, a meaning and an example for each key', () => {
    const table = configurationReference();
    const known = [...leaves(jsonSchema()), ...leaves({ properties: { 'environments.NAME': environment } })];
    const inBoth = new Set(leaves(jsonSchema()).map(([path]) => path.join('.')));
    for (const [path, node] of known) {
      const isOverride = path[0] === 'environments.NAME' && inBoth.has(path.slice(1).join('.'));
      if (isOverride) continue;
      expect(table).toContain(`| \`${path.join('.')}\` | `);
      expect(node.description, path.join('.')).toMatch(/\.$/);
      if (path.join('.') !== 'environments') expect(node.examples, path.join('.')).not.toHaveLength(0);
    }
  });

  it.each(leaves(jsonSchema()).filter(([path]) => path[0] !== 'environments' && path[0] !== 'app'))(
    '%j: its examples can be written, and its default changes nothing',
    async (path, node) => {
      const project = (value?: unknown) => {
        const written = value === undefined ? [] : [nested(path, value)];
        const others =
          path[0] === 'registry' && path[1] !== 'digitalocean' ? ['registry.username', 'registry.password'] : [];
        const rest = others.filter((key) => key !== path.join('.')).map((key) => nested(key.split('.'), 'x'));
        return createProject({
          'compose/docker-compose.yml': '',
          'compose/docker-compose.test.yml': '',
          'config/.env.common': '',
          'config/.env.test': '',
          'config/nginx/nginx.conf': '',
          'config/.env.worker': '',
          'deploy/prepare.sh': '',
          'scripts/error-rate.sh*': '',
          'secrets/api.key': 'key-of-the-api',
          '.ssh/id_ed25519': '',
          '.ssh/config': '',
          'config/deploy.yml': JSON.stringify(
            merge({ app: 'shop', environments: { test: { droplet: 1 } } }, ...written, ...rest),
          ),
        });
      };
      const env = { DOCKER_USERNAME: 'me', DOCKER_PASSWORD: 'secret' };
      const runCommand: RunCommand = async () => {
        return { kind: 'ended', code: 0, signal: null, stdout: Buffer.from('from the password manager'), stderr: '' };
      };
      for (const example of node.examples ?? [])
        await expect(load(project(example), { env, runCommand }), asYaml(example)).resolves.toBeDefined();
      if (node.default === undefined) return;
      const [without, explicit] = [project(), project(node.default)];
      // That it was written is known: then it wins over `Host *`.
      const known = (key: string, value: unknown) => (key === 'unwritten' ? undefined : value);
      const withRoot = async (root: string) => JSON.stringify(await load(root, { env }), known).replaceAll(root, '');
      expect(await withRoot(explicit)).toEqual(await withRoot(without));
    },
  );
});

type Tree = { [key: string]: unknown };

function nested([key = '', ...below]: string[], value: unknown): Tree {
  return { [key]: below.length === 0 ? value : nested(below, value) };
}

function merge(...trees: Tree[]): Tree {
  const result: Tree = {};
  for (const [key, value] of trees.flatMap((tree) => Object.entries(tree))) {
    const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
    result[key] = isMap && key in result ? merge(result[key] as Tree, value as Tree) : value;
  }
  return result;
}
