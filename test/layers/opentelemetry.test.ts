import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import opentelemetry from '../../src/layers/opentelemetry.js';
import type { DeployEvent, DeployEventBody, Step } from '../../src/rollout/model.js';
import { EXPORT_TRACE_REQUEST } from './otlp-schema.js';
import { COMMIT, layerWith, problemsWith, startService } from './service.js';

const isExportRequest = new Ajv2020({ strict: true, strictRequired: false }).compile(EXPORT_TRACE_REQUEST);

interface ShownSpan {
  name: string;
  parent?: string;
  /** Seconds after 07:45:00. */
  from: number;
  to: number;
  error?: string;
  attributes: Record<string, string>;
}

async function setup(settings: object = {}, ...answers: Parameters<typeof startService>) {
  const { url, requests } = await startService(...answers);
  const layer = await layerWith(opentelemetry, { endpoint: url, ...settings });
  const onEvent = layer.handlers[0]?.layer?.onEvent;
  const see = (seconds: number, body: DeployEventBody) =>
    onEvent?.({ schema: 2, at: atSecond(seconds), ...body } as DeployEvent);
  const step = (name: Step, droplet: string, from: number, to: number) => {
    see(from, { type: 'step-started', droplet, step: name });
    see(to, { type: 'step-finished', droplet, step: name, ms: (to - from) * 1_000 });
  };
  return { ...layer, requests, see, step, spans: () => spansIn(requests.at(-1)?.body) };
}

const START = Date.parse('2026-11-21T07:45:00.000Z');
const atSecond = (seconds: number) => new Date(START + seconds * 1_000).toISOString();

// biome-ignore lint/suspicious/noExplicitAny: it was checked against the schema
function spansIn(body: any): ShownSpan[] {
  expect(isExportRequest(body), JSON.stringify(isExportRequest.errors)).toBe(true);
  const [{ scopeSpans }] = body.resourceSpans;
  const { spans } = scopeSpans[0];
  expect(new Set(spans.map((span: { traceId: string }) => span.traceId)).size).toBe(1);
  const names = new Map<string, string>(
    spans.map((span: { spanId: string; name: string }) => [span.spanId, span.name]),
  );
  expect(names.size, 'each span has an id of its own').toBe(spans.length);
  const seconds = (nanoseconds: string) => Number(BigInt(nanoseconds) / 1_000_000n - BigInt(START)) / 1_000;
  return spans.map((span: Record<string, string> & { status?: { code: number; message: string } }) => ({
    name: span.name,
    ...(span.parentSpanId && { parent: names.get(span.parentSpanId) ?? 'unknown' }),
    from: seconds(span.startTimeUnixNano ?? ''),
    to: seconds(span.endTimeUnixNano ?? ''),
    ...(span.status && { error: `${span.status.code} ${span.status.message}` }),
    attributes: attributesIn(span.attributes),
  }));
}

function attributesIn(attributes: unknown): Record<string, string> {
  const pairs = attributes as { key: string; value: Record<string, string> }[];
  return Object.fromEntries(pairs.map(({ key, value }) => [key, Object.values(value)[0] ?? '']));
}

const bare = (spans: ShownSpan[]) => spans.map(({ attributes: _, ...span }) => span);

