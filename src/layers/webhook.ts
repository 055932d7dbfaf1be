/** Events to an address of yours, signed as Standard Webhooks does: https://www.standardwebhooks.com */
import { createHmac, randomUUID } from 'node:crypto';
import { z } from 'zod';
import { LIFECYCLE_EVENTS, type LifecyclePayload } from '../rollout/lifecycle.js';
import { defineLayer, type LayerContext } from './layer.js';
import { type Answer, accepted, address, send } from './webhook-request.js';

const EVENT = `must be one of ${LIFECYCLE_EVENTS.join(', ')}`;
const SECRET = 'must be whsec_ followed by 24 to 64 random bytes in base64: echo "whsec_$(openssl rand -base64 32)"';

const config = z.strictObject({
  url: address,
  secret: z
    .string({ error: ({ input }) => (input === undefined ? undefined : SECRET) })
    .refine((text) => keyOf(text) !== undefined, { error: SECRET }),
  events: z
    .array(z.enum(LIFECYCLE_EVENTS, { error: EVENT }), { error: 'must be a list of events' })
    .default(['deploy', 'deploy_succeeded', 'deploy_failed', 'deploy_skipped']),
});
type Config = z.output<typeof config>;

export default defineLayer({
  name: 'webhook',
  kind: 'notifier',
  mayFail: true,
  config,
  secrets: ['url', 'secret'],
  events: ({ events }) => events,
  on: Object.fromEntries(LIFECYCLE_EVENTS.map((event) => [event, post])),
});

/** Sends the event as it is; a second time if the server may have had a bad moment. */
async function post(payload: LifecyclePayload, context: LayerContext<Config>): Promise<void> {
  const { url, secret } = context.config;
  const body = JSON.stringify(payload);
  // Not the event's own time: handlers before this one may have taken long, and receivers refuse what is old.
  const request = { url, body, headers: signed(body, context.startedAt, secret) };
  const first = await send(context, request);
  if (isTaken(first)) return;
  const last = !first.ok && first.passing ? await send(context, request) : first;
  if (!isTaken(last)) accepted(last);
}

/** Any 2xx says so, whatever becomes of the rest of the answer. */
function isTaken(answer: Answer): boolean {
  return answer.ok || (answer.status !== undefined && answer.status >= 200 && answer.status < 300);
}

/** @param at in ms since the epoch */
function signed(body: string, at: number, secret: string): Record<string, string> {
  const id = `msg_${randomUUID().replaceAll('-', '')}`;
  const timestamp = String(Math.floor(at / 1_000));
  const signature = createHmac('sha256', keyOf(secret) ?? '')
    .update(`${id}.${timestamp}.${body}`)
    .digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}

function keyOf(secret: string): Buffer | undefined {
  const [, base64] = /^whsec_([A-Za-z0-9+/]{32,88}={0,2})$/.exec(secret) ?? [];
  if (base64 === undefined) return undefined;
  const key = Buffer.from(base64, 'base64');
  return key.length >= 24 && key.length <= 64 ? key : undefined;
}
