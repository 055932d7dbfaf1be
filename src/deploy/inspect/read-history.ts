/** `do-deploy history`: every rollout, merged from what the droplets keep, so the same from any machine. */
import { z } from 'zod';
import type { Settings } from '../../config/settings.js';
import type { RemoteCommand } from '../../ports.js';
import type { HistoryEntry } from '../../rollout/model.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { appFolder, command } from '../core/shell.js';
import { connectAll } from '../droplet/connect.js';
import { findFleet } from '../fleet/find-fleet.js';

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
});

const ofRelease = z.object({ id: z.string(), environment: z.string() });

/** Newest first. `unreachable` names the droplets that could not be asked. */
export async function readHistory(
  ports: DeployPorts,
  settings: Settings,
): Promise<{ entries: HistoryEntry[]; unreachable: string[] }> {
  const { membership } = await findFleet(ports, settings);
  const quiet = { ...ports, reporter: { report: () => {} } };
  const { members, unreachable } = await connectAll(
    quiet,
    settings,
    membership.droplets.map(({ droplet }) => droplet),
  );
  try {
    const texts = await Promise.all(
      members.map(async (member) => (await member.connection.run(historyCommand(settings.app))).stdout),
    );
    return {
      entries: mergeHistories(texts, settings.environment),
      unreachable: unreachable.map(({ droplet }) => droplet.name),
    };
  } finally {
    await Promise.allSettled(members.map((member) => member.connection.close()));
  }
}

/**
 * One entry a run of the environment, newest first, whichever of the droplets remember it.
 * @param texts of each droplet: its history, and the release.json of each release that it holds, a line each
 */
export function mergeHistories(texts: readonly string[], environment: string): HistoryEntry[] {
  const entries = texts.flatMap((text) => readEntries(text, environment));
  const byRun = new Map(entries.map((one) => [one.run, one]));
  return [...byRun.values()].sort((a, b) => (a.at < b.at ? 1 : -1));
}

function readEntries(text: string, environment: string): HistoryEntry[] {
  const lines = text.split('\n').flatMap(parsed);
  const releases = lines.flatMap((line) => ofRelease.safeParse(line).data ?? []);
  // Lines of older versions do not say of which environment they are: their release does, else what else is there.
  const usual = releases.some((one) => one.environment === environment) ? environment : releases[0]?.environment;
  const environmentOf = (line: HistoryEntry) =>
    line.environment ?? releases.find(({ id }) => id === line.release)?.environment ?? usual ?? environment;
  const entries = lines.flatMap((line) => entry.safeParse(line).data ?? []);
  return entries.filter((line) => environmentOf(line) === environment);
}

/** A line that a crash cut short is left out. */
function parsed(line: string): unknown[] {
  try {
    return [JSON.parse(line)];
  } catch {
    return [];
  }
}

/** Prints the last lines of the history, then release.json of each release: which environment they are of. */
export function historyCommand(app: string): RemoteCommand {
  return command('history', { app }, [
    `cd ${appFolder(app)} 2>/dev/null || exit 0`,
    'tail -n 500 history.jsonl 2>/dev/null',
    'echo',
    'for file in releases/*/release.json; do if [ -f "$file" ]; then cat "$file"; echo; fi; done',
    'exit 0',
  ]);
}
