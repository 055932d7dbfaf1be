/** A deploy that tells every notifier, also one that hangs, through servers on loopback. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import { aMailServer } from '../layers/mail-server.js';
import { aService, type Received } from '../layers/notified.js';
import { SandboxFleet } from './sandbox-fleet.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

/** How long notifiers may take, in ms: twice for each of two events. */
const HANGS_MS = 2 * 5_000;

let fleet: SandboxFleet;
beforeAll(async () => {
  fleet = await SandboxFleet.start({ droplets: 2 });
  await fleet.deployFirst('v1');
});
afterAll(() => fleet.stop());

function useLayers(layers: object): void {
  const file = join(fleet.folder, 'config/deploy.yml');
  writeFileSync(file, stringify({ ...(parse(readFileSync(file, 'utf8')) as object), layers }));
}

const textOf = ({ body }: Received) => body.replaceAll('\\n', ' ');

it('each hears of the beginning and the end; one that hangs only costs its timeout', async () => {
  const chats = { slack: await aService(), mattermost: await aService(), teams: await aService() };
  const discord = await aService((response) => response.end('{"id":"7"}'));
  const hook = await aService();
  // It accepts the request and never answers.
  const hanging = await aService(() => {});
  const { mails, smtp } = await aMailServer();
  const own = `import { defineLayer, z } from 'do-deploy';
const tell = async (_: unknown, { config, fetch }: { config: { url: string }; fetch: typeof globalThis.fetch }) => {
  await fetch(config.url, { method: 'POST' });
};
export default defineLayer({
  name: 'hanging',
  kind: 'notifier',
  mayFail: true,
  config: z.strictObject({ url: z.string() }),
  on: { deploy: tell, deploy_succeeded: tell },
});
`;
  writeFileSync(join(fleet.folder, 'hanging.ts'), own);
  useLayers({
    ...Object.fromEntries(Object.entries(chats).map(([name, { url }]) => [name, { webhook: url }])),
    discord: { webhook: discord.url },
    webhook: { url: hook.url, secret: SECRET },
    email: { smtp, from: 'deploys@example.com', to: 'ops@example.com' },
    './hanging.ts': { url: hanging.url },
  });

  const load = fleet.load();
  const end = await fleet.run(['deploy', 'sandbox', 'v2', '--yes', '--json']);
  expect(await load.stop()).toMatchObject({ failed: 0, failures: [] });
  expect(end).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });

  for (const [name, { received }] of Object.entries(chats)) {
    expect(
      received.map(({ method }) => method),
      name,
    ).toEqual(['POST', 'POST']);
    expect(
      received.map(textOf).every((text) => text.includes('shop') && text.includes('v2')),
      name,
    ).toBe(true);
  }
  expect(
    discord.received.map(({ method }) => method),
    'one message, edited',
  ).toEqual(['POST', 'PATCH']);
  const told = hook.received.map(({ body, headers }) => {
    return new Webhook(SECRET).verify(body, headers as Record<string, string>) as { event: string };
  });
  expect(told.map(({ event }) => event)).toEqual(['deploy', 'deploy_succeeded']);
  expect(mails.map(({ to }) => to)).toEqual([['ops@example.com'], ['ops@example.com']]);

  expect(hanging.received).toHaveLength(2);
  const took = end.events.flatMap((one) =>
    one.type === 'layer-finished' && one.name === 'layer hanging' ? one.ms : [],
  );
  expect(took).toHaveLength(2);
  expect(took.reduce((sum, ms) => sum + ms, 0)).toBeLessThan(HANGS_MS + 2_000);
  const warnings = end.events.flatMap((one) => (one.type === 'notice' && one.level === 'warning' ? one.message : []));
  expect(warnings).toEqual([
    'Layer hanging failed at deploy: it did not finish within 5 s.',
    'Layer hanging failed at deploy_succeeded: it did not finish within 5 s.',
  ]);
  expect(end.stdout + end.stderr).not.toContain('very-secret-token');
});
