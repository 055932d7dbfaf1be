/** A deploy that reports to services on loopback, once its checklist is confirmed. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import { EXPORT_TRACE_REQUEST } from '../layers/otlp-schema.js';
import { startService } from '../layers/service.js';
import { SandboxFleet } from './sandbox-fleet.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const TOKENS = {
  SENTRY: 'sntrys_0123456789abcdef',
  DD: 'dd-0123456789abcdef',
  GRAFANA: 'glsa_fedcba98',
  OTLP: 'otlp_0011223344556677',
};

let fleet: SandboxFleet;
let before: string;
beforeAll(async () => {
  fleet = await SandboxFleet.start({ droplets: 2 });
  before = commitAll('-c', 'init.defaultBranch=main', 'init', '--quiet');
  await fleet.deployFirst('v1');
});
afterAll(() => fleet.stop());

/** The hash of a commit of all files, after this command. */
function commitAll(...first: string[]): string {
  const git = (...words: string[]) => execFileSync('git', words, { cwd: fleet.folder, encoding: 'utf8' }).trim();
  if (first.length > 0) git(...first);
  git('add', '--all');
  git('-c', 'user.name=Ann', '-c', 'user.email=ann@example.com', 'commit', '--quiet', '--message', 'Next');
  return git('rev-parse', 'HEAD');
}

function useLayers(url: string): void {
  const file = join(fleet.folder, 'config/deploy.yml');
  const layers = {
    checklist: [{ name: 'db-snapshot', ask: 'Snapshot taken?' }],
    sentry: { org: 'acme', project: 'shop', token: '$SENTRY', url, repository: 'acme/shop' },
    datadog: { api_key: '$DD', url },
    grafana: { url, token: '$GRAFANA' },
    opentelemetry: { endpoint: url, headers: { authorization: 'Bearer $OTLP' } },
  };
  writeFileSync(file, stringify({ ...(parse(readFileSync(file, 'utf8')) as object), layers }));
}

it('tells each service of its beginning and its end, with every step in the trace', async () => {
  const { url, requests } = await startService({ body: '{"id":17}' });
  const calls = () => requests.splice(0).map(({ method, path, body }) => ({ call: `${method} ${path}`, body }));
  useLayers(url);
  const commit = commitAll();
  const run = (...words: string[]) => fleet.run([...words, '--json'], { env: TOKENS });

  const refused = await run('deploy', 'sandbox', 'v2', '--yes');
  expect(refused).toMatchObject({
    code: 2,
    result: {
      outcome: 'failed',
      error: {
        code: 'layer-failed',
        message: 'db-snapshot is not confirmed, and no user can be asked.',
        hint: 'Run again with: do-deploy deploy sandbox v2 --yes --json --confirm db-snapshot',
      },
    },
  });
  expect(calls().map(({ call }) => call)).toEqual(['POST /api/v1/events', 'POST /api/annotations', 'POST /v1/traces']);

  const deployed = await run('deploy', 'sandbox', 'v2', '--yes', '--confirm', 'db-snapshot');
  expect(deployed, deployed.stderr).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
  const sent = calls();
  expect(sent.map(({ call }) => call)).toEqual([
    'POST /api/0/organizations/acme/releases/',
    'POST /api/v1/events',
    'POST /api/annotations',
    'POST /api/0/organizations/acme/releases/v2/deploys/',
    'PUT /api/0/organizations/acme/releases/v2/',
    'POST /api/v1/events',
    'PATCH /api/annotations/17',
    'POST /v1/traces',
  ]);
  expect(sent[0]?.body).toEqual({
    version: 'v2',
    projects: ['shop'],
    ref: commit,
    refs: [{ repository: 'acme/shop', commit, previousCommit: before }],
  });
  const trace = sent.at(-1)?.body;
  const isExportRequest = new Ajv2020({ strict: true, strictRequired: false }).compile(EXPORT_TRACE_REQUEST);
  expect(isExportRequest(trace), JSON.stringify(isExportRequest.errors)).toBe(true);
  const spans = trace.resourceSpans[0].scopeSpans[0].spans as { name: string; status?: object }[];
  const names = spans.map(({ name }) => name);
  for (const name of ['discover', 'lease', 'stage', 'roll', 'finish', 'web-1', 'web-2', 'upload', 'switch', 'settle']) {
    expect(names).toContain(name);
  }
  expect(names).toContain('layer checklist at pre_deploy');
  expect(spans.filter(({ status }) => status !== undefined)).toEqual([]);

  const history = await run('history', 'sandbox');
  expect(history.events.map((entry) => (entry as unknown as { confirmed?: string[] }).confirmed)).toEqual([
    ['db-snapshot'],
    undefined,
  ]);
  const printed = [refused, deployed, history].map(({ stdout, stderr }) => stdout + stderr).join('');
  const bodies = JSON.stringify(sent);
  for (const token of Object.values(TOKENS)) {
    expect(printed.includes(token)).toBe(false);
    expect(bodies.includes(token)).toBe(false);
  }
});
