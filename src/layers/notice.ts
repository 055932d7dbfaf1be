/**
 * What a notifier says of a rollout, in words, for every service alike: a notifier only lays it out. Texts are plain, one
 * line each, and cleaned; each notifier escapes them for its own markup.
 */
import { describeCommit } from '../rollout/commit.js';
import type { LifecyclePayload } from '../rollout/lifecycle.js';
import type { DeployResult } from '../rollout/model.js';

export interface Notice {
  kind: 'started' | 'succeeded' | 'failed' | 'rolled back' | 'interrupted';
  /** "shop v2 is on production" */
  title: string;
  /** Facts below the title, with short labels: Release, Before, Took, Droplets, By. */
  facts: { label: string; text: string }[];
  /** Why it failed: the sentence of the cause. */
  cause?: string;
  /** The last lines that the failed containers printed, at most 10. */
  log: string[];
  /** The command to type next. */
  next?: string;
  /** The CI run. */
  url?: string;
}

const MAX_TEXT = 500;
const MAX_LOG_LINES = 10;

/** Undefined for events that are not worth a message: nothing has changed. */
export function noticeOf(payload: LifecyclePayload): Notice | undefined {
  const { event, result } = payload;
  if (event === 'deploy')
    return { kind: 'started', title: `${runOf(payload)} has begun`, facts: facts(payload), log: [], url: payload.url };
  if (result === undefined || event === 'deploy_skipped') return undefined;
  const kind = kindOf(result);
  return {
    kind,
    title: `${runOf(payload)} ${ENDS[kind]}`,
    facts: facts(payload),
    cause: result.error && line(`${where(result)}${result.error.message}`),
    log: lastLines(result),
    next: result.next && line(result.next),
    url: payload.url,
  };
}

const ENDS = {
  succeeded: 'succeeded',
  failed: 'failed',
  'rolled back': 'failed and was rolled back',
  interrupted: 'was interrupted',
} as const;

function kindOf({ outcome, rows }: DeployResult): keyof typeof ENDS {
  if (outcome === 'succeeded' || outcome === 'interrupted') return outcome;
  const reverted = rows.some((row) => row.outcome === 'reverted');
  const left = rows.some((row) => ['deployed', 'deploy failed', 'unfinished', 'in progress'].includes(row.outcome));
  return reverted && !left ? 'rolled back' : 'failed';
}

const NOUNS = { deploy: 'Deploy', rollback: 'Rollback', heal: 'Heal', adopt: 'Adoption' } as const;

/** "Deploy of shop v2 to production" */
function runOf({ command, app, environment, release }: LifecyclePayload): string {
  const version = release.imageTag === '' ? '' : ` ${release.imageTag}`;
  return line(`${NOUNS[command]} of ${app}${version} ${command === 'deploy' ? 'to' : 'on'} ${environment}`);
}

function facts({ release, previous, droplets, who, durationMs, result }: LifecyclePayload): Notice['facts'] {
  const { commit, dirty } = release;
  const probes = result?.probes;
  const pairs: [string, string | undefined][] = [
    ['Release', release.id],
    ['Commit', commit && describeCommit({ commit, dirty })],
    ['Before', previous.filter((id) => id !== release.id).join(', ')],
    [
      'Droplets',
      droplets.length > 5 ? `${droplets.slice(0, 5).join(', ')} and ${droplets.length - 5} more` : droplets.join(', '),
    ],
    ['Took', durationMs === undefined ? undefined : `${Math.round(durationMs / 1_000)} s`],
    ['Probes', probes && `${probes.failed} of ${probes.total} failed`],
    ['State', result?.outcome === 'succeeded' ? undefined : result?.summary],
    ['By', who],
  ];
  return pairs.flatMap(([label, text]) => (text ? [{ label, text: line(text) }] : []));
}

function where({ error }: DeployResult): string {
  const step = error?.step === undefined ? '' : ` (${error.step})`;
  return error?.droplet === undefined ? '' : `${error.droplet}${step}: `;
}

function lastLines({ evidence = [] }: DeployResult): string[] {
  const lines = evidence.flatMap((one) => one.evidence.containers.flatMap(({ log = [] }) => log));
  return lines.slice(-MAX_LOG_LINES).map(line);
}

/** One line without control characters, of a bounded length. */
function line(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is removed
  const clean = text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g, ' ').trim();
  return clean.length <= MAX_TEXT ? clean : `${clean.slice(0, MAX_TEXT - 1)}…`;
}
