/** What notifiers are tested with: rollouts as events, and a server on this machine that notes what it receives. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { expect, onTestFinished } from 'vitest';
import { systemClock } from '../../src/adapters/system-clock.js';
import { raiseEvent } from '../../src/deploy/core/raise-event.js';
import { handlersOf } from '../../src/layers/handlers.js';
import type { Layer } from '../../src/layers/layer.js';
import type { Handler, LifecyclePayload } from '../../src/rollout/lifecycle.js';
import type { DeployResult } from '../../src/rollout/model.js';
import { CollectingReporter } from '../support/collecting-reporter.js';
import { aRow, OUT_OF_MEMORY, result, V1, V2 } from '../support/scripted-events.js';

export const CI_RUN = 'https://ci.example.com/shop/runs/7';

const PREVIOUS_COMMIT = '9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c';
const RELEASE = { id: V2, imageTag: 'v2', commit: '1a2b3c4d5e6f7a8b9c0d1a2b3c4d5e6f7a8b9c0d' };

function payload(changes: Partial<LifecyclePayload>): LifecyclePayload {
  return {
    event: 'deploy',
    at: '2026-11-21T07:45:00.000Z',
    command: 'deploy',
    app: 'shop',
    environment: 'production',
    release: RELEASE,
    previous: [V1],
    previousCommit: PREVIOUS_COMMIT,
    who: 'ann@laptop',
    url: CI_RUN,
    droplets: ['web-1', 'web-2', 'web-3'],
    ...changes,
  };
}

function ended(outcome: DeployResult['outcome'], changes: Partial<DeployResult>): LifecyclePayload {
  const event =
    outcome === 'succeeded' ? 'deploy_succeeded' : outcome === 'skipped' ? 'deploy_skipped' : 'deploy_failed';
  return payload({ event, durationMs: 95_000, result: result(outcome, changes) });
}

const ERROR = {
  code: 'health-timeout',
  message: 'Not healthy within 120 s: app exited 137: out of memory.',
  source: 'external',
  hint: 'Give app more memory, then deploy again.',
  droplet: 'web-2',
  step: 'health',
} as const;

const failure = { error: ERROR, evidence: [{ droplet: 'web-2', evidence: OUT_OF_MEMORY }] };

/** One payload of each kind. */
export const ROLLOUT = {
  started: payload({}),
  succeeded: ended('succeeded', {
    rows: [aRow(1, { outcome: 'deployed' }), aRow(2, { outcome: 'deployed' }), aRow(3, { outcome: 'skipped' })],
    probes: {
      url: 'https://shop.example.com',
      total: 41,
      failed: 1,
      slowestMs: 84,
      firstFailure: { at: '2026-11-21T07:45:30.000Z', detail: 'HTTP 502' },
    },
  }),
  failed: ended('failed', {
    ...failure,
    rows: [aRow(1, { outcome: 'deployed' }), aRow(2, { outcome: 'deploy failed' }), aRow(3)],
    summary: '1 droplet is out of rotation and recorded as such; 2 of 3 are in rotation.',
    next: 'do-deploy heal production',
  }),
  rolledBack: ended('failed', { ...failure, rows: [aRow(1), aRow(2, { outcome: 'reverted' }), aRow(3)] }),
  interrupted: ended('interrupted', {
    rows: [aRow(1, { outcome: 'deployed' }), aRow(2), aRow(3)],
    next: 'do-deploy production v2',
    ways: { forward: 'do-deploy production v2', back: 'do-deploy rollback production' },
  }),
  skipped: ended('skipped', {}),
} satisfies Record<string, LifecyclePayload>;

/** Every text that comes from a droplet, git or CI is this one. */
export function hostileRollout(text: string): LifecyclePayload {
  return {
    ...ROLLOUT.failed,
    release: { id: text, imageTag: text, commit: RELEASE.commit },
    previous: [text],
    who: text,
    url: `https://ci.example.com/${text}`,
    droplets: [text],
    result: result('failed', {
      rows: [aRow(1, { name: text, outcome: 'deploy failed' })],
      summary: text,
      error: { ...ERROR, message: text, droplet: text, hint: text },
      next: text,
      probes: { url: text, total: 1, failed: 1, slowestMs: 1, firstFailure: { at: text, detail: text } },
      evidence: [
        {
          droplet: text,
          evidence: {
            cause: text,
            containers: [{ service: text, state: text, exitCode: 1, restarts: 0, log: Array(10).fill(text) }],
          },
        },
      ],
    }),
  };
}

