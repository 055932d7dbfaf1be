/** A real server on loopback in place of a service, and a layer with its settings read as from deploy.yml. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import type { ZodError } from 'zod';
import { systemClock } from '../../src/adapters/system-clock.js';
import { handlersOf } from '../../src/layers/handlers.js';
import type { Layer } from '../../src/layers/layer.js';
import type { Handler, HandlerContext, LifecycleEvent, LifecyclePayload } from '../../src/rollout/lifecycle.js';
import type { DeployResult } from '../../src/rollout/model.js';

// biome-ignore lint/suspicious/noExplicitAny: each layer knows the type of its own settings
export type AnyLayer = Layer<any>;

export interface Received {
  method: string;
  path: string;
  headers: Record<string, unknown>;
  // The tests know what they expect.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  body: any;
}

type Answer = { status?: number; body?: string; headers?: Record<string, string> } | ((to: ServerResponse) => void);

/** Answers each request with the next of these, and every further one with the last. */
export async function startService(...answers: Answer[]): Promise<{ url: string; requests: Received[] }> {
  const requests: Received[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => {
      text += chunk;
    });
    request.on('end', () => {
      const answer = answers[Math.min(requests.length, answers.length - 1)] ?? { body: '{}' };
      const { method = '', url: path = '', headers } = request;
      requests.push({ method, path, headers, body: text === '' ? undefined : JSON.parse(text) });
      if (typeof answer === 'function') answer(response);
      else response.writeHead(answer.status ?? 200, answer.headers).end(answer.body ?? '{}');
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

/** Its end never comes. */
export function endless(status: number, chunk: string): (to: ServerResponse) => void {
  return (to) => {
    to.writeHead(status, { 'content-type': 'text/plain' });
    const write = () => {
      while (!to.destroyed && to.write(chunk));
      if (!to.destroyed) to.once('drain', write);
    };
    write();
  };
}

export const COMMIT = '6ba09a7c53235ee8a8fa5ee4c1ca8ca886e7fdbb';

export function payloadOf(event: LifecycleEvent, more: Partial<LifecyclePayload> = {}): LifecyclePayload {
  const result = event.startsWith('deploy_') ? { result: resultOf(event), durationMs: 151_000 } : {};
  return {
    event,
    at: event.startsWith('deploy_') ? '2026-11-21T07:47:31.000Z' : '2026-11-21T07:45:30.000Z',
    command: 'deploy',
    app: 'shop',
    environment: 'production',
    release: { id: '20261121T074500Z-v2', imageTag: 'v2', commit: COMMIT },
    previous: ['20261120T074500Z-v1'],
    who: 'ann@laptop',
    droplets: ['web-1', 'web-2'],
    ...result,
    ...more,
  };
}

function resultOf(event: LifecycleEvent): DeployResult {
  const base = { release: { id: '20261121T074500Z-v2', imageTag: 'v2' }, rows: [], durationMs: 151_000 };
  if (event === 'deploy_skipped') return { ...base, outcome: 'skipped', summary: 'Nothing to do.' };
  if (event === 'deploy_succeeded')
    return { ...base, outcome: 'succeeded', summary: 'All 2 droplets are in rotation.' };
  return {
    ...base,
    outcome: 'failed',
    summary: '1 droplet is out of rotation.',
    error: {
      code: 'health-timeout',
      message: 'Not healthy within 120 s.',
      source: 'external',
      droplet: 'web-2',
      step: 'health',
    },
    next: 'do-deploy heal production',
  };
}

export interface LayerUnderTest {
  handlers: Handler[];
  logged: string[];
  /** Runs its handler of the event, if it has one. */
  raise(event: LifecycleEvent, more?: Partial<LifecyclePayload>, signal?: AbortSignal): Promise<void>;
}

/** Settings that it does not take fail the test. */
export async function layerWith(
  layer: AnyLayer,
  settings: unknown,
  context: Partial<HandlerContext> = {},
): Promise<LayerUnderTest> {
  const handlers = handlersOf(layer, await layer.config.parseAsync(settings), {});
  const logged: string[] = [];
  const nothing = async () => undefined as never;
  return {
    handlers,
    logged,
    async raise(event, more, signal = new AbortController().signal) {
      const handler = handlers.find((one) => one.event === event);
      const log = (line: string) => logged.push(line);
      const verbs = {
        signal,
        startedAt: Date.now(),
        sleep: systemClock.sleep,
        log,
        run: nothing,
        process: nothing,
        confirm: nothing,
        ...context,
      };
      await handler?.handle(payloadOf(event, more), verbs);
    },
  };
}

/** What is wrong with settings, as `KEY MESSAGE`. */
export function problemsWith(layer: AnyLayer, settings: unknown): string[] {
  const { error }: { error?: ZodError } = layer.config.safeParse(settings);
  return error?.issues.map(({ path, message }) => [path.join('.'), message].filter(Boolean).join(' ')) ?? [];
}
