/** The files by which a step tells GitHub Actions more than its log: the summary page, and outputs for later steps. */
import { appendFileSync } from 'node:fs';
import type { Reporter } from '../ports.js';
import type { DeployEvent, StatusRow } from '../rollout/model.js';
import { applyEvent } from '../rollout/status-rows.js';
import { closingSentence } from './phrases.js';
import { quotedBlock, type RunFacts, stepSummary } from './step-summary.js';

export interface GithubPaths {
  /** GITHUB_STEP_SUMMARY */
  summaryPath?: string;
  /** GITHUB_OUTPUT */
  outputPath?: string;
  /** The folder of this process, relative to the repository; absent: the repository. */
  folder?: string;
}

const LONGEST_OUTPUT = 2_000;

type Finished = Extract<DeployEvent, { type: 'rollout-finished' }>;

/** Every text that it is given is masked and clean. */
export class GithubFiles implements Reporter {
  readonly #paths: GithubPaths;
  #started: RunFacts['started'];
  #rows: StatusRow[] = [];
  /** The releases that ran when rolling began. */
  #before: string[] | undefined;
  #hasEnded = false;

  constructor(paths: GithubPaths) {
    this.#paths = paths;
  }

  report(event: DeployEvent): void {
    if (event.type === 'rollout-started') this.#started = event;
    if (event.type === 'phase-started' && event.phase === 'roll') this.#before = releasesOf(this.#rows);
    this.#rows = applyEvent(this.#rows, event);
    if (event.type === 'rollout-finished') this.#finish(event);
  }

  /** What a command printed besides. */
  addBlock([title = '', ...lines]: readonly string[]): void {
    this.#append(this.#paths.summaryPath, quotedBlock(title, lines));
  }

  /** @param lines the first one says what failed */
  addError(lines: readonly string[]): void {
    this.#append(this.#paths.summaryPath, quotedBlock('do-deploy failed', lines));
    if (!this.#hasEnded) this.#output({ outcome: 'failed', summary: lines[0] ?? '' });
  }

  #finish({ result, command = this.#started?.command ?? 'deploy', ends }: Finished): void {
    this.#hasEnded = true;
    const closing = closingSentence(result, command, ends);
    const before = this.#before ?? releasesOf(result.rows);
    const { outcome, release } = result;
    const isStopped = outcome === 'failed' || outcome === 'interrupted';
    this.#output({ outcome, release: release.id, summary: isStopped ? `${closing} ${result.summary}` : closing });
    this.#append(this.#paths.summaryPath, stepSummary(result, { started: this.#started, before, closing }));
  }

  /** One line each: a line break would begin another output. */
  #output(values: Record<string, string>): void {
    const lines = Object.entries(values).map(
      ([name, value]) => `${name}=${value.replaceAll(/\s+/g, ' ').slice(0, LONGEST_OUTPUT)}\n`,
    );
    this.#append(this.#paths.outputPath, lines.join(''));
  }

  #append(path: string | undefined, text: string): void {
    if (path === undefined) return;
    try {
      appendFileSync(path, text);
    } catch {
      // A file that cannot be written must not stop a rollout, nor hide an error.
    }
  }
}

/** Each once. */
function releasesOf(rows: readonly StatusRow[]): string[] {
  return [...new Set(rows.map(({ release }) => release))].filter(Boolean);
}
