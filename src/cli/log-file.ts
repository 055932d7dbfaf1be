/** The log file of a run that changes a fleet: everything, masked, for whoever has to find out later what happened. */
import { closeSync, mkdirSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { ProcessEnv } from '../config/variables.js';

/** Files that stay. */
const KEPT = 50;

/** Of one file: a run that repeats itself for hours must not fill the disk. In bytes. */
const MAX_BYTES = 32 * 1024 * 1024;

/** As they are named below: no other file in the folder is removed. */
const NAME = /^\d{8}T\d{6}Z-[a-z0-9-]+-[a-z-]+-\d+\.log$/;

export interface LogFile {
  readonly path: string;
  /** Never throws. */
  write(text: string): void;
  close(): void;
}

/** `do-deploy` in the folder for state of https://specifications.freedesktop.org/basedir-spec; undefined without a home. */
export function defaultLogFolder(env: ProcessEnv): string | undefined {
  if (env.XDG_STATE_HOME?.startsWith('/')) return join(env.XDG_STATE_HOME, 'do-deploy');
  return env.HOME ? join(env.HOME, '.local/state/do-deploy') : undefined;
}

/** Removes all but the newest logs. Throws what the file system says. */
export function openLogFile(
  folder: string,
  run: { command: string; environment: string; now: number; pid: number },
): LogFile {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const time = new Date(run.now).toISOString().replace(/[-:]|\.\d+/g, '');
  const name = `${time}-${run.environment}-${run.command.replaceAll(' ', '-')}-${run.pid}.log`;
  const path = join(folder, name);
  const file = openSync(path, 'a', 0o600);
  prune(folder);
  let written = 0;
  let isOpen = true;
  return {
    path,
    write(text) {
      if (!isOpen || written > MAX_BYTES) return;
      written += text.length;
      try {
        writeSync(file, written > MAX_BYTES ? 'The log ends here: it is too long.\n' : text);
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

function prune(folder: string): void {
  const logs = readdirSync(folder).filter((name) => NAME.test(name));
  // Their names begin with the time.
  for (const name of logs.sort().reverse().slice(KEPT)) rmSync(join(folder, name), { force: true });
}
