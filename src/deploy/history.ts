/** `do-deploy history`: every rollout, merged from what the droplets keep, so the same from any machine. */
import { z } from 'zod';
import type { Settings } from '../config/settings.js';
import type { HistoryEntry } from '../rollout/model.js';
import type { DeployPorts } from './context.js';
import { findFleet } from './fleet.js';
import { historyCommand } from './remote/release-commands.js';
import { connectAll } from './staging.js';

const entry: z.ZodType<HistoryEntry> = z.object({
  at: z.string(),
  run: z.string(),
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

/** Newest first. `unreachable` names the droplets that could not be asked. */
export async function readHistory(
  ports: DeployPorts,
  settings: Settings,
): Promise<{ entries: HistoryEntry[]; unreachable: string[] }> {
  const { look } = await findFleet(ports, settings);
  const quiet = { ...ports, reporter: { report: () => {} } };
  const { sites, unreachable } = await connectAll(
    quiet,
    settings,
    look.droplets.map(({ droplet }) => droplet),
  );
  try {
    const texts = await Promise.all(
      sites.map(async (site) => (await site.connection.run(historyCommand(settings.app))).stdout),
    );
    return { entries: mergeHistories(texts), unreachable: unreachable.map(({ droplet }) => droplet.name) };
  } finally {
    await Promise.allSettled(sites.map((site) => site.connection.close()));
  }
}

/** One entry a run, newest first, whichever of the droplets remember it. */
export function mergeHistories(texts: readonly string[]): HistoryEntry[] {
  const byRun = new Map(texts.flatMap(readEntries).map((one) => [one.run, one]));
  return [...byRun.values()].sort((a, b) => (a.at < b.at ? 1 : -1));
}

/** A line that a crash cut short is left out. */
function readEntries(text: string): HistoryEntry[] {
  return text.split('\n').flatMap((line) => {
    try {
      return entry.parse(JSON.parse(line));
    } catch {
      return [];
    }
  });
}
