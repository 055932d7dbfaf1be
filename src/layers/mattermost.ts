/**
 * Messages to Mattermost by an incoming webhook, as a message attachment:
 * https://developers.mattermost.com/integrate/reference/message-attachments/
 */
import { COLORS, chatLayer } from './chat-layer.js';
import { code, codeBlock, escapeMarkdown } from './markdown.js';
import { fitting, type Notification } from './notification.js';

/** In characters, as JSON: what the attachments of a post may take on older servers. */
const MAX_ATTACHMENT = 8_000;

export default chatLayer('mattermost', (notification) =>
  fitting(notification, MAX_ATTACHMENT, messageOf, (one) => JSON.stringify(one).length),
);

function messageOf({ kind, title, facts, cause, log, advice, next, url }: Notification) {
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
