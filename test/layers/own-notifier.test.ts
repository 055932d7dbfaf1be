/** Notifiers in a project: those of do-deploy by their names, and one of the project's own in a single file. */

import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/adapters/system-clock.js';
import { Secret } from '../../src/config/secret.js';
import { LAYERS } from '../../src/layers/index.js';
import { layerReader } from '../../src/layers/read-layers.js';
import { COMPOSE, createProject, deployYml, load, problemsIn } from '../config/project-folder.js';
import { aService, ROLLOUT, raise, SECRET_PARTS } from './notified.js';

const readLayers = layerReader((value) => new Secret(value), systemClock);

const PAGER = `
  import { defineLayer, z } from 'do-deploy';

  export default defineLayer({
    name: 'pager',
    kind: 'notifier',
    config: z.strictObject({ url: z.url({ error: 'must be an address' }) }),
    secrets: ['url'],
    on: {
      async deploy_failed({ app, environment }, { config, result, fetch }) {
        const body = JSON.stringify({ text: app + ' on ' + environment + ': ' + result?.error?.message });
        await fetch(config.url, { method: 'POST', body });
      },
    },
  });
`;

describe('a notifier of the project', () => {
  it('is one file, and one entry in config/deploy.yml', async () => {
    const service = await aService();
    const root = createProject({
      ...COMPOSE,
      'deploy/layers/pager.ts': PAGER,
      'config/deploy.yml': deployYml('layers:', '  ./deploy/layers/pager.ts: { url: $PAGER_URL }'),
    });
    const settings = await load(root, { readLayers, env: { PAGER_URL: service.url } });
    expect(await raise(settings.handlers, [ROLLOUT.started, ROLLOUT.failed])).toEqual([]);
    expect(service.bodies()).toEqual([
      { text: 'shop on production: Not healthy within 120 s: app exited 137: out of memory.' },
    ]);
    expect(settings.secrets.map((secret) => secret.reveal())).toContain(service.url);
    // A notifier never stops a rollout.
    expect(settings.handlers.map(({ mayFail }) => mayFail)).toEqual([true]);
  });
});

describe('the notifiers of do-deploy', () => {
  const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

  it('are used by their names, with secrets that nothing shows', async () => {
    const service = await aService();
    const root = createProject({
      ...COMPOSE,
      'config/deploy.yml': deployYml(
        'layers:',
        ...['slack', 'mattermost', 'discord', 'teams'].map((name) => `  ${name}: { webhook: $HOOK }`),
        '  webhook: { url: $HOOK, secret: $HOOK_SECRET }',
        '  email: { smtp: "smtps://me:pass-of-mail@127.0.0.1:9", from: a@example.com, to: [b@example.com] }',
      ),
    });
    const env = { HOOK: service.url, HOOK_SECRET: SECRET };
    const settings = await load(root, { readLayers, env });
    const printed = await raise(settings.handlers, [ROLLOUT.succeeded]);
    expect(printed).toEqual([expect.stringMatching(/^Layer email failed at deploy_succeeded: .*ECONNREFUSED/)]);
    expect(service.received).toHaveLength(5);
    const secrets = settings.secrets.map((secret) => secret.reveal());
    expect(secrets).toEqual(expect.arrayContaining([service.url, SECRET, 'pass-of-mail']));
  });

  it('have 5 seconds for each message, and never stop a rollout', async () => {
    const service = await aService((response) => {
      response.statusCode = 500;
      response.end();
    });
    const root = createProject({
      ...COMPOSE,
      'config/deploy.yml': deployYml('layers: { slack: { webhook: $HOOK } }'),
    });
    const { handlers } = await load(root, { readLayers, env: { HOOK: service.url } });
    expect(handlers.map(({ timeoutMs }) => timeoutMs)).toEqual([5_000, 5_000, 5_000]);
    expect(await raise(handlers, [ROLLOUT.started])).toEqual(['Layer slack failed at deploy: HTTP 500.']);
    for (const name of ['slack', 'mattermost', 'discord', 'teams', 'webhook', 'email']) {
      const layer = (await LAYERS[name]?.())?.default;
      expect({ name, kind: layer?.kind, mayFail: layer?.mayFail }).toEqual({ name, kind: 'notifier', mayFail: true });
    }
  });

  it('have one problem for each variable that is not set', async () => {
    const yaml = deployYml(
      'layers:',
      '  slack: { webhook: $HOOK }',
      '  email: { smtp: "smtp://localhost", from: a@example.com, to: [$TO] }',
    );
    expect(await problemsIn(yaml, { readLayers })).toEqual([
      expect.stringMatching(/^config\/deploy\.yml:4: \$HOOK is not set \(for layers\.slack\.webhook\)/),
      expect.stringMatching(/^config\/deploy\.yml:5: \$TO is not set \(for layers\.email\.to\[0\]\)/),
    ]);
  });

  it('have problems with their place, and without their secrets', async () => {
    const yaml = deployYml(
      'layers:',
      '  slack: { webhook: "ftp://example.com/T0123456/very-secret-token" }',
      '  discord: {}',
      '  teams: { webhook: "https://example.com/x", webhok: x }',
      '  webhook: { url: "https://example.com/x", secret: very-secret-token, events: [deployed] }',
      '  email: { smtp: "very-secret-token", from: a@example.com, to: nobody }',
    );
    const problems = await problemsIn(yaml, { readLayers });
    expect(problems).toEqual([
      expect.stringMatching(
        /^config\/deploy\.yml:4: layers\.slack\.webhook must be an address.*; see docs\/notifiers\.md#slack$/,
      ),
      expect.stringMatching(/^config\/deploy\.yml:5: layers\.discord\.webhook is missing/),
      expect.stringMatching(/^config\/deploy\.yml:6: layers\.teams\.webhok is an unknown key; did you mean webhook\?$/),
      expect.stringMatching(/^config\/deploy\.yml:7: layers\.webhook\.secret must be whsec_/),
      expect.stringMatching(/^config\/deploy\.yml:7: layers\.webhook\.events\.0 must be one of configure/),
      expect.stringMatching(/^config\/deploy\.yml:8: layers\.email\.smtp must be smtps:/),
      expect.stringMatching(/^config\/deploy\.yml:8: layers\.email\.to must be an address/),
    ]);
    for (const part of SECRET_PARTS) expect(problems.filter((text) => text.includes(part))).toEqual([]);
  });
});
