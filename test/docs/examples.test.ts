/** The examples of config/deploy.yml in docs/ are accepted. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { loadSettings } from '../../src/config/load.js';
import { codeBlocks, readRoot } from './markdown.js';

const root = mkdtempSync(join(tmpdir(), 'do-deploy-docs-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Those of compose files begin with services, those of an editor's comment have no key. */
const examples = ['deploying', 'versions', 'autoscaling', 'configuration'].flatMap((name) =>
  codeBlocks(readRoot(`docs/${name}.md`))
    .filter(({ language, code }) => language === 'yaml' && !/^(services:|#)/.test(code))
    .map(({ code }) => [`docs/${name}.md`, code] as const),
);

describe('an example of config/deploy.yml', () => {
  it('is in each of these pages', () => {
    expect(new Set(examples.map(([page]) => page)).size).toBe(4);
  });

  it.each(examples)('%s: %s', async (_, example) => {
    const document = { app: 'shop', environments: { production: { load_balancer: 'web' } }, ...parse(example) };
    mkdirSync(join(root, 'config'), { recursive: true });
    writeFileSync(join(root, 'config/deploy.yml'), stringify(document));
    const env = { HOME: root, DO_TOKEN: 'dop_v1_0123', DROPLET_ID: '412345678' };
    const settings = await loadSettings({ cwd: root, env, environment: 'production', needs: 'fleet' });
    expect(settings.environment).toBe('production');
  });
});
