/** The settings of docs/monitoring-layers.md are read, and what is secret in them is masked. */

import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { systemClock } from '../../src/adapters/system-clock.js';
import { Secret } from '../../src/config/secret.js';
import { LAYERS } from '../../src/layers/index.js';
import { layerReader } from '../../src/layers/read-layers.js';
import { Redactor } from '../../src/reporters/redacting.js';
import { COMPOSE, createProject, load } from '../config/project-folder.js';
import { codeBlocks, readRoot } from '../docs/markdown.js';

const PAGE = readRoot('docs/monitoring-layers.md');
const OWN = ['checklist', 'datadog', 'grafana', 'opentelemetry', 'sentry'];

const SECRETS = {
  SENTRY_AUTH_TOKEN: 'sntrys_0123456789abcdef',
  DD_API_KEY: '0123456789abcdef0123456789abcdef',
  GRAFANA_TOKEN: 'glsa_fedcba9876543210',
  OTLP_TOKEN: 'otlp_00112233445566778899',
};

const examples = codeBlocks(PAGE)
  .filter(({ language }) => language === 'yaml')
  .map(({ code }) => code);

const read = async (layers: object) => {
  const config = { app: 'shop', environments: { test: { load_balancer: 'web' } }, layers };
  const root = createProject({ ...COMPOSE, 'config/deploy.yml': stringify(config) });
  return await load(root, { env: SECRETS, readLayers: layerReader((value) => new Secret(value), systemClock) });
};

describe('docs/monitoring-layers.md', () => {
  it.each(examples)('shows settings that are right: %s', async (code) => {
    const { layers } = parse(code) as { layers: object };
    const { handlers } = await read(layers);
    expect(new Set(handlers.map(({ name }) => name.replace('layer ', '')))).toEqual(new Set(Object.keys(layers)));
  });

  it.each(OWN)('has an example of %s, and names every setting', async (name) => {
    expect(examples.some((code) => name in (parse(code) as { layers: object }).layers)).toBe(true);
    const layer = (await LAYERS[name]?.())?.default;
    expect(layer?.name).toBe(name);
    expect(layer?.kind).toBe('third-party');
    const section = PAGE.slice(PAGE.indexOf(`\n## ${name}\n`)).split('\n## ')[1] ?? '';
    const shape = (layer?.config.shape ?? layer?.config.element.shape) as object;
    const documented = [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, key]) => key);
    expect(documented.sort()).toEqual(Object.keys(shape).sort());
  });

  it('says the truth on secrets: each is masked, with and without the word before it', async () => {
    const layers = Object.assign({}, ...examples.map((code) => (parse(code) as { layers: object }).layers));
    const { secrets } = await read(layers);
    const redactor = new Redactor(secrets.map((secret) => secret.reveal()));
    for (const secret of Object.values(SECRETS)) {
      expect(redactor.redact(`a ${secret} b`)).toBe('a [secret] b');
    }
    expect(redactor.redact(`Bearer ${SECRETS.OTLP_TOKEN}`)).not.toContain(SECRETS.OTLP_TOKEN);
  });
});
