/**
 * Datadog: an event when a rollout begins and one when it ends, grouped by one aggregation key.
 * https://docs.datadoghq.com/api/latest/events/post-an-event/
 */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { LifecyclePayload } from '../rollout/lifecycle.js';
import { defineLayer, type LayerContext } from './layer.js';
import { line, type Notification, notificationOf } from './notification.js';
import { post } from './post.js';
import { listOfWords, serviceUrl, token } from './settings.js';

/** Datadog's own limits, in characters. */
const MAX_TITLE = 100;
const MAX_TEXT = 4_000;
const MAX_TAG = 200;

const SITE = 'must be a site of Datadog, for example datadoghq.eu';

const config = z.strictObject({
  api_key: token(),
  site: z
    .string({ error: SITE })
    .regex(/^[a-z0-9-]+(\.[a-z0-9-]+)+$/i, { error: SITE })
    .default('datadoghq.com'),
  url: serviceUrl().optional(),
  tags: listOfWords().default([]),
});

type Context = LayerContext<z.output<typeof config>>;

/** The keys of runs, by their settings. */
const keys = new WeakMap<object, string>();

const ALERT_TYPES: Record<Notification['kind'], string> = {
  started: 'info',
  succeeded: 'success',
  failed: 'error',
  'rolled back': 'error',
  interrupted: 'warning',
};

export default defineLayer({
  name: 'datadog',
  kind: 'third-party',
  config,
  secrets: ['api_key'],
  mayFail: true,
  on: { deploy: send, deploy_succeeded: end, deploy_failed: end },
});

async function end(payload: LifecyclePayload, context: Context): Promise<void> {
  await send(payload, context).finally(() => keys.delete(context.config));
}

async function send(payload: LifecyclePayload, context: Context): Promise<void> {
  const notification = notificationOf(payload);
  if (notification === undefined) return;
  const { api_key, site, url = `https://api.${site}` } = context.config;
  const key = keys.get(context.config) ?? `do-deploy ${randomUUID()}`;
  keys.set(context.config, key);
  await post(context, {
    service: 'Datadog',
    url: `${url}/api/v1/events`,
    headers: { 'dd-api-key': api_key },
    body: {
      title: line(withoutMentions(notification.title), MAX_TITLE),
      text: textOf(notification),
      alert_type: ALERT_TYPES[notification.kind],
      aggregation_key: key,
      date_happened: Math.floor(Date.parse(payload.at) / 1_000),
      tags: tagsOf(payload, context),
    },
  });
}

function textOf({ facts, cause, next, url }: Notification): string {
  const lines = [
    ...facts.map(({ label, text }) => `${label}: ${text}`),
    ...(cause ? [`Why: ${cause}`] : []),
    ...next.map(({ label, command }) => `${label}: ${command}`),
    ...(url ? [`CI run: ${url}`] : []),
  ];
  return withoutMentions(lines.join('\n')).slice(0, MAX_TEXT);
}

/** In the text of an event, `@name` at the start of a word sends it to that person or channel. */
function withoutMentions(text: string): string {
  return text.replace(/(?<!\w)@(?=\w)/g, '(at) ');
}

function tagsOf({ app, environment, command, release }: LifecyclePayload, { config }: Context): string[] {
  const version = release.imageTag === '' ? [] : [`version:${release.imageTag}`];
  const own = ['source:do-deploy', `service:${app}`, `env:${environment}`, `command:${command}`, ...version];
  return [...own, ...config.tags].map((tag) => tag.slice(0, MAX_TAG));
}
