/** The runs whose events are on this machine. */
import { readFileSync } from 'node:fs';
import type { DeployEvent } from '../rollout/model.js';
import { eventFiles } from './log-file.js';

type EventOf<T extends DeployEvent['type']> = Extract<DeployEvent, { type: T }>;

export interface LocalRun {
  /** Of the file with its events. */
  path: string;
  started: EventOf<'rollout-started'>;
  /** Absent if the run was killed, or goes on. */
  finished?: EventOf<'rollout-finished'> | undefined;
  /** Of its last event. */
  endedAt: string;
}

/** Newest first. A folder or a file that cannot be read holds none. */
export function localRuns(folder: string, app: string, environment: string): LocalRun[] {
  return orNone(() => eventFiles(folder, environment)).flatMap((path) => {
    const lines = linesOf(path);
    const events = lines.filter((line) => /"type":"rollout-(started|finished)"/.test(line)).flatMap(parsed);
    const started = events.find((event): event is EventOf<'rollout-started'> => event.type === 'rollout-started');
    const finished = events.findLast(
      (event): event is EventOf<'rollout-finished'> => event.type === 'rollout-finished',
    );
    // Projects share the folder.
    if (started?.app !== app || started.environment !== environment) return [];
    const [last = started] = lines.slice(-2).flatMap(parsed).reverse();
    return [{ path, started, finished, endedAt: last.at }];
  });
}

/** Masked and clean, as they were when they were written. */
export function eventsOf({ path }: Pick<LocalRun, 'path'>): DeployEvent[] {
  return linesOf(path).flatMap(parsed);
}

function linesOf(path: string): string[] {
  return orNone(() => readFileSync(path, 'utf8').trimEnd().split('\n'));
}

function orNone<T>(read: () => T[]): T[] {
  try {
    return read();
  } catch {
    return [];
  }
}

/** Leaves out a line that was cut short. */
function parsed(line: string): DeployEvent[] {
  try {
    const value: unknown = JSON.parse(line);
    return isEvent(value) ? [value] : [];
  } catch {
    return [];
  }
}

/** do-deploy wrote the file for its owner alone: what an event holds is not checked again. */
function isEvent(value: unknown): value is DeployEvent {
  if (typeof value !== 'object' || value === null) return false;
  const { schema, at, type } = value as Record<string, unknown>;
  return schema === 2 && typeof at === 'string' && typeof type === 'string';
}
