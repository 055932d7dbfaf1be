/** A section that is added in one place shows up everywhere. */
import { describe, expect, it } from 'vitest';
import { editorSchema, type JsonSchema, jsonSchema, schemaAt } from '../../src/config/json-schema.js';
import { loadSettings } from '../../src/config/load.js';
import { configurationReference } from '../../src/config/reference.js';
import { Secret } from '../../src/config/secret.js';
import { defineSection } from '../../src/config/section.js';
import { SECTIONS } from '../../src/config/sections/index.js';
import { anyText, duration, map } from '../../src/config/values.js';
import { COMPOSE, createProject, deployYml, load, problemsOf, TOKEN } from './project-folder.js';

/** What a layer would add. */
const pager = defineSection({
  keys: {
    pager: map({
      webhook: anyText('must be an address').meta({ description: 'Where to post.', examples: ['$PAGER_URL'] }),
      wait: duration({ description: 'Delay before it calls.', default: '30s', examples: ['1m'] }),
    }).meta({ description: 'Calls whoever is on duty.' }),
  },
  async resolve({ pager: written }, { environment, problems, place, hide, release }) {
    // Values may come from elsewhere later.
    await Promise.resolve();
    if (written !== undefined && written.webhook === undefined) {
      problems.add(place('pager'), 'pager has no webhook', 'write `webhook: $PAGER_URL` below it');
    }
    if (written?.webhook !== undefined) hide(new Secret(written.webhook));
    release.files.push({ entry: 'ops/pager.conf?', place: place('pager') });
    return { pager: { on: environment, webhook: written?.webhook, waitMs: written?.wait ?? 30_000 } };
  },
});
const sections = [pager] as const;
const all = [...SECTIONS, pager];

function project(...lines: string[]): string {
  return createProject({ ...COMPOSE, 'config/deploy.yml': deployYml(...lines) });
}

function loadWithPager(root: string, env: Record<string, string> = {}) {
  return loadSettings({ cwd: root, environment: 'test', env: { DO_TOKEN: TOKEN, HOME: root, ...env }, sections });
}

describe('an added section', () => {
  it('is in the schema, at the top level and in an environment', () => {
    for (const above of [[], ['environments', 'NAME']]) {
      const schema = schemaAt(jsonSchema(all), above);
      expect(schemaAt(schema as JsonSchema, ['pager', 'wait'])).toMatchObject({ default: '30s', examples: ['1m'] });
    }
    expect(schemaAt(jsonSchema(), ['pager'])).toBeUndefined();
    expect(schemaAt(editorSchema(all), ['pager', 'webhook'])?.anyOf).toContainEqual({ type: 'string', pattern: '\\$' });
  });

  it('is in the reference, in its place', () => {
    const keys = [...configurationReference(all).matchAll(/^\| `([^`]+)` /gm)].map(([, key]) => key);
    expect(keys.filter((key) => key?.startsWith('pager'))).toEqual(['pager', 'pager.webhook', 'pager.wait']);
    expect(keys.indexOf('pager')).toBe(keys.indexOf('layers') + 1);
    expect(configurationReference(all)).toContain('| `pager.wait` | Delay before it calls. | `1m` | `30s` |');
  });

  it('resolves its defaults', async () => {
    const { pager } = await loadWithPager(project());
    expect(pager).toEqual({ on: 'test', waitMs: 30_000 });
  });

  it('resolves per environment: what stands there overrides the top level', async () => {
    const root = createProject({
      ...COMPOSE,
      'ops/pager.conf': '',
      'config/deploy.yml': `app: shop
pager: { webhook: $PAGER_URL, wait: 1m }
environments:
  test: { load_balancer: web, pager: { wait: 2m } }
`,
    });
    const settings = await loadWithPager(root, { PAGER_URL: 'https://pager.example/T0' });
    expect(settings.pager).toEqual({ on: 'test', webhook: 'https://pager.example/T0', waitMs: 120_000 });
    expect(settings.secrets.map((secret) => secret.reveal())).toContain('https://pager.example/T0');
    expect(settings.files.map(({ path }) => path)).toContain('ops/pager.conf');
    expect(settings).toMatchObject({ app: 'shop', rollout: { batch: [1] } });
  });

  it('reports its problems with file and line, together with those of others', async () => {
    const root = createProject({
      ...COMPOSE,
      'config/deploy.yml': `app: shop
ssh: { port: no }
environments:
  test:
    load_balancer: web
    pager: { wait: 10 }
  other:
    droplet: 1
    pager:
      wiat: 10s
`,
    });
    await expect(loadWithPager(root)).rejects.toMatchObject({
      problems: [
        { place: 'config/deploy.yml:2', message: 'ssh.port must be a port number' },
        { place: 'config/deploy.yml:6', remedy: 'write `10s`' },
        { place: 'config/deploy.yml:6', message: 'pager has no webhook' },
        { place: 'config/deploy.yml:10', remedy: 'did you mean wait?' },
      ],
    });
  });

  it('is an unknown key where nobody adds it', async () => {
    expect(await problemsOf(project('pager: { wait: 1m }'))).toHaveLength(1);
    await expect(load(project())).resolves.not.toHaveProperty('pager');
  });

  it('may not claim a key of another one', async () => {
    const twice = defineSection({ keys: { ssh: anyText('must be text') }, resolve: () => ({}) });
    const options = { cwd: project(), environment: 'test', env: { DO_TOKEN: TOKEN }, sections: [twice] };
    await expect(loadSettings(options)).rejects.toThrow('two sections have the key ssh');
  });
});

describe('a section for only some runs', () => {
  const mirror = defineSection({
    neededFor: 'images',
    keys: { mirror: anyText('must be an address') },
    resolve(written, { isNeeded, problems }) {
      problems.add('mirror', 'is down', 'wait');
      return { mirror: isNeeded ? written.mirror : undefined };
    },
  });
  const loadFor = (needs: 'fleet' | 'images', env: object = {}) => {
    const cwd = project('mirror: $MIRROR');
    const options = { cwd, environment: 'test', needs, sections: [mirror] as const };
    return loadSettings({ ...options, env: { DO_TOKEN: TOKEN, HOME: cwd, ...env } });
  };

  it('has no problems in other runs, and needs no variables', async () => {
    await expect(loadFor('fleet')).resolves.toMatchObject({ mirror: undefined });
    const ofVariable = { place: 'config/deploy.yml:3', message: '$MIRROR is not set (for mirror)' };
    await expect(loadFor('images')).rejects.toMatchObject({ problems: [ofVariable, { place: 'mirror' }] });
  });
});
