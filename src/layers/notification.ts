/**
 * What a notifier says of a rollout, in words, for every service alike: a notifier only lays it out. Texts are plain, one
 * line each, and cleaned; each notifier escapes them for its own markup.
 */

import { wholeSeconds } from '../durations.js';
import { withoutSequences } from '../escape-sequences.js';
import { shortHash } from '../rollout/commit.js';
import type { LifecyclePayload } from '../rollout/lifecycle.js';
import {
  COMMAND_NOUNS,
  type DeployResult,
  type DropletOutcome,
  type Evidence,
  type ReleaseInfo,
} from '../rollout/model.js';

export interface Notification {
  kind: 'started' | 'succeeded' | 'failed' | 'rolled back' | 'interrupted';
  /** "Deploy of shop v2 to production succeeded" */
  title: string;
  /** Below the title, each with a short label. */
  facts: Fact[];
  /** Why it failed: the droplet, the step and the sentence of the cause. */
  cause?: string;
  /** The last lines that a failed container printed. */
  log?: { title: string; lines: string[] };
  /** What to do next, in a sentence. */
  advice?: string;
  /** Commands to type next, each with what it is for. */
  next: { label: string; command: string }[];
  /** Address of the CI run: http or https, without characters that could end a link. */
  url?: string;
}

interface Fact {
  label: string;
  text: string;
}

const MAX_TEXT = 500;
const MAX_URL = 1_000;
const MAX_LOG_LINES = 10;
/** Names of droplets in one fact. */
const MAX_NAMES = 5;

const ENDS = {
  started: 'has started',
  succeeded: 'succeeded',
  failed: 'failed',
  'rolled back': 'failed and was rolled back',
  interrupted: 'was interrupted',
} as const;

/** Undefined for events that are not worth a message: nothing has changed. */
export function notificationOf(payload: LifecyclePayload): Notification | undefined {
  const { event, result } = payload;
  if (event === 'deploy') return { ...about(payload, 'started'), next: [] };
  if (result === undefined || event === 'deploy_skipped') return undefined;
  const notification: Notification = { ...about(payload, kindOf(result)), next: nextCommands(result) };
  const { error, outcome } = result;
  if (outcome === 'succeeded') return notification;
  if (error !== undefined) notification.cause = line(`${where(error)}${error.message}`);
  if (error?.hint && !notification.next.some(({ command }) => error.hint?.includes(command)))
    notification.advice = line(error.hint);
  notification.log = lastLines(result);
  return notification;
}

/** The notification as a text without markup, one line each; the title is not among them. */
export function plainLines({ facts, cause, log, advice, next, url }: Notification): string[] {
  const parts = [
    facts.map(({ label, text }) => `${label}: ${text}`),
    cause === undefined ? [] : [cause],
    log === undefined ? [] : [log.title, ...log.lines.map((text) => `  | ${text}`)],
    [...(advice === undefined ? [] : [advice]), ...next.map(({ label, command }) => `${label}: ${command}`)],
    url === undefined ? [] : [`CI run: ${url}`],
  ].filter((part) => part.length > 0);
  return parts.flatMap((part, index) => (index === 0 ? part : ['', ...part]));
}

/**
 * The message for a service that takes no more than `limit`: built with shorter texts and fewer lines until it fits.
 * @param sizeOf in the unit of the limit
 */
export function fitting<Message>(
  notification: Notification,
  limit: number,
  build: (notification: Notification) => Message,
  sizeOf: (message: Message) => number,
): Message {
  let message = build(notification);
  for (let length = MAX_TEXT; sizeOf(message) > limit && length > 10; length = Math.floor(length / 2)) {
    message = build(shortened(notification, length));
  }
  return message;
}

function shortened(notification: Notification, length: number): Notification {
  const short = (text: string | undefined) => text && cut(text, length);
  const lines = Math.floor((MAX_LOG_LINES * length) / MAX_TEXT);
  return {
    ...notification,
    facts: notification.facts.map(({ label, text }) => ({ label, text: cut(text, length) })),
    cause: short(notification.cause),
    advice: short(notification.advice),
    log:
      notification.log === undefined || lines === 0
        ? undefined
        : { ...notification.log, lines: notification.log.lines.slice(-lines).map((text) => cut(text, length)) },
  };
}

function about(payload: LifecyclePayload, kind: Notification['kind']): Omit<Notification, 'next'> {
  return { kind, title: `${runOf(payload)} ${ENDS[kind]}`, facts: factsOf(payload), url: linkOf(payload.url) };
}

function kindOf({ outcome, rows }: DeployResult): Exclude<Notification['kind'], 'started'> {
  if (outcome === 'succeeded' || outcome === 'interrupted') return outcome;
  const reverted = rows.some((row) => row.outcome === 'reverted');
  const left = rows.some((row) => ['deployed', 'deploy failed', 'unfinished', 'in progress'].includes(row.outcome));
  return reverted && !left ? 'rolled back' : 'failed';
}

/** "Deploy of shop v2 to production" */
function runOf({ command, app, environment, release }: LifecyclePayload): string {
  const version = release.imageTag === '' ? '' : ` ${release.imageTag}`;
  return line(
    `${COMMAND_NOUNS[command]} of ${app}${version} ${command === 'deploy' ? 'to' : 'on'} ${environment}`,
    200,
  );
}

