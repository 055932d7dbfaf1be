/** What the notifiers that speak HTTP have in common: bounds, errors and secrecy. */
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import discord from '../../src/layers/discord.js';
import mattermost from '../../src/layers/mattermost.js';
import slack from '../../src/layers/slack.js';
import teams from '../../src/layers/teams.js';
import webhook from '../../src/layers/webhook.js';
import { aService, notify, ROLLOUT, SECRET_PARTS } from './notified.js';

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

const LAYERS = [
  { layer: slack, settings: (url: string) => ({ webhook: url }) },
  { layer: mattermost, settings: (url: string) => ({ webhook: url }) },
  { layer: discord, settings: (url: string) => ({ webhook: url }) },
  { layer: teams, settings: (url: string) => ({ webhook: url }) },
  { layer: webhook, settings: (url: string) => ({ url, secret: SECRET }) },
].map((one) => ({ ...one, name: one.layer.name }));

function expectSecret(texts: readonly string[]): void {
  for (const part of SECRET_PARTS) expect(texts.filter((text) => text.includes(part))).toEqual([]);
}

describe.each(LAYERS)('the notifier $name', ({ layer, settings }) => {
  const ending = [ROLLOUT.failed];

  it('says with which status and words a message was refused, and not to which address', async () => {
    const service = await aService((response, { path }) => {
      response.statusCode = 404;
      response.end(`<h1>Cannot POST ${path}\u001b[2J</h1>\n`);
    });
    const printed = await notify(layer, settings(service.url), ending);
    expect(printed).toEqual([
      expect.stringMatching(
        /^Layer \w+ failed at deploy_failed: HTTP 404: <h1>Cannot POST \[secret\](\?wait=true)?<\/h1>\.$/,
      ),
    ]);
    expectSecret(printed);
  });

  it('follows no redirect', async () => {
    const other = await aService();
    const service = await aService((response) => response.writeHead(307, { location: other.url }).end());
    const printed = await notify(layer, settings(service.url), ending);
    expect(printed).toEqual([expect.stringContaining('HTTP 307: redirects are not followed')]);
    expect(other.received).toEqual([]);
  });

  it('reads no more than 64 KiB of an answer', { timeout: 30_000 }, async () => {
    let sent = 0;
    const service = await aService((response) => {
      response.statusCode = 400;
      const more = () => {
        while (!response.destroyed && response.write('x'.repeat(16_384))) sent += 16_384;
      };
      response.on('drain', more);
      more();
    });
    const printed = await notify(layer, settings(service.url), ending);
    expect(printed).toEqual([expect.stringMatching(/HTTP 400: x{199}…\.$/)]);
    // Buffers of both ends are filled as well.
    expect(sent).toBeLessThan(32 * 1024 * 1024);
  });

  it('gives up when its time is over', async () => {
    let closed = () => {};
    const gone = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const service = await aService((response) => response.on('close', closed));
    const printed = await notify(layer, settings(service.url), ending, 500);
    expect(printed).toEqual([expect.stringContaining('failed at deploy_failed: it did not finish within 0.5 s.')]);
    // On a busy machine the request may not have arrived.
    if (service.received.length > 0) await gone;
  });

  it('gives up when an answer trickles', async () => {
    const service = await aService((response) => {
      response.write('{');
    });
    const printed = await notify(layer, settings(service.url), ending, 300);
    expect(printed).toEqual([expect.stringContaining('it did not finish within 0.3 s')]);
  });

  it.each<[how: string, end: (response: ServerResponse) => void]>([
    ['never ends', () => {}],
    ['breaks off', (response) => setTimeout(() => response.destroy(), 100)],
  ])('says the status and the first words of a refusal whose text %s', async (_, end) => {
    const service = await aService((response) => {
      response.statusCode = 410;
      response.write('gone away');
      end(response);
    });
    const printed = await notify(layer, settings(service.url), ending);
    expect(printed).toEqual([expect.stringContaining('HTTP 410: gone away.')]);
  });

  it('names the reason when nothing listens', async () => {
    const server = createServer();
    const port = await new Promise<number>((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
    });
    await new Promise((resolve) => server.close(resolve));
    const printed = await notify(layer, settings(`http://127.0.0.1:${port}/T0123456/very-secret-token`), ending);
    expect(printed).toEqual([expect.stringContaining('no connection (ECONNREFUSED)')]);
    expectSecret(printed);
  });

  it('names the reason when the server hangs up', async () => {
    const server = createServer((socket) => socket.once('data', () => socket.destroy()));
    onTestFinished(() => void server.close());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const printed = await notify(layer, settings(`http://127.0.0.1:${port}/very-secret-token`), ending);
    expect(printed).toEqual([expect.stringMatching(/no connection \([A-Z_]+\)/)]);
  });

  it.each(['ftp://example.com/x', 'hooks.slack.com/services/x', 'https://me:pass@example.com/x', '', 7])(
    'refuses %j as an address, without repeating it',
    async (url) => {
      const { success, error } = await layer.config.safeParseAsync(settings(url as string));
      expect(success).toBe(false);
      expect(error?.issues.map(({ message }) => message)).toEqual([
        'must be an address that begins with https:// (or http://), without user and password',
      ]);
    },
  );
});

describe('messages', () => {
  it.each(LAYERS.slice(0, 4))('of $name are not sent when nothing was to be done', async ({ layer, settings }) => {
    const service = await aService();
    expect(await notify(layer, settings(service.url), [ROLLOUT.skipped])).toEqual([]);
    expect(service.received).toEqual([]);
  });
});
