/**
 * Messages to Slack by an incoming webhook. Foreign text stands in `plain_text` and `rich_text` only, where Slack looks for
 * no markup, link or mention: https://docs.slack.dev/reference/block-kit/blocks/rich-text-block
 */
import { z } from 'zod';
import type { LifecyclePayload } from '../rollout/lifecycle.js';
import { defineLayer, type LayerContext } from './layer.js';
import { line, type Notice, noticeOf } from './notice.js';
import { address, postJson } from './webhook-request.js';

/** Of a header block. */
const MAX_HEADER = 150;

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
  name: 'slack',
  kind: 'notifier',
  mayFail: true,
  config,
  secrets: ['webhook'],
  on: { deploy: notify, deploy_succeeded: notify, deploy_failed: notify },
});

async function notify(payload: LifecyclePayload, context: LayerContext<Config>): Promise<void> {
  const notice = noticeOf(payload);
  if (notice !== undefined) await postJson(context, context.config.webhook, messageOf(notice));
}

function messageOf(notice: Notice) {
  return {
    // Only for notifications: the blocks are what is shown.
    text: literal(notice.title),
    blocks: [{ type: 'header', text: { type: 'plain_text', text: line(notice.title, MAX_HEADER), emoji: false } }],
    attachments: [{ color: COLORS[notice.kind], blocks: [{ type: 'rich_text', elements: elementsOf(notice) }] }],
    unfurl_links: false,
    unfurl_media: false,
  };
}

type Style = 'bold' | 'code';

function elementsOf({ facts, cause, log, advice, next, url }: Notice) {
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
