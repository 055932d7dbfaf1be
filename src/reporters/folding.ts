/** Folds the log of a CI run: a group for each phase and batch, that a reader opens. */
import type { Reporter } from '../ports.js';
import type { DeployEvent } from '../rollout/model.js';
import { escapeMessage, withoutCommands } from './github.js';
import { batchSentence, phaseSentence } from './phrases.js';

interface Folds {
  /** @param seconds since 1970 */
  open(title: string, id: string, seconds: number): string;
  close(id: string, seconds: number): string;
}

const FOLDS = {
  // https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#grouping-log-lines
  github: { open: (title) => `::group::${escapeMessage(title)}\n`, close: () => '::endgroup::\n' },
  // https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections
  gitlab: {
    open: (title, id, seconds) => `\u001b[0Ksection_start:${seconds}:${id}\r\u001b[0K${title}\n`,
    close: (id, seconds) => `\u001b[0Ksection_end:${seconds}:${id}\r\u001b[0K\n`,
  },
  // https://learn.microsoft.com/azure/devops/pipelines/scripts/logging-commands#formatting-commands
  azure: { open: (title) => `##[group]${title}\n`, close: () => '##[endgroup]\n' },
} satisfies Record<string, Folds>;

/** The kinds of log that can be folded. */
export type FoldedLog = keyof typeof FOLDS;

/** Decorates the plain reporter. */
export class FoldingReporter implements Reporter {
  readonly #plain: Reporter;
  readonly #write: (text: string) => void;
  readonly #folds: Folds;
  #seconds = 0;
  #opened = 0;
  #isOpen = false;

  constructor(plain: Reporter, write: (text: string) => void, log: FoldedLog) {
    this.#plain = plain;
    this.#write = write;
    this.#folds = FOLDS[log];
  }

  report(event: DeployEvent): void {
    this.#seconds = Math.floor(Date.parse(event.at) / 1000);
    if (event.type === 'phase-started') {
      // The rolling phase has a group for each batch.
      if (event.phase === 'roll') this.#close();
      else this.#open(phaseSentence(event));
    }
    if (event.type === 'batch-started') this.#open(batchSentence(event));
    if (event.type === 'rollout-finished') this.#close();
    this.#plain.report(event);
  }

  /** An error that ends the run must not be hidden in a group. */
  async close(): Promise<void> {
    this.#close();
    await this.#plain.close?.();
  }

  #open(title: string): void {
    this.#close();
    this.#isOpen = true;
    this.#opened += 1;
    const line = withoutCommands(title.replaceAll(/\s*\n\s*/g, ' '));
    this.#write(this.#folds.open(line, this.#id, this.#seconds));
  }

  #close(): void {
    if (this.#isOpen) this.#write(this.#folds.close(this.#id, this.#seconds));
    this.#isOpen = false;
  }

  get #id(): string {
    return `do_deploy_${this.#opened}`;
  }
}
