/** `do-deploy history`: the rollouts, merged from the history files of all droplets. */
import { z } from 'zod';
import type { Settings } from '../../config/settings.js';
import { ShellError } from '../../errors.js';
import type { RemoteCommand } from '../../ports.js';
import type { HistoryEntry } from '../../rollout/model.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { inParallel } from '../core/parallel.js';
import { appFolder, command } from '../core/shell.js';
import type { Member } from '../droplet/member.js';
import { visitFleets } from './visit-fleet.js';

const entry: z.ZodType<HistoryEntry> = z.object({
  at: z.string(),
  run: z.string(),
  environment: z.string().optional(),
  command: z.string(),
  who: z.string(),
  url: z.string().optional(),
  release: z.string(),
  imageTag: z.string(),
  commit: z.string().optional(),
  dirty: z.boolean().optional(),
  outcome: z.enum(['succeeded', 'failed', 'interrupted', 'skipped']),
  durationMs: z.number(),
  probes: z.object({ total: z.number(), failed: z.number() }).optional(),
  droplets: z.array(z.number()).optional(),
  roles: z.record(z.string(), z.array(z.number())).optional(),
  skipped: z.array(z.string()).optional(),
  held: z.array(z.string()).optional(),
  confirmed: z.array(z.string()).optional(),
  error: z.object({ code: z.string(), droplet: z.string().optional(), step: z.string().optional() }).optional(),
});

/** Droplets whose histories are read where any of them will do: each has a line of every rollout that it took part in. */
const ENOUGH = 3;

const ofRelease = z.object({ id: z.string(), environment: z.string() });

/** Newest first. `unreachable` holds the names of droplets that could not be read. */
export async function readHistory(
  ports: DeployPorts,
  settings: Settings,
): Promise<{ entries: HistoryEntry[]; unreachable: string[] }> {
  return await visitFleets(ports, settings, {}, async (visits) => {
    const members = visits.flatMap((visit) => visit.members);
    const unreachable = visits.flatMap((visit) => visit.unreachable);
    const answers = await inParallel(members, ({ connection }) => connection.run(historyCommand(settings.app)));
    const texts = answers.map(({ stdout }) => stdout);
    return {
      entries: mergeHistories(texts, settings.environment),
      unreachable: unreachable.map(({ droplet }) => droplet.name),
    };
  });
}

/**
 * One entry for each run of the environment, newest first.
 * @param texts one of each droplet: its history.jsonl, then the release.json of each release that it holds, one per line
 */
export function mergeHistories(texts: readonly string[], environment: string): HistoryEntry[] {
  const entries = texts.flatMap((text) => readEntries(text, environment));
  const byRun = new Map(entries.map((one) => [one.run, one]));
  return [...byRun.values()].sort((a, b) => (a.at < b.at ? 1 : -1));
}

function readEntries(text: string, environment: string): HistoryEntry[] {
  const lines = text.split('\n').flatMap(parsed);
  const releases = lines.flatMap((line) => ofRelease.safeParse(line).data ?? []);
  // Lines of older versions lack the environment: it is the release's, or else that of the droplet's other releases.
  const usual = releases.some((one) => one.environment === environment) ? environment : releases[0]?.environment;
  const environmentOf = (line: HistoryEntry) =>
    line.environment ?? releases.find(({ id }) => id === line.release)?.environment ?? usual ?? environment;
  const entries = lines.flatMap((line) => entry.safeParse(line).data ?? []);
  return entries.filter((line) => environmentOf(line) === environment);
}

/** Leaves out a line that a crash cut short. */
function parsed(line: string): unknown[] {
  try {
    return [JSON.parse(line)];
  } catch {
    return [];
  }
}

/** What these droplets have recorded of past runs, newest first; empty where it cannot be read. */
export async function readHistories(
  members: readonly Member[],
  { app, environment }: Settings,
): Promise<HistoryEntry[]> {
  const texts = await inParallel(members.slice(0, ENOUGH), async (member) => {
    try {
      return (await member.connection.run(historyCommand(app))).stdout;
    } catch (error) {
      if (error instanceof ShellError) return '';
      throw error;
    }
  });
  return mergeHistories(texts, environment);
}

/**
 * Ids of the droplets of the last successful deploy or rollback, and of all adopts and heals since: those leave out
 * droplets that are not behind the balancer at the time.
 * @param history newest first
 * @param role of the droplets; absent: of all
 */
export function lastFleet(history: readonly HistoryEntry[], role?: string): Set<number> {
  const succeeded = history.filter(({ outcome }) => outcome === 'succeeded');
  const whole = succeeded.findIndex(({ command }) => ['deploy', 'rollback', 'promote', 'abort'].includes(command));
  const since = whole < 0 ? succeeded : succeeded.slice(0, whole + 1);
  return new Set(since.flatMap(({ droplets, roles }) => (role === undefined ? droplets : roles?.[role]) ?? []));
}

/** Prints the last 500 lines of the history, then every release.json, which names the release's environment. */
export function historyCommand(app: string): RemoteCommand {
  const lines = [
    `cd ${appFolder(app)} 2>/dev/null || exit 0`,
    'tail -n 500 history.jsonl 2>/dev/null',
    'echo',
    'for file in releases/*/release.json; do if [ -f "$file" ]; then cat "$file"; echo; fi; done',
    'exit 0',
  ];
  return command('history', { app }, lines, { reads: true });
}
