/** The file of a report. It replaces an older report, and nothing else. */
import {
  closeSync,
  existsSync,
  openSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { quote } from '../deploy/core/shell.js';
import { DeployError, reasonOf } from '../errors.js';
import { REPORT_MARK, reportOfRun } from '../reporters/report/page.js';
import { isOfTimeline } from '../reporters/report/timeline.js';
import type { DeployEvent } from '../rollout/model.js';

/** The mark is at the beginning of a report, in bytes. */
const HEAD_BYTES = 1_024;

/** A run of days must not fill the memory. The last event is kept in any case. */
const MOST_EVENTS = 100_000;

export class ReportFile {
  readonly path: string;
  readonly #events: DeployEvent[] = [];

  /**
   * Before anything is changed.
   * @param path absolute
   * @throws DeployError report-file if the file cannot be written, or is something else
   */
  constructor(path: string) {
    this.path = path;
    refuseOther(path);
  }

  /** @param event masked and clean */
  report(event: DeployEvent): void {
    if (!isOfTimeline(event)) return;
    if (this.#events.length >= MOST_EVENTS) this.#events.pop();
    this.#events.push(event);
  }

  /** False: the run has ended before it had begun. Throws what the file system says. */
  write(): boolean {
    if (this.#events.length === 0) return false;
    writeReport(this.path, reportOfRun(this.#events));
    return true;
  }
}

/** In one piece: who opens the file meanwhile reads the older report. Throws what the file system says. */
export function writeReport(path: string, page: string): void {
  const real = existsSync(path) ? realpathSync(path) : path;
  const partial = `${real}.${process.pid}.partial`;
  try {
    writeFileSync(partial, page, { flag: 'wx' });
    renameSync(partial, real);
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  }
}

/** Throws DeployError report-file. */
export function refuseOther(path: string): void {
  const folder = dirname(path);
  if (!existsSync(folder)) {
    const message = `No report can be written to ${path}: there is no folder ${folder}.`;
    throw new DeployError('report-file', message, { source: 'user', hint: `Create it: mkdir -p ${quote(folder)}` });
  }
  const problem = problemOf(path);
  if (problem === undefined) return;
  throw new DeployError('report-file', `No report can be written to ${path}: ${problem}.`, {
    source: 'user',
    hint: 'Name a file that does not exist yet, or an older report.',
  });
}

function problemOf(path: string): string | undefined {
  try {
    if (!existsSync(path)) {
      return statSync(dirname(path)).isDirectory() ? undefined : `${dirname(path)} is not a folder`;
    }
    const { size } = statSync(path);
    if (!statSync(path).isFile()) return 'it is not a file';
    return size === 0 || headOf(path).includes(REPORT_MARK) ? undefined : 'it is not a report of do-deploy';
  } catch (error) {
    return reasonOf(error);
  }
}

function headOf(path: string): string {
  const file = openSync(path, 'r');
  try {
    const head = Buffer.alloc(HEAD_BYTES);
    return head.toString('utf8', 0, readSync(file, head, 0, HEAD_BYTES, 0));
  } finally {
    closeSync(file);
  }
}
