/**
 * Messages to Microsoft Teams by the webhook of a workflow, as an Adaptive Card. Foreign text stands in text runs only, which
 * know no Markdown: https://adaptivecards.microsoft.com/?topic=TextRun
 */
import { chatLayer } from './chat-layer.js';
import { fitting, type Notification } from './notification.js';

/** In bytes. Teams names 28 KB, of which its own wrapping takes a part. */
const MAX_MESSAGE_BYTES = 20_000;

const COLORS: Record<Notification['kind'], string> = {
  started: 'Accent',
  succeeded: 'Good',
  failed: 'Attention',
  'rolled back': 'Attention',
  interrupted: 'Warning',
};

export default chatLayer('teams', (notification) =>
  fitting(notification, MAX_MESSAGE_BYTES, messageOf, (one) => Buffer.byteLength(JSON.stringify(one))),
);

function messageOf(notification: Notification) {
  const content = {
    $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
    type: 'AdaptiveCard',
    version: '1.4',
    msteams: { width: 'Full' },
    body: bodyOf(notification),
    ...(notification.url === undefined
      ? {}
      : { actions: [{ type: 'Action.OpenUrl', title: 'CI run', url: notification.url }] }),
  };
  return {
    type: 'message',
    attachments: [{ contentType: 'application/vnd.microsoft.card.adaptive', contentUrl: null, content }],
  };
}

function bodyOf({ kind, title, facts, cause, log, advice, next }: Notification) {
  return [
    paragraph([run(title, { size: 'Large', weight: 'Bolder', color: COLORS[kind] })]),
    ...facts.map(({ label, text }) => paragraph([run(`${label}: `, { weight: 'Bolder' }), run(text)], 'Small')),
    ...(cause === undefined ? [] : [paragraph([run(cause)])]),
    ...(log === undefined ? [] : [paragraph([run(log.title)])]),
    ...(log?.lines ?? []).map((text) => paragraph([run(text, { fontType: 'Monospace' })], 'None')),
    ...(advice === undefined ? [] : [paragraph([run(advice)])]),
    ...next.map(({ label, command }) => paragraph([run(`${label}: `), run(command, { fontType: 'Monospace' })])),
  ];
}

function paragraph(inlines: object[], spacing?: 'Small' | 'None') {
  return { type: 'RichTextBlock', ...(spacing === undefined ? {} : { spacing }), inlines };
}

/** Teams turns `{{DATE(…)}}` into a date. */
function run(text: string, style: { size?: string; weight?: string; color?: string; fontType?: string } = {}) {
  return { type: 'TextRun', text: text.replaceAll('{{', '{\u200b{'), ...style };
}
