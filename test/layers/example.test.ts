import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { systemClock } from '../../src/adapters/system-clock.js';
import { ProblemList } from '../../src/config/problems.js';
import { Secret } from '../../src/config/secret.js';
import type { WrittenLayer } from '../../src/config/section.js';
import { layerReader } from '../../src/layers/read-layers.js';
import type { HandlerContext, LifecyclePayload } from '../../src/rollout/lifecycle.js';

const root = mkdtempSync(join(tmpdir(), 'do-deploy-layers-'));
afterEach(() => rmSync(join(root, 'deploy'), { recursive: true, force: true }));

/** Reads layers as config/deploy.yml names them. */
async function read(layers: Record<string, unknown>, variables: Record<string, string> = {}) {
  const problems = new ProblemList();
  const hidden: string[] = [];
  const written = Object.entries(layers).map(
    ([name, settings]): WrittenLayer => ({
      name,
      settings,
      place: (...path) => ['deploy.yml', ...path].join(':'),
      isWritten: () => false,
    }),
  );
  const handlers = await layerReader((value) => new Secret(value), systemClock)(written, {
    root,
    problems,
    hide: (secret) => hidden.push(secret.reveal()),
    release: {
      compose: [],
      files: [],
      ownKeys: [],
      declarations: [],
      roles: new Map(),
      secrets: [],
      services: [],
      profiles: [],
    },
    variables: {
      get: (name) => variables[name],
      placeOf: (name) => name,
      howToSet: (name) => `set ${name}`,
      fromFiles: [],
    },
  });
  return {
    handlers,
    hidden,
    problems: problems.isEmpty ? [] : problems.toError('deploy.yml').problems.map(({ message }) => message),
  };
}

const payload = {
  event: 'deploy',
  command: 'deploy',
  app: 'shop',
  environment: 'production',
  release: { id: 'r2', imageTag: 'v2' },
  droplets: ['web-1'],
} as LifecyclePayload;

function contextWith(lines: string[]): HandlerContext {
  return {
    signal: new AbortController().signal,
    startedAt: Date.now(),
    sleep: systemClock.sleep,
    log: (line) => lines.push(line),
    run: async () => ({ code: 0, output: '', done: 'now' }),
    confirm: async () => false,
    process: async () => ({ reached: 0, expected: 0 }),
  };
}

it("docs/layers.md's example works as it stands", async () => {
  const docs = readFileSync(new URL('../../docs/layers.md', import.meta.url), 'utf8');
  const [, path = '', code = ''] = /```ts\n\/\/ (\S+)\n([\s\S]*?)```/.exec(docs) ?? [];
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), code);
  const requests: string[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      requests.push(`${request.method} ${request.url} ${request.headers.authorization} ${body}`);
      response.end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const token = 'statuspage-0123456789';
    const { handlers, hidden, problems } = await read(
      { [`./${path}`]: { page: 'p1', url } },
      { STATUSPAGE_TOKEN: token },
    );
    expect(problems).toEqual([]);
    expect(hidden).toEqual([token]);
    expect(handlers).toMatchObject([{ name: 'layer statuspage', event: 'deploy', priority: 50, timeoutMs: 5_000 }]);
    const lines: string[] = [];
    await handlers[0]?.handle(payload, contextWith(lines));
    expect(requests).toEqual([
      `POST /v1/pages/p1/incidents OAuth ${token} {"incident":{"name":"Deploying shop v2 to production"}}`,
    ]);
    expect(lines).toEqual(['opened an incident']);
  } finally {
    server.close();
  }
});

it('what is wrong with layers is reported together: settings, variables, files, packages and names', async () => {
  mkdirSync(join(root, 'deploy'), { recursive: true });
  writeFileSync(join(root, 'deploy/broken.ts'), 'export default {');
  writeFileSync(join(root, 'deploy/empty.js'), 'export const x = 1;');
  writeFileSync(
    join(root, 'deploy/own.ts'),
    `import { defineLayer, z } from 'do-deploy';
export default defineLayer({ name: 'own', kind: 'notifier', config: z.strictObject({ page: z.string() }), requires: ['A_TOKEN'], on: {} });`,
  );
  writeFileSync(
    join(root, 'deploy/events.ts'),
    `import { defineLayer, z } from 'do-deploy';
export default defineLayer({ name: 'x', kind: 'notifier', config: z.strictObject({}), on: { deployd: () => {} } } as never);`,
  );
  const { handlers, problems } = await read({
    './deploy/own.ts': { pages: 1 },
    './deploy/broken.ts': {},
    './deploy/empty.js': {},
    './deploy/absent.ts': {},
    './deploy/events.ts': {},
    'deploy/own.ts': {},
    '@acme/none': {},
    slak: {},
    constructor: {},
  });
  expect(handlers).toEqual([]);
  const text = problems.join('\n');
  for (const words of [
    '$A_TOKEN is not set (the layer own needs it)',
    'layers../deploy/own.ts.page is missing',
    'layers../deploy/own.ts.pages is an unknown key',
    'layers../deploy/broken.ts cannot be loaded',
    'layers../deploy/empty.js exports a layer without a name',
    'layers../deploy/absent.ts does not exist',
    'layers../deploy/events.ts handles deployd, which is not an event',
    'layers.deploy/own.ts is a file',
    'layers.@acme/none is not installed',
    'layers.slak is not a layer',
    'layers.constructor is not a layer',
  ]) {
    expect(text).toContain(words);
  }
});
