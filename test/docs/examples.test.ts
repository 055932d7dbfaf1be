/** The examples of config/deploy.yml in docs/ are accepted, with the settings of their layers. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { systemClock } from '../../src/adapters/system-clock.js';
import { loadSettings } from '../../src/config/load.js';
import { Secret } from '../../src/config/secret.js';
import { layerReader } from '../../src/layers/read-layers.js';
import { codeBlocks, readRoot } from './markdown.js';

const root = mkdtempSync(join(tmpdir(), 'do-deploy-docs-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Those of compose files begin with services, those of an editor's comment have no key. */
const PAGES = ['deploying', 'versions', 'autoscaling', 'configuration', 'getting-started', 'recipes', 'migrating'];
const examples = PAGES.flatMap((name) =>
  codeBlocks(readRoot(`docs/${name}.md`))
    .filter(({ language, code }) => language === 'yaml' && !/^(services:|#)/.test(code))
    .map(({ code }) => [`docs/${name}.md`, code] as const),
);

describe('an example of config/deploy.yml', () => {
  it('is in each of these pages', () => {
    expect(new Set(examples.map(([page]) => page)).size).toBe(PAGES.length);
  });

  it.each(examples)('%s: %s', async (_, example) => {
    // A fragment is completed with an app and a balancer, as the pages say.
    const document = { app: 'shop', environments: { production: { load_balancer: 'web' } }, ...parse(example) };
    mkdirSync(join(root, 'config'), { recursive: true });
    writeFileSync(join(root, 'config/deploy.yml'), stringify(document));
    writeFileSync(join(root, 'config/ssh_config'), '');
    const env = { HOME: root, DO_TOKEN: 'dop_v1_0123', DROPLET_ID: '412345678' };
    const readLayers = 'layers' in document ? layerReader((value) => new Secret(value), systemClock) : undefined;
    const settings = await loadSettings({ cwd: root, env, environment: 'production', needs: 'fleet', readLayers });
    expect(settings.environment).toBe('production');
    // A page shows nothing that do-deploy warns about.
    expect(settings.warnings ?? []).toEqual([]);
  });
});
