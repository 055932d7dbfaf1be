/**
 * Messages to Slack by an incoming webhook. Foreign text stands in `plain_text` and `rich_text` only, where Slack looks for
 * no markup, link or mention: https://docs.slack.dev/reference/block-kit/blocks/rich-text-block
 */
import { COLORS, chatLayer } from './chat-layer.js';
import { line, type Notification } from './notification.js';

/** Of a header block. */
const MAX_HEADER = 150;

export default chatLayer('slack', messageOf);

function messageOf(notification: Notification) {
  return {
    // Only for notifications: the blocks are what is shown.
    text: literal(notification.title),
    blocks: [
      { type: 'header', text: { type: 'plain_text', text: line(notification.title, MAX_HEADER), emoji: false } },
    ],
    attachments: [
      { color: COLORS[notification.kind], blocks: [{ type: 'rich_text', elements: elementsOf(notification) }] },
    ],
    unfurl_links: false,
    unfurl_media: false,
  };
}

type Style = 'bold' | 'code';

function elementsOf({ facts, cause, log, advice, next, url }: Notification) {
  const lines = [
    facts.map(({ label, text }) => [run(`${label}: `, 'bold'), run(text)]),
    cause === undefined ? [] : [[run(cause)]],
    log === undefined ? [] : [[run(log.title)]],
  ].map(section);
  const printed = log && { type: 'rich_text_preformatted', elements: [run(log.lines.join('\n'))] };
  const last = section([
    ...(advice === undefined ? [] : [[run(advice)]]),
    ...next.map(({ label, command }) => [run(`${label}: `), run(command, 'code')]),
    ...(url === undefined ? [] : [[{ type: 'link', url, text: 'CI run' }]]),
  ]);
  return [...lines, printed, last].filter((element) => element !== undefined);
}

function section(lines: object[][]) {
  if (lines.length === 0) return undefined;
  const elements = lines.flatMap((runs, index) => (index === 0 ? runs : [run('\n'), ...runs]));
  return { type: 'rich_text_section', elements };
}

function run(text: string, style?: Style) {
  return style === undefined ? { type: 'text', text } : { type: 'text', text, style: { [style]: true } };
}

/** https://docs.slack.dev/messaging/formatting-message-text: `<!channel>` is a mention; `@channel` becomes none. */
function literal(text: string): string {
  const plain = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return plain.replaceAll('@', '@\u200b');
}