export interface Received {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

type Answer = (response: ServerResponse, received: Received) => void;

/** A server on this machine, gone after the test. It answers 200 with `ok` unless told otherwise. */
export async function aService(answer: Answer = (response) => response.end('ok')) {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request;
      const one = { method, path, headers, body: Buffer.concat(chunks).toString() };
      received.push(one);
      answer(response, one);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/hooks/T0123456/very-secret-token`,
    port,
    received,
    bodies: () => received.map(({ body }) => JSON.parse(body)),
    server,
  };
}

// biome-ignore lint/suspicious/noExplicitAny: each layer knows the type of its own settings
type AnyLayer = Layer<any>;

/** Longer than a notifier has: a busy machine must not fail a test. */
const PATIENCE_MS = 60_000;

/**
 * Raises these events for a layer with these settings, as a run does.
 * @returns what is printed, warnings included
 */
export async function notify(
  layer: AnyLayer,
  settings: object,
  payloads: readonly LifecyclePayload[],
  timeoutMs = PATIENCE_MS,
): Promise<string[]> {
  const config = await layer.config.parseAsync(settings);
  return await raise(handlersOf(layer, config, {}), payloads, timeoutMs);
}

export async function raise(
  handlers: readonly Handler[],
  payloads: readonly LifecyclePayload[],
  timeoutMs = PATIENCE_MS,
): Promise<string[]> {
  const reporter = new CollectingReporter();
  const verbs = {
    run: async () => ({ code: 0, output: '', done: 'now' as const }),
    process: async () => ({ reached: 0, expected: 0 }),
    confirm: async () => false,
  };
  const never = new AbortController().signal;
  const timed = handlers.map((handler) => ({ ...handler, timeoutMs }));
  for (const one of payloads) await raiseEvent({ clock: systemClock, reporter }, timed, one, verbs, never);
  return reporter.events.flatMap((event) => {
    if (event.type === 'notice') return event.message;
    return event.type === 'layer-output' ? event.line : [];
  });
}

/** What the address of a webhook must not leave in any text. */
export const SECRET_PARTS = ['very-secret-token', 'T0123456'];

/** Mentions, links and markup of every service, a line break and a control sequence. */
export const HOSTILE =
  '@channel @everyone <!channel> <@U012> <at>a</at> [x](https://evil.example) https://evil.example www.evil.example ' +
  'evil.example/x **b** _i_ ~~s~~ ||p|| `c` ```f``` <b>h</b> & ~town #tag :smile: $x$ {{DATE(2026-01-01T00:00:00Z)}}\n' +
  '# head\n- item\n1. one\n> quote\u001b[31m\u202e';

/** A message to compare with: complete, and short enough to read. Invisible characters are spelled out. */
export function shown(message: unknown): string {
  const text = inspect(message, {
    depth: null,
    breakLength: 112,
    compact: 6,
    maxStringLength: null,
    maxArrayLength: null,
  });
  return text.replace(/[\p{Cf}]/gu, (character) => `\\u${character.charCodeAt(0).toString(16)}`);
}

/** Every string in it, with the names of the properties that lead to it. */
export function textsIn(value: unknown, path = ''): { path: string; text: string }[] {
  if (typeof value === 'string') return [{ path, text: value }];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    textsIn(inner, Array.isArray(value) ? path : `${path}.${key}`),
  );
}

/** Markdown in which every character that could mean something is escaped. */
export function expectLiteral(markdown: string): void {
  const rest = markdown.replace(/[@#~:]\u200b|\\[^A-Za-z0-9\s]\u200b?|&lt;\u200b|&amp;|&#36;/g, '');
  expect(rest).not.toMatch(/[\\`*_{}[\]()<>|!]|[@#~]|:(?=[^\s\u200b])|\.(?!\d)|(?<!\w)[-+]|www\.|:\/\//);
}
