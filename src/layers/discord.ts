/**
 * Messages to Discord by a webhook: one for each rollout, changed when it ends.
 * https://discord.com/developers/docs/resources/webhook#execute-webhook
 */
import { z } from 'zod';
import type { LifecyclePayload } from '../rollout/lifecycle.js';
import { defineLayer, type LayerContext } from './layer.js';
import { code, codeBlock, escapeMarkdown } from './markdown.js';
import { fitting, line, type Notification, notificationOf } from './notification.js';
import { accepted, address, send } from './webhook-request.js';

/** Of a title (256) and of all texts of an embed (6,000), in characters, which escaping may double. */
const MAX_TITLE = 128;
const MAX_EMBED = 6_000;
/** Of the value of a field (1,024) and of the description (4,096). */
const MAX_VALUE = 1_024;
const MAX_DESCRIPTION = 4_096;

const COLORS: Record<Notification['kind'], number> = {
  started: 0x5865f2,
  succeeded: 0x2eb67d,
  failed: 0xe01e5a,
  'rolled back': 0xe01e5a,
  interrupted: 0xecb22e,
};

const config = z.strictObject({ webhook: address });
type Config = z.output<typeof config>;

/** The message of a rollout that has started, by the settings of its run. */
const started = new WeakMap<Config, string>();

export default defineLayer({
  name: 'discord',
  kind: 'notifier',
  mayFail: true,
  config,
  secrets: ['webhook'],
  on: { deploy: notify, deploy_succeeded: notify, deploy_failed: notify },
});

async function notify(payload: LifecyclePayload, context: LayerContext<Config>): Promise<void> {
  const notification = notificationOf(payload);
  if (notification === undefined) return;
  const { config } = context;
  const message = fitting(notification, 1, (shorter) => messageOf(shorter, payload.at), sizeOf);
  const body = JSON.stringify(message);
  const id = started.get(config);
  if (id !== undefined) {
    const answer = await send(context, { method: 'PATCH', url: messageUrl(config.webhook, id), body });
    // It may have been deleted.
    if (answer.ok || answer.status !== 404) return void accepted(answer);
  }
  const sent = idIn(accepted(await send(context, { url: waiting(config.webhook), body })));
  if (payload.event === 'deploy' && sent !== undefined) started.set(config, sent);
}

/** Discord answers with the message only if it is asked to wait for it. */
function waiting(webhook: URL): URL {
  const url = new URL(webhook);
  url.searchParams.set('wait', 'true');
  return url;
}

/** With the thread, if the webhook's address names one. */
function messageUrl(webhook: URL, id: string): URL {
  const url = new URL(webhook);
  url.pathname = `${url.pathname.replace(/\/$/, '')}/messages/${id}`;
  return url;
}

function idIn(text: string): string | undefined {
  try {
    const { id } = JSON.parse(text) as { id?: unknown };
    return typeof id === 'string' && /^\d{1,20}$/.test(id) ? id : undefined;
  } catch {
    return undefined;
  }
}

function messageOf({ kind, title, facts, cause, log, advice, next, url }: Notification, at: string) {
  const parts = [
    cause === undefined ? [] : [literal(cause)],
    log === undefined ? [] : [`${literal(log.title)}\n${codeBlock(log.lines)}`],
    advice === undefined ? [] : [literal(advice)],
    next.map(({ label, command }) => `${label}: ${code(command)}`),
    url === undefined ? [] : [`[CI run](${url})`],
  ];
  const description = parts.flatMap((lines) => (lines.length === 0 ? [] : [lines.join('\n')])).join('\n\n');
  return {
    allowed_mentions: { parse: [] },
    embeds: [
      {
        title: literal(line(title, MAX_TITLE)),
        color: COLORS[kind],
        ...(description === '' ? {} : { description }),
        fields: facts.map(({ label, text }) => ({ name: label, value: literal(text), inline: text.length < 40 })),
        timestamp: at,
      },
    ],
  };
}

/** At most 1 if Discord accepts it: the part of each limit that the message takes, the largest of them. */
function sizeOf({ embeds: [embed] }: ReturnType<typeof messageOf>): number {
  const { title = '', description = '', fields = [] } = embed ?? {};
  const total = [title, description, ...fields.flatMap(({ name, value }) => [name, value])].join('').length;
  const values = fields.map(({ value }) => value.length / MAX_VALUE);
  return Math.max(total / MAX_EMBED, description.length / MAX_DESCRIPTION, ...values);
}

function literal(text: string): string {
  return escapeMarkdown(text).replaceAll('<', '\\<');
}
