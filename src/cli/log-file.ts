/**
 * What a run that changes a fleet leaves on this machine for whoever has to find out later what happened, all of it masked: its
 * log, its events, and after a failure a folder beside them.
 */
import { closeSync, mkdirSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { ProcessEnv } from '../config/variables.js';

/** Runs whose files stay. */
const KEPT = 50;

/** Of one file: a run that repeats itself for hours must not fill the disk. In characters. */
const LONGEST_LOG = 32 * 1024 * 1024;
const LONGEST_EVENTS = 8 * 1024 * 1024;

/** As they are named below: nothing else in the folder is removed. The folder of a failed run has the name alone. */
const NAME = /^(\d{8}T\d{6}Z-[a-z0-9-]+-[a-z-]+-\d+)(?:\.log|\.ndjson)?$/;

export interface LogFile {
  readonly path: string;
  /** Of the events, one JSON object per line. */
  readonly eventsPath: string;
  /** Of the folder for what is known about the failure. It does not exist yet. */
  readonly dossier: string;
  /** Never throws. */
  write(text: string): void;
  /** Never throws. `line` ends with a line feed. */
  writeEvent(line: string): void;
  close(): void;
}

/** `do-deploy` in the folder for state of https://specifications.freedesktop.org/basedir-spec; undefined without a home. */
export function defaultLogFolder(env: ProcessEnv): string | undefined {
  if (env.XDG_STATE_HOME?.startsWith('/')) return join(env.XDG_STATE_HOME, 'do-deploy');
  return env.HOME ? join(env.HOME, '.local/state/do-deploy') : undefined;
}

/** Removes what all but the newest runs have left. Throws what the file system says. */
export function openLogFile(
  folder: string,
  run: { command: string; environment: string; now: number; pid: number },
): LogFile {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const time = new Date(run.now).toISOString().replace(/[-:]|\.\d+/g, '');
  const dossier = join(folder, `${time}-${run.environment}-${run.command.replaceAll(' ', '-')}-${run.pid}`);
  const path = `${dossier}.log`;
  const eventsPath = `${dossier}.ndjson`;
  const log = openBounded(path, LONGEST_LOG, 'The log ends here: it is too long.\n');
  const events = openBounded(eventsPath, LONGEST_EVENTS, '');
  prune(folder);
  return {
    path,
    eventsPath,
    dossier,
    write: log.write,
    writeEvent: events.write,
    close() {
      log.close();
      events.close();
    },
  };
}

/** The files of events in the folder, newest run first, also those of failed runs. */
export function eventFiles(folder: string, environment: string): string[] {
  const names = runsIn(folder).filter((name) => name.slice('20261121T074500Z-'.length).startsWith(`${environment}-`));
  return names.flatMap((name) => [join(folder, `${name}.ndjson`), join(folder, name, 'events.ndjson')]);
}

function openBounded(path: string, longest: number, lastWords: string): Pick<LogFile, 'write' | 'close'> {
  const file = openSync(path, 'a', 0o600);
  let written = 0;
  let isOpen = true;
  return {
    write(text) {
      if (!isOpen || written > longest) return;
      written += text.length;
      try {
        writeSync(file, written > longest ? lastWords : text);
      } catch {
        // A full disk must not stop a rollout.
        written = Number.POSITIVE_INFINITY;
      }
    },
    close() {
      if (isOpen) closeSync(file);
      isOpen = false;
    },
  };
}

/** Their names begin with the time: newest first. */
function runsIn(folder: string): string[] {
  const runs = new Set(readdirSync(folder).flatMap((name) => NAME.exec(name)?.[1] ?? []));
  return [...runs].sort().reverse();
}

function prune(folder: string): void {
  for (const run of runsIn(folder).slice(KEPT)) {
    for (const name of [`${run}.log`, `${run}.ndjson`, run]) {
      rmSync(join(folder, name), { force: true, recursive: true });
    }
  }
}
