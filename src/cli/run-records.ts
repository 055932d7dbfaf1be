/** What a run that changes a fleet leaves in files. None of it can stop the run, or change how it ends. */
import { reasonOf } from '../errors.js';
import { jsonLine } from '../reporters/json-line.js';
import type { DeployEvent } from '../rollout/model.js';
import { EXIT, exitCodeOfResult } from './exit-codes.js';
import type { LogFile } from './log-file.js';
import type { ReportFile } from './report-file.js';

type EventOf<T extends DeployEvent['type']> = Extract<DeployEvent, { type: T }>;

export class RunRecords {
  readonly #log: LogFile | undefined;
  readonly #report: ReportFile | undefined;
  #started: EventOf<'rollout-started'> | undefined;
  #finished: EventOf<'rollout-finished'> | undefined;

  constructor(log: LogFile | undefined, report?: ReportFile) {
    this.#log = log;
    this.#report = report;
  }

  /** @param event masked and clean */
  readonly report = (event: DeployEvent): void => {
    if (event.type === 'rollout-started') this.#started = event;
    if (event.type === 'rollout-finished') this.#finished = event;
    this.#report?.report(event);
    // The log has them.
    if (event.type !== 'trace') this.#log?.writeEvent(jsonLine(event));
  };

  /** Never throws. Resolves to lines for the user: where the files are. */
  async end(exit: number): Promise<string[]> {
    this.#log?.close();
    const lines = await this.#leaveDossier();
    lines.push(...this.#writeReport());
    if (exit !== EXIT.ok && this.#log !== undefined) lines.push(`The log of this run: ${this.#log.path}`);
    return lines;
  }

  #writeReport(): string[] {
    if (this.#report === undefined) return [];
    const { path } = this.#report;
    try {
      return this.#report.write() ? [`The report: ${path}`] : [];
    } catch (error) {
      return [`The report cannot be written to ${path}: ${reasonOf(error)}`];
    }
  }

  /** A lock that another run holds, or a wrong setting, needs no evidence. */
  async #leaveDossier(): Promise<string[]> {
    const log = this.#log;
    const finished = this.#finished;
    if (log === undefined || finished === undefined || exitCodeOfResult(finished.result) !== EXIT.failed) return [];
    try {
      const { writeDossier } = await import('./write-dossier.js');
      writeDossier(log, { started: this.#started, finished });
      return [`What is known about the failure: ${log.dossier}`];
    } catch (error) {
      return [`No folder about the failure is left: ${reasonOf(error)}`];
    }
  }
}