describe('opentelemetry', () => {
  it('sends one trace with the phases, droplets, steps and layers of the run, when it has ended', async () => {
    const { see, step, raise, requests, spans } = await setup({ headers: { authorization: 'Bearer abc', 'x-a': '1' } });
    see(1, { type: 'phase-started', phase: 'stage' });
    step('pull', 'web-1', 2, 8);
    step('pull', 'web-2', 2, 9);
    see(10, { type: 'phase-started', phase: 'roll' });
    see(10, { type: 'layer-started', name: 'layer migrate', event: 'deploy' });
    see(12, { type: 'layer-finished', name: 'layer migrate', event: 'deploy', ms: 2_000 });
    step('switch', 'web-1', 12, 14);
    step('health', 'web-1', 14, 20);
    see(21, { type: 'phase-started', phase: 'finish' });
    see(150, { type: 'layer-started', name: 'layer opentelemetry', event: 'deploy_succeeded' });
    expect(requests).toEqual([]);
    await raise('deploy_succeeded', { url: 'https://ci.example.com/7' });
    expect(requests).toMatchObject([
      {
        method: 'POST',
        path: '/v1/traces',
        headers: { 'content-type': 'application/json', authorization: 'Bearer abc', 'x-a': '1' },
      },
    ]);
    expect(bare(spans())).toEqual([
      { name: 'RUN deploy shop', from: 0, to: 151 },
      { name: 'stage', parent: 'RUN deploy shop', from: 1, to: 10 },
      { name: 'web-1', parent: 'stage', from: 2, to: 8 },
      { name: 'pull', parent: 'web-1', from: 2, to: 8 },
      { name: 'web-2', parent: 'stage', from: 2, to: 9 },
      { name: 'pull', parent: 'web-2', from: 2, to: 9 },
      { name: 'roll', parent: 'RUN deploy shop', from: 10, to: 21 },
      { name: 'layer migrate at deploy', parent: 'roll', from: 10, to: 12 },
      { name: 'web-1', parent: 'roll', from: 12, to: 20 },
      { name: 'switch', parent: 'web-1', from: 12, to: 14 },
      { name: 'health', parent: 'web-1', from: 14, to: 20 },
      { name: 'finish', parent: 'RUN deploy shop', from: 21, to: 151 },
    ]);
  });

  it('describes the run and its tasks by the semantic conventions', async () => {
    const { see, step, raise, requests, spans } = await setup({ service_name: 'deploys' });
    see(1, { type: 'phase-started', phase: 'roll' });
    step('switch', 'web-1', 2, 3);
    await raise('deploy_succeeded', { url: 'https://ci.example.com/7' });
    const [{ resource, scopeSpans }] = requests[0]?.body.resourceSpans ?? [];
    const trace = scopeSpans[0].spans[0].traceId;
    expect(scopeSpans[0].spans.map(({ kind }: { kind: number }) => kind)).toEqual([2, 1, 1, 1]);
    expect(attributesIn(resource.attributes)).toEqual({
      'service.name': 'deploys',
      'deployment.environment.name': 'production',
      'deployment.id': '20261121T074500Z-v2',
      'deployment.name': 'shop',
      'cicd.pipeline.name': 'deploy shop',
      'cicd.pipeline.run.id': trace,
      'cicd.pipeline.run.url.full': 'https://ci.example.com/7',
      'vcs.ref.head.revision': COMMIT,
    });
    const [root, , droplet, task] = spans();
    expect(root?.attributes).toMatchObject({
      'cicd.pipeline.result': 'success',
      'do_deploy.image_tag': 'v2',
      'do_deploy.droplets': '2',
    });
    expect(droplet?.attributes).toEqual({ 'host.name': 'web-1' });
    expect(task?.attributes).toEqual({
      'cicd.pipeline.task.name': 'switch',
      'cicd.pipeline.task.run.id': scopeSpans[0].spans[3].spanId,
      'cicd.pipeline.task.run.result': 'success',
      'cicd.pipeline.task.run.url.full': 'https://ci.example.com/7',
      'host.name': 'web-1',
    });
  });

  it('gives failed spans the message and the code of their error', async () => {
    const { see, raise, spans } = await setup();
    see(1, { type: 'phase-started', phase: 'roll' });
    see(2, { type: 'step-started', droplet: 'web-2', step: 'health' });
    const error = { code: 'unhealthy', message: 'app exited 137: out of memory.', source: 'external' } as const;
    see(4, { type: 'step-failed', droplet: 'web-2', step: 'health', ms: 2_000, error });
    see(5, { type: 'step-started', droplet: 'web-2', step: 'evidence' });
    await raise('deploy_failed');
    expect(bare(spans())).toEqual([
      { name: 'RUN deploy shop', from: 0, to: 151, error: '2 Not healthy within 120 s.' },
      { name: 'roll', parent: 'RUN deploy shop', from: 1, to: 151 },
      { name: 'web-2', parent: 'roll', from: 2, to: 4, error: '2 app exited 137: out of memory.' },
      { name: 'health', parent: 'web-2', from: 2, to: 4, error: '2 app exited 137: out of memory.' },
      { name: 'evidence', parent: 'web-2', from: 5, to: 151, error: '2 The run ended before this did.' },
    ]);
    expect(spans()[0]?.attributes).toMatchObject({ 'cicd.pipeline.result': 'failure', 'error.type': 'health-timeout' });
    expect(spans()[3]?.attributes).toMatchObject({ 'error.type': 'unhealthy' });
  });

  it.each([
    ['deploy_skipped', 'skipped', 'skip'],
    ['deploy_failed', 'interrupted', 'cancellation'],
  ] as const)('at %s, a run that was %s is no error', async (event, outcome, result) => {
    const { raise, spans } = await setup();
    const release = { id: '', imageTag: '' };
    await raise(event, { release, result: { outcome, release, rows: [], durationMs: 1, summary: '' } });
    expect(spans()).toMatchObject([{ name: 'RUN deploy shop', attributes: { 'cicd.pipeline.result': result } }]);
    expect(spans()[0]).not.toHaveProperty('error');
  });

  it('begins another trace with the next run', async () => {
    const { see, step, raise, requests, spans } = await setup();
    step('pull', 'web-1', 1, 2);
    await raise('deploy_failed');
    const result = {
      outcome: 'failed',
      release: { id: '', imageTag: '' },
      rows: [],
      durationMs: 1,
      summary: '',
    } as const;
    see(151, { type: 'rollout-finished', result: { ...result, rows: [] } });
    await raise('deploy_succeeded');
    expect(spans()).toHaveLength(1);
    const traces = requests.map(({ body }) => body.resourceSpans[0].scopeSpans[0].spans[0].traceId);
    expect(new Set(traces).size).toBe(2);
  });

  it('is bounded, and keeps every text to one short line', async () => {
    const { step, raise, spans } = await setup();
    for (let index = 0; index < 6_000; index += 1) step('pull', `web ${index}\u001b[2J\n${'x'.repeat(2_000)}`, 1, 2);
    await raise('deploy_succeeded');
    const all = spans();
    expect(all).toHaveLength(5_001);
    expect(all[0]?.attributes['do_deploy.dropped_spans']).toBe('7000');
    expect(all[1]?.name).toMatch(/^web 0 x+…$/);
    expect(all[1]?.name).toHaveLength(500);
  });

  it('warns when the collector has refused some of the spans', async () => {
    const body = '{"partialSuccess":{"rejectedSpans":"3","errorMessage":"too old\\u001b[2J\\n::error::x"}}';
    const { raise, logged } = await setup({}, { body });
    await raise('deploy_succeeded');
    expect(logged).toEqual(['warning: the collector refused 3 spans: too old ::error::x']);
  });

  it.each(['', 'null', '[]', '{"partialSuccess":null}', '{"partialSuccess":{"rejectedSpans":"0"}}', 'ok'])(
    'takes %j for a success',
    async (body) => {
      const { raise, logged } = await setup({}, { body });
      await raise('deploy_succeeded');
      expect(logged).toEqual([]);
    },
  );

  it.each(['', '/', '/v1/traces', '/v1/traces/'])(
    'sends to /v1/traces once when the address ends in "%s"',
    async (end) => {
      const { url, requests } = await startService();
      const { raise } = await layerWith(opentelemetry, { endpoint: `${url}/otlp${end}` });
      await raise('deploy_succeeded');
      expect(requests.map(({ path }) => path)).toEqual(['/otlp/v1/traces']);
    },
  );

  it('says what is wrong with its settings', () => {
    expect(problemsWith(opentelemetry, { endpoint: 'http://localhost:4318/' })).toEqual([]);
    expect(problemsWith(opentelemetry, { endpoint: 'localhost:4318' })).toEqual([
      'endpoint must be an address that begins with https:// or http://, without a user, a password and a query',
    ]);
    expect(problemsWith(opentelemetry, { endpoint: 'http://a', headers: { 'a b': 'x' } })).toEqual([
      'headers must be a map of headers, each with a name of letters a-z, digits and -',
    ]);
    expect(problemsWith(opentelemetry, { endpoint: 'http://a', headers: { a: 'x\r\ny: z' } })).toEqual([
      'headers.a must be the value of a header: ASCII text, in one line',
    ]);
  });
});
