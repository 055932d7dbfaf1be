/** What the layers of services do when a service misbehaves. */
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { raiseEvent } from '../../src/deploy/core/raise-event.js';
import datadog from '../../src/layers/datadog.js';
import grafana from '../../src/layers/grafana.js';
import opentelemetry from '../../src/layers/opentelemetry.js';
import sentry from '../../src/layers/sentry.js';
import { CollectingReporter } from '../support/collecting-reporter.js';
import { VirtualClock } from '../support/virtual-clock.js';
import { type AnyLayer, endless, layerWith, payloadOf, startService } from './service.js';

const SECRET = 'hunter22-0123456789abcdef';

const SERVICES: [string, AnyLayer, (url: string) => object][] = [
  ['Sentry', sentry, (url) => ({ org: 'acme', project: 'shop', token: SECRET, url })],
  ['Datadog', datadog, (url) => ({ api_key: SECRET, url })],
  ['Grafana', grafana, (url) => ({ url, token: SECRET })],
  ['OpenTelemetry', opentelemetry, (endpoint) => ({ endpoint, headers: { authorization: `Bearer ${SECRET}` } })],
];

/** The message with which it fails. */
async function failure(layer: AnyLayer, settings: object): Promise<string> {
  const { raise } = await layerWith(layer, settings);
  const error = await raise('deploy_succeeded').then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error, 'it fails').toBeInstanceOf(Error);
  return (error as Error).message;
}

describe.each(SERVICES)('%s', (name, layer, settingsFor) => {
  it('names itself, the status and the first words of an answer, cleaned and without the token', async () => {
    const words = `\u001b]0;evil\u0007 no\n::error::such \u202ekey ${SECRET} Bearer ${SECRET} ${'x'.repeat(1_000)}`;
    const { url } = await startService({ status: 500, body: words });
    const message = await failure(layer, settingsFor(url));
    expect(message).toMatch(new RegExp(`^${name} answered 500: no ::error::such key \\[secret\\] .*…$`));
    expect(message.length).toBeLessThan(260);
    expect(message).not.toContain(SECRET);
  });

  it('says that an empty answer was an error', async () => {
    const { url } = await startService({ status: 401, body: '' });
    expect(await failure(layer, settingsFor(url))).toBe(`${name} answered 401`);
  });

  it('follows no redirect', async () => {
    const other = await startService();
    const { url } = await startService({ status: 307, body: '', headers: { location: other.url } });
    const message = await failure(layer, settingsFor(url));
    expect(message).toBe(`${name} answered 307 (a redirect, which is not followed)`);
    expect(other.requests).toEqual([]);
  });

  it.each([200, 500])('reads only the beginning of an answer that never ends, with status %d', async (status) => {
    const { url } = await startService(endless(status, 'y'.repeat(16_384)));
    const { raise } = await layerWith(layer, settingsFor(url));
    const end = raise('deploy_succeeded');
    if (status === 200) await end;
    else await expect(end).rejects.toThrow(`${name} answered 500: yyyy`);
  });

  it('says the status and the first words of a refusal whose text never ends', async () => {
    const { url } = await startService((to) => to.writeHead(503).write('back soon'));
    expect(await failure(layer, settingsFor(url))).toBe(`${name} answered 503: back soon`);
  });

  it('says that the service cannot be reached', async () => {
    const closed = createServer();
    await new Promise<void>((done) => closed.listen(0, '127.0.0.1', done));
    const { port } = closed.address() as { port: number };
    await new Promise((done) => closed.close(done));
    const message = await failure(layer, settingsFor(`http://127.0.0.1:${port}`));
    expect(message).toBe(`${name} did not answer: connect ECONNREFUSED 127.0.0.1:${port}`);
  });

  it('says that the connection was closed', async () => {
    const { url } = await startService((to) => to.destroy());
    expect(await failure(layer, settingsFor(url))).toMatch(new RegExp(`^${name} did not answer: [\\w -]+$`));
  });

  it('is given up after its time when the service hangs, and the rollout continues', async () => {
    const { url } = await startService(() => {});
    const { handlers } = await layerWith(layer, settingsFor(url));
    const clock = new VirtualClock({ realIo: true });
    const reporter = new CollectingReporter();
    const never = new AbortController().signal;
    const unused = async () => undefined as never;
    const verbs = { run: unused, process: unused, confirm: unused };
    for (const event of ['deploy', 'deploy_succeeded'] as const) {
      await clock.run(raiseEvent({ clock, reporter }, handlers, payloadOf(event), verbs, never));
    }
    const layerName = `Layer ${layer.name}`;
    const begins = layer === opentelemetry ? [] : [`${layerName} failed at deploy: it did not finish within 30 s.`];
    expect(reporter.of('notice').map(({ message }) => message)).toEqual([
      ...begins,
      `${layerName} failed at deploy_succeeded: it did not finish within 30 s.`,
    ]);
  });
});
