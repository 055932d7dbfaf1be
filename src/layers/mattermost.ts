/**
 * Messages to Mattermost by an incoming webhook, as a message attachment:
 * https://developers.mattermost.com/integrate/reference/message-attachments/
 */
import { z } from 'zod';
import type { LifecyclePayload } from '../rollout/lifecycle.js';
import { defineLayer, type LayerContext } from './layer.js';
import { code, codeBlock, escapeMarkdown } from './markdown.js';
import { fitting, type Notice, noticeOf } from './notice.js';
import { address, postJson } from './webhook-request.js';

/** In characters, as JSON: what the attachments of a post may take on older servers. */
const MAX_ATTACHMENT = 8_000;

const COLORS: Record<Notice['kind'], string> = {
  started: '#4a7ebb',
  succeeded: '#2eb67d',
  failed: '#e01e5a',
  'rolled back': '#e01e5a',
  interrupted: '#ecb22e',
};

const config = z.strictObject({ webhook: address });
type Config = z.output<typeof config>;

export default defineLayer({
  name: 'mattermost',
  kind: 'notifier',
  mayFail: true,
  config,
  secrets: ['webhook'],
  on: { deploy: notify, deploy_succeeded: notify, deploy_failed: notify },
});

async function notify(payload: LifecyclePayload, context: LayerContext<Config>): Promise<void> {
  const notice = noticeOf(payload);
  if (notice === undefined) return;
  const message = fitting(notice, MAX_ATTACHMENT, messageOf, (one) => JSON.stringify(one).length);
  await postJson(context, context.config.webhook, message);
}

function messageOf({ kind, title, facts, cause, log, advice, next, url }: Notice) {
  const parts = [
    [`**${literal(title)}**`],
    cause === undefined ? [] : [literal(cause)],
    log === undefined ? [] : [`${literal(log.title)}\n${codeBlock(log.lines)}`],
    advice === undefined ? [] : [literal(advice)],
    next.map(({ label, command }) => `${label}: ${code(command)}`),
    url === undefined ? [] : [`[CI run](${url})`],
  ];
  return {
    attachments: [
      {
        // For notifications.
        fallback: literal(title),
        color: COLORS[kind],
        text: parts.flatMap((lines) => (lines.length === 0 ? [] : [lines.join('\n')])).join('\n\n'),
        fields: facts.map(({ label, text }) => ({ title: label, value: literal(text), short: text.length < 40 })),
      },
    ],
  };
}

/** Mattermost knows no backslash before these characters, but HTML's spelling of them. */
function literal(text: string): string {
  return escapeMarkdown(text.replaceAll('&', '&amp;')).replaceAll('<', '&lt;\u200b').replaceAll('$', '&#36;');
}
