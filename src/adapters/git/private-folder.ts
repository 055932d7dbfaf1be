import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeployError, reasonOf } from '../../errors.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs synchronous work in a temporary folder that only this user can read, then removes it, also when the work throws
 * or a signal arrives meanwhile.
 * @throws DeployError `temporary-folder` when the folder cannot be created
 */
export function inPrivateFolder<T>(work: (folder: string) => T): T {
  deferSignals();
  const folder = createFolder();
  try {
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** mkdtemp creates it with mode 0700. */
function createFolder(): string {
  try {
    return mkdtempSync(join(tmpdir(), 'do-deploy-version-'));
  } catch (cause) {
    const reason = reasonOf(cause);
    throw new DeployError('temporary-folder', `Cannot create a temporary folder in ${tmpdir()}: ${reason}.`, {
      source: 'user',
      hint: 'Make the folder writable, or set TMPDIR to another one.',
      cause,
    });
  }
}

let deferring = false;

/**
 * A signal without a listener ends the process immediately, in the middle of synchronous work. With one it waits for the
 * event loop. There it ends the process after all, unless others listen and decide what it means.
 */
function deferSignals(): void {
  if (deferring) return;
  deferring = true;
  const onSignal = (signal: NodeJS.Signals) => {
    if (process.listenerCount(signal) > 1) return;
    process.off(signal, onSignal);
    process.kill(process.pid, signal);
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
}
