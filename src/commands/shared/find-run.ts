/** Which run a report is about. Pure. */
import type { LocalRun } from '../../cli/local-runs.js';
import type { HistoryEntry } from '../../rollout/model.js';

/** At least one of the two is there. */
export interface KnownRun {
  /** Absent if the run was killed, or has changed nothing. */
  entry?: HistoryEntry | undefined;
  /** Absent if it was made on another machine, or its files are gone. */
  local?: LocalRun | undefined;
}

/**
 * The newest run that fits; without a word, the newest one.
 * @param history newest first
 * @param local newest first
 * @param word a release, an image tag, the beginning of a time as `history` prints it, or a run's id
 */
export function findRun(
  history: readonly HistoryEntry[],
  local: readonly LocalRun[],
  word: string | undefined,
): KnownRun | undefined {
  const entries = new Map(history.map((entry) => [entry.run, entry]));
  const here = new Map(local.flatMap((run) => (run.finished?.run ? [[run.finished.run, run] as const] : [])));
  const runs: KnownRun[] = [
    ...history.map((entry) => ({ entry, local: here.get(entry.run) })),
    ...local.filter(({ finished }) => !entries.has(finished?.run ?? '')).map((run) => ({ local: run })),
  ];
  return runs.sort((a, b) => (endOf(a) < endOf(b) ? 1 : -1)).find((run) => word === undefined || fits(run, word));
}

/** When it ended, or else its last event. */
function endOf({ entry, local }: KnownRun): string {
  return entry?.at ?? local?.endedAt ?? '';
}

function fits({ entry, local }: KnownRun, word: string): boolean {
  const release = local?.finished?.result.release ?? local?.started.release;
  const names = [entry?.run, entry?.release, entry?.imageTag, release?.id, release?.imageTag];
  const time = word.replace(/ (?=\d)/, 'T').replace(/ UTC$/, '');
  const times = [entry?.at, local?.started.at, local?.finished?.at];
  return names.includes(word) || (/^\d{4}-\d\d-\d\d/.test(word) && times.some((at) => at?.startsWith(time)));
}
