import { inspect } from 'node:util';
import nock from 'nock';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  cloudOn,
  deadAddress,
  errorBody,
  failureOf,
  HOST,
  LB_ID,
  localServer,
  TOKEN,
} from './digitalocean-fixtures.js';

beforeEach(() => {
  nock.disableNetConnect();
  nock.enableNetConnect('127.0.0.1');
});
afterEach(() => {
  nock.cleanAll();
  nock.enableNetConnect();
});

const path = `/v2/load_balancers/${LB_ID}`;
const answering = (status: number, body: nock.Body, headers?: nock.ReplyHeaders) => () =>
  nock(HOST).get(path).reply(status, body, headers).persist();

/** Every way in which a read can fail; some servers echo what they were sent. */
const FAILURES: Record<string, () => unknown> = {
  '401': answering(401, errorBody('unauthorized', 'Unable to authenticate you')),
  '401 that echoes': answering(401, { ...errorBody('unauthorized', `Bad token ${TOKEN}`), request_id: TOKEN }),
  '403': answering(403, errorBody('forbidden', `not with ${TOKEN}`)),
  '403 busy': answering(403, errorBody('forbidden', `processes previous actions ${TOKEN}`)),
  '404': answering(404, errorBody('not_found', TOKEN), { 'x-request-id': TOKEN }),
  '422': answering(422, errorBody('unprocessable_entity', TOKEN)),
  '429': answering(429, errorBody('too_many_requests', TOKEN), { 'retry-after': '60' }),
  '500': answering(500, errorBody('server_error', TOKEN)),
  'a page': answering(200, `<html>Authorization: ${TOKEN}</html>`),
  'a wrong shape': answering(200, { load_balancer: { id: TOKEN, status: TOKEN } }),
  'a redirect': () => {
    nock(HOST)
      .get(path)
      .reply(302, '', { location: `https://elsewhere.example/?${TOKEN}` });
    nock('https://elsewhere.example').get('/').query(true).reply(200, TOKEN);
  },
  'a broken connection': () =>
    nock(HOST)
      .get(path)
      .times(5)
      .replyWithError(Object.assign(new Error(`hang up on ${TOKEN}`), { code: 'ECONNRESET' })),
  'an error without code': () =>
    nock(HOST)
      .get(path)
      .times(5)
      .replyWithError(new Error(`what is ${TOKEN}?`)),
};

/** All that a log, a debugger or a crash report could take from an error. */
function everythingIn(error: Error): string {
  const hidden = { depth: 20, showHidden: true, getters: true };
  return [
    inspect(error, hidden),
    inspect(error.cause, hidden),
    JSON.stringify(error),
    JSON.stringify(error, Object.getOwnPropertyNames(error)),
    String(error),
    error.stack,
  ].join('\n');
}

function expectNoToken(text: string): void {
  expect(text).not.toContain(TOKEN);
  expect(text).not.toContain('Bearer');
  expect(text).not.toContain('Axios');
}

it.each(Object.keys(FAILURES))('the token appears nowhere after %s', async (name) => {
  FAILURES[name]?.();
  const { cloud, clock, traces } = cloudOn();
  const { error } = await failureOf(clock, cloud.getLoadBalancer(LB_ID));
  expect(error.cause).toBeUndefined();
  expectNoToken(everythingIn(error));
  expectNoToken(JSON.stringify(error.info()));
  expectNoToken(traces.join('\n'));
});

it('the token appears nowhere after a timeout, a lost reply or a refused connection', async () => {
  const silent = await localServer(() => {});
  const rude = await localServer((_, response) => response.destroy());
  try {
    for (const apiUrl of [silent.apiUrl, rude.apiUrl, await deadAddress()]) {
      const { cloud, clock } = cloudOn({ apiUrl, requestTimeoutMs: 100 });
      expectNoToken(everythingIn((await failureOf(clock, cloud.addDroplets(LB_ID, [1]))).error));
      expectNoToken(inspect(cloud, { depth: 20, showHidden: true }));
    }
  } finally {
    await silent.close();
    await rude.close();
  }
});

it('a message from a server cannot move the cursor or fill the screen', async () => {
  const message = `\u001b[2Jgone\r\n${'x'.repeat(5_000)}`;
  nock(HOST).get(path).reply(404, errorBody('not_found', message));
  const { cloud, clock } = cloudOn();
  const { error } = await failureOf(clock, cloud.getLoadBalancer(LB_ID));
  expect(error.message).toMatch(/^[\x20-\x7e…]+$/);
  expect(error.message.length).toBeLessThan(500);
});
