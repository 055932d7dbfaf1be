/** Mails by an SMTP server: one when a rollout starts, and one in its thread when it ends. */
import { createTransport } from 'nodemailer';
import { z } from 'zod';
import type { LifecyclePayload } from '../rollout/lifecycle.js';
import { defineLayer, type LayerContext } from './layer.js';
import { mask } from './mask.js';
import { line, type Notification, notificationOf, plainLines } from './notification.js';

const MAX_SUBJECT = 200;
const MAX_ANSWER_BYTES = 64 * 1024;
/** How much of an answer an error quotes. */
const MAX_WORDS = 200;
/** Shorter user names and passwords turn up in ordinary text. */
const SHORTEST_SECRET = 4;

const SMTP = 'must be smtps://user:password@host (port 465) or smtp://user:password@host (port 587, with STARTTLS)';
const MAILBOX = 'must be an address such as ops@example.com, or Ops <ops@example.com>';
const RECIPIENTS = 'must be an address such as ops@example.com, or a list of up to 50';

/** A server, and how to log in. */
export interface Server {
  host: string;
  port: number;
  /** TLS from the first byte. */
  secure: boolean;
  auth?: { user: string; pass: string };
}

interface Mailbox {
  name: string;
  address: string;
}

const mailbox = z
  .string({ error: ({ input }) => (input === undefined ? undefined : MAILBOX) })
  .refine((text) => mailboxIn(text) !== undefined, { error: MAILBOX })
  .transform((text) => mailboxIn(text) as Mailbox);

const config = z.strictObject({
  smtp: z
    .string({ error: ({ input }) => (input === undefined ? undefined : SMTP) })
    .refine((text) => serverIn(text) !== undefined, { error: SMTP })
    .transform((text) => serverIn(text) as Server),
  from: mailbox,
  to: z.union([mailbox.transform((one) => [one]), z.array(mailbox).min(1, RECIPIENTS).max(50, RECIPIENTS)], {
    error: ({ input }) => (input === undefined ? undefined : RECIPIENTS),
  }),
});
type Config = z.output<typeof config>;

/** The mail of a rollout that has started, by the settings of its run. */
const started = new WeakMap<Config, string>();

export default defineLayer({
  name: 'email',
  kind: 'notifier',
  mayFail: true,
  config,
  secrets: ['smtp'],
  on: { deploy: notify, deploy_succeeded: notify, deploy_failed: notify },
});

async function notify(payload: LifecyclePayload, { config, signal }: LayerContext<Config>): Promise<void> {
  const notification = notificationOf(payload);
  if (notification === undefined) return;
  const { smtp, from, to } = config;
  const first = started.get(config);
  try {
    const { messageId } = await createTransport(transportFor(smtp)).sendMail({
      from,
      to,
      ...(first === undefined ? {} : { inReplyTo: first, references: first }),
      ...mailOf(notification),
      headers: { 'Auto-Submitted': 'auto-generated' },
      disableFileAccess: true,
      disableUrlAccess: true,
      signal,
    });
    if (payload.event === 'deploy') started.set(config, messageId);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw new Error(reasonOf(error, smtp));
  }
}

function mailOf(notification: Notification): { subject: string; text: string } {
  const lines = [`${notification.title}.`, '', ...plainLines(notification)];
  return { subject: line(notification.title, MAX_SUBJECT), text: `${lines.join('\n')}\n` };
}

/** Only to this machine a password and a mail may travel without TLS. */
export function transportFor({ host, port, secure, auth }: Server) {
  const isHere = /^(localhost|127(\.\d{1,3}){3}|::1)$/.test(host);
  const tls = secure ? {} : isHere ? { ignoreTLS: true } : { requireTLS: true };
  return { host, port, secure, auth, ...tls, maxResponseSize: MAX_ANSWER_BYTES };
}

/** Servers repeat what they refuse. */
function reasonOf(error: unknown, { auth = { user: '', pass: '' } }: Server): string {
  const message = error instanceof Error ? error.message : String(error);
  const { user, pass } = auth;
  return line(mask(message, [pass, user, `\0${user}\0${pass}`], SHORTEST_SECRET), MAX_WORDS);
}

function serverIn(text: string): Server | undefined {
  if (!URL.canParse(text)) return undefined;
  const { protocol, hostname, port, username, password, pathname, search, hash } = new URL(text);
  const secure = protocol === 'smtps:';
  const isPlain = (pathname === '' || pathname === '/') && search === '' && hash === '';
  const host = hostname.toLowerCase().replace(/^\[(.*)\]$/, '$1');
  if (!/^smtps?:$/.test(protocol) || !isPlain || !/^[a-z0-9.:-]+$/.test(host)) return undefined;
  try {
    const [user, pass] = [decodeURIComponent(username), decodeURIComponent(password)];
    const server = { host, port: port === '' ? (secure ? 465 : 587) : Number(port), secure };
    return user === '' ? server : { ...server, auth: { user, pass } };
  } catch {
    return undefined;
  }
}

/** `ops@example.com` or `Ops <ops@example.com>`: one address, and nothing that another header could begin with. */
function mailboxIn(text: string): Mailbox | undefined {
  const address =
    /^(?:([^<>"\p{Cc}]{0,100})<)?([^\s<>()[\]\\,;:@"\p{Cc}]{1,64}@[^\s<>()[\]\\,;:@"\p{Cc}]{1,253})(>?)$/u;
  const [, name, found, end] = address.exec(text.trim()) ?? [];
  if (found === undefined || (name === undefined) !== (end === '')) return undefined;
  return { name: name?.trim() ?? '', address: found };
}