function factsOf(payload: LifecyclePayload): Fact[] {
  const { release, previous, previousCommit, droplets, who, durationMs, result } = payload;
  const before = previous.filter((id) => id !== release.id && id !== '');
  const pairs: [string, string | undefined][] = [
    ['Release', before.length === 0 || release.id === '' ? release.id : `${before.join(', ')} → ${release.id}`],
    commitsOf(release, previousCommit),
    ['Droplets', result === undefined || result.rows.length === 0 ? names(droplets) : outcomes(result)],
    ['Took', durationMs === undefined ? undefined : took(durationMs)],
    ['Held', result?.held && `${result.held.imageTag} on ${names(result.held.droplets)}`],
    ['Probes', result && probesOf(result)],
    ['State', result === undefined || result.outcome === 'succeeded' ? undefined : result.summary],
    ['By', who],
  ];
  return pairs.flatMap(([label, text]) => {
    const clean = line(text ?? '');
    return clean === '' ? [] : [{ label, text: clean }];
  });
}

/** "1a2b3c4", or the range that `git log` takes for the commits in between: "9f8e7d6..1a2b3c4". */
function commitsOf({ commit, dirty }: ReleaseInfo, before: string | undefined): [string, string | undefined] {
  if (commit === undefined) return ['Commit', undefined];
  const now = `${shortHash(commit)}${dirty ? ', with uncommitted changes' : ''}`;
  return before === undefined || before === commit ? ['Commit', now] : ['Commits', `${shortHash(before)}..${now}`];
}

/** "deployed: web-1, web-2; skipped: web-3" */
function outcomes({ rows }: DeployResult): string {
  const groups = new Map<DropletOutcome, string[]>();
  for (const { outcome, name } of rows) groups.set(outcome, [...(groups.get(outcome) ?? []), name]);
  return [...groups].map(([outcome, group]) => `${outcome}: ${names(group)}`).join('; ');
}

function names(all: readonly string[]): string {
  const rest = all.length - MAX_NAMES;
  const shown = all.slice(0, MAX_NAMES).map((name) => cut(name, 64));
  return rest > 0 ? `${shown.join(', ')} and ${rest} more` : shown.join(', ');
}

/** "40 s", "3 min 5 s" */
function took(ms: number): string {
  return wholeSeconds(Math.round(ms / 1_000) * 1_000);
}

function probesOf({ probes }: DeployResult): string | undefined {
  if (probes === undefined) return undefined;
  const { total, failed, slowestMs, firstFailure } = probes;
  const first =
    firstFailure === undefined ? '' : `; the first at ${firstFailure.at.slice(11, 19)}: ${firstFailure.detail}`;
  return `${failed} of ${total} failed, slowest ${slowestMs} ms${first}`;
}

function where({ droplet, step }: NonNullable<DeployResult['error']>): string {
  return droplet === undefined ? '' : `${droplet}${step === undefined ? '' : ` (${step})`}: `;
}

function nextCommands({ next, ways }: DeployResult): Notification['next'] {
  const commands: [string, string | undefined][] = [
    ['Next', next === ways?.forward ? undefined : next],
    ['To continue', ways?.forward],
    ['To go back', ways?.back],
  ];
  return commands.flatMap(([label, command]) => (command ? [{ label, command: line(command) }] : []));
}

/** Of the container that is to blame: the first sick one that printed anything. */
function lastLines({ evidence = [] }: DeployResult): Notification['log'] {
  const printed = evidence.flatMap(({ droplet, evidence: { containers } }) =>
    containers.flatMap((container) => {
      const { log = [], healthOutput = [] } = container;
      const what = log.length > 0 ? 'Last lines' : 'Health check output';
      const lines = (log.length > 0 ? log : healthOutput).flatMap((text) => text.split('\n').slice(-MAX_LOG_LINES));
      const last = lines.map((text) => line(text)).filter((text) => text !== '');
      if (last.length === 0) return [];
      const title = line(`${what} of ${container.service} on ${droplet}`, 200);
      return [{ isSick: isSick(container), title, lines: last.slice(-MAX_LOG_LINES) }];
    }),
  );
  const found = printed.find((one) => one.isSick) ?? printed[0];
  return found && { title: found.title, lines: found.lines };
}

function isSick({ state, health, exitCode, restarts, oomKilled }: Evidence['containers'][number]): boolean {
  return (
    oomKilled === true || restarts > 0 || (exitCode ?? 0) !== 0 || health === 'unhealthy' || state === 'restarting'
  );
}

/** Spelled so that no markup ends in it and no mention begins: every special character in hexadecimal. */
function linkOf(url: string | undefined): string | undefined {
  if (url === undefined || url.length > MAX_URL || !URL.canParse(url)) return undefined;
  const { protocol, username, password, href } = new URL(url);
  if (!/^https?:$/.test(protocol) || username !== '' || password !== '') return undefined;
  return href.replace(/[^\w\-.~:/?#&+,;=%]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** One line without escape sequences, control and format characters, of a bounded length. */
export function line(text: string, limit = MAX_TEXT): string {
  const start = withoutSequences(text.slice(0, limit * 4));
  // A blank instead of a character that cannot be seen would hide a secret from those who mask it.
  return cut(
    start
      .replace(/\p{Cf}+/gu, '')
      .replace(/[\s\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
      .trim(),
    limit,
  );
}

/** Never through the middle of a character. */
function cut(text: string, limit: number): string {
  const whole = text.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, '�');
  return whole.length <= limit ? whole : `${whole.slice(0, limit - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}
