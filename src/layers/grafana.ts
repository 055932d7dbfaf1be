/**
 * Grafana: an annotation from the beginning of a rollout to its end.
 * https://grafana.com/docs/grafana/latest/developers/http_api/annotations/
 */
import { z } from 'zod';
import type { LifecyclePayload } from '../rollout/lifecycle.js';
import { defineLayer, type LayerContext } from './layer.js';
import { type Notification, notificationOf } from './notification.js';
import { post } from './post.js';
import { listOfWords, serviceUrl, token } from './settings.js';

const DASHBOARD = 'must be the UID of a dashboard: the part of its address after /d/';

const config = z.strictObject({
  url: serviceUrl(),
  token: token(),
  tags: listOfWords().default([]),
  dashboard: z
    .string({ error: DASHBOARD })
    .regex(/^[\w-]{1,40}$/, { error: DASHBOARD })
    .optional(),
});

type Context = LayerContext<z.output<typeof config>>;

/** Annotations of runs that have begun, by their settings. */
const begun = new WeakMap<object, { id: number; time: number }>();

export default defineLayer({
  name: 'grafana',
  kind: 'third-party',
  config,
  secrets: ['token'],
  mayFail: true,
  on: { deploy: begin, deploy_succeeded: end, deploy_failed: end },
});

async function begin(payload: LifecyclePayload, context: Context): Promise<void> {
  const time = Date.parse(payload.at);
  const { dashboard } = context.config;
  const answer = await send(context, 'POST', '', { dashboardUID: dashboard, time, ...annotationOf(payload, context) });
  const id = idIn(answer);
  if (id !== undefined) begun.set(context.config, { id, time });
}

async function end(payload: LifecyclePayload, context: Context): Promise<void> {
  const timeEnd = Date.parse(payload.at);
  const { dashboard } = context.config;
  const annotation = { timeEnd, ...annotationOf(payload, context) };
  const before = begun.get(context.config);
  begun.delete(context.config);
  if (before !== undefined) {
    await send(context, 'PATCH', `/${before.id}`, { time: before.time, ...annotation });
    return;
  }
  // The run has failed before anything was rolled, or Grafana did not answer then.
  const time = timeEnd - (payload.durationMs ?? 0);
  await send(context, 'POST', '', { dashboardUID: dashboard, time, ...annotation });
}

async function send(context: Context, method: 'POST' | 'PATCH', path: string, body: object): Promise<string> {
  const { url, token } = context.config;
  const headers = { authorization: `Bearer ${token}` };
  return await post(context, { service: 'Grafana', url: `${url}/api/annotations${path}`, method, headers, body });
}

function idIn(answer: string): number | undefined {
  try {
    const { id } = JSON.parse(answer) as { id?: unknown };
    return Number.isSafeInteger(id) ? (id as number) : undefined;
  } catch {
    return undefined;
  }
}

function annotationOf(payload: LifecyclePayload, { config }: Context): { text: string; tags: string[] } {
  const notification = notificationOf(payload);
  const own = ['deploy', payload.app, payload.environment, ...(notification === undefined ? [] : [notification.kind])];
  return { text: notification === undefined ? '' : textOf(notification), tags: [...new Set([...own, ...config.tags])] };
}

/** Grafana shows the text of an annotation as HTML. */
function textOf({ title, facts, cause, url }: Notification): string {
  const lines = [title, ...facts.map(({ label, text }) => `${label}: ${text}`), ...(cause ? [`Why: ${cause}`] : [])];
  const link = url !== undefined && /^https?:\/\//i.test(url) ? [`<a href="${escaped(url)}">CI run</a>`] : [];
  return [...lines.map(escaped), ...link].join('\n');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}
