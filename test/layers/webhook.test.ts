import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import webhook from '../../src/layers/webhook.js';
import { LIFECYCLE_EVENTS } from '../../src/rollout/lifecycle.js';
import { aService, notify, type Received, ROLLOUT } from './notified.js';

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
// Raised long before it is sent: handlers before it may have taken their time.
const now = ROLLOUT.failed;

/** What a receiver makes of it; throws when the signature is wrong. */
function verified({ body, headers }: Received, secret = SECRET): unknown {
  return new Webhook(secret).verify(body, headers as Record<string, string>);
}

async function received(payloads = [now], settings: object = {}): Promise<Received[]> {
  const service = await aService();
  expect(await notify(webhook, { url: service.url, secret: SECRET, ...settings }, payloads)).toEqual([]);
  return service.received;
}

describe('a webhook', () => {
  it('gets the whole event, signed as Standard Webhooks does', async () => {
    const [one] = await received();
    expect(one).toMatchObject({ method: 'POST', headers: { 'content-type': 'application/json' } });
    expect(verified(one as Received)).toEqual(JSON.parse(JSON.stringify(now)));
    expect(one?.headers['webhook-id']).toMatch(/^msg_[0-9a-f]{32}$/);
    expect(() => verified(one as Received, `whsec_${Buffer.alloc(32, 8).toString('base64')}`)).toThrow();
    expect(() => verified({ ...(one as Received), body: '{}' })).toThrow();
  });

  it('gets an id of its own with each event', async () => {
    const ids = (await received([now, now])).map(({ headers }) => headers['webhook-id']);
    expect(new Set(ids).size).toBe(2);
  });

  it('gets the start and the endings, unless the settings name others', async () => {
    const all = LIFECYCLE_EVENTS.map((event) => ({ ...now, event }));
    const eventsOf = (some: Received[]) => some.map(({ body }) => JSON.parse(body).event);
    expect(eventsOf(await received(all))).toEqual(['deploy', 'deploy_succeeded', 'deploy_skipped', 'deploy_failed']);
    expect(eventsOf(await received(all, { events: ['after_batch', 'pre_deploy'] }))).toEqual([
      'pre_deploy',
      'after_batch',
    ]);
  });

  it('has taken an event with a 2xx, whatever becomes of the rest of the answer', async () => {
    let requests = 0;
    const service = await aService((response) => {
      requests += 1;
      response.writeHead(200, { 'content-length': '100' });
      response.write('thank');
      setTimeout(() => response.destroy(), 50);
    });
    expect(await notify(webhook, { url: service.url, secret: SECRET }, [now])).toEqual([]);
    expect(requests).toBe(1);
  });

  it('is tried once more after a 5xx, with the same id', async () => {
    let requests = 0;
    const service = await aService((response) => {
      requests += 1;
      response.statusCode = requests === 1 ? 503 : 204;
      response.end();
    });
    expect(await notify(webhook, { url: service.url, secret: SECRET }, [now])).toEqual([]);
    const [first, second] = service.received;
    expect(service.received).toHaveLength(2);
    expect(second?.headers['webhook-id']).toBe(first?.headers['webhook-id']);
    expect(verified(second as Received)).toEqual(verified(first as Received));
  });

  it('is tried once more after a lost connection', async () => {
    let requests = 0;
    const service = await aService((response) => {
      requests += 1;
      if (requests === 1) response.destroy();
      else response.end();
    });
    expect(await notify(webhook, { url: service.url, secret: SECRET }, [now])).toEqual([]);
    expect(requests).toBe(2);
  });

  it.each([
    [500, 2],
    [400, 1],
    [410, 1],
  ])('that always answers %i gets %i requests', async (status, requests) => {
    const service = await aService((response) => {
      response.statusCode = status;
      response.end('no');
    });
    const printed = await notify(webhook, { url: service.url, secret: SECRET }, [now]);
    expect(printed).toEqual([`Layer webhook failed at deploy_failed: HTTP ${status}: no.`]);
    expect(service.received).toHaveLength(requests);
  });

  it.each(['', 'whsec_', 'whsec_c2hvcnQ=', 'not-a-secret', `whsec_${'A'.repeat(200)}`, 7])(
    'refuses %j as a secret, without repeating it',
    async (secret) => {
      const { error } = await webhook.config.safeParseAsync({ url: 'https://example.com', secret });
      const message = expect.stringMatching(/^must be whsec_ followed by 24 to 64 random bytes in base64: echo /);
      expect(error?.issues).toEqual([expect.objectContaining({ path: ['secret'], message })]);
    },
  );

  it('refuses an unknown event', async () => {
    const settings = { url: 'https://example.com', secret: SECRET, events: ['deployed'] };
    const { error } = await webhook.config.safeParseAsync(settings);
    expect(error?.issues[0]?.message).toMatch(/^must be one of configure, pre_deploy, deploy, /);
  });
});
