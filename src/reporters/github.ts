/** What GitHub Actions shows besides the log: annotations on the run. Its log is folded, and its files are written, elsewhere. */
import type { Reporter } from '../ports.js';
import type { DeployEvent, DeployResult } from '../rollout/model.js';
import { nextCommands } from './ending.js';
import { type Command, closingSentence } from './phrases.js';

/** Decorates the plain reporter. */
export class GithubReporter implements Reporter {
  readonly #plain: Reporter;
  readonly #write: (text: string) => void;
  #command: Command = 'deploy';

  constructor(plain: Reporter, write: (text: string) => void) {
    this.#plain = plain;
    this.#write = write;
  }

  report(event: DeployEvent): void {
    if (event.type === 'rollout-started') this.#command = event.command;
    this.#plain.report(event);
    if (event.type === 'notice' && event.level === 'warning') {
      this.#write(annotation('warning', event.message, event.droplet));
    }
    if (event.type === 'rollout-finished') this.#annotate(event.result);
  }

  async close(): Promise<void> {
    await this.#plain.close?.();
  }

  #annotate(result: DeployResult): void {
    const closing = closingSentence(result, this.#command);
    const next = nextCommands(result).map((words) => words.join(' '));
    const text = [closing, result.summary, ...next].join('\n');
    if (result.outcome === 'failed') this.#write(annotation('error', text, result.error?.droplet));
    if (result.outcome === 'interrupted') this.#write(annotation('warning', text));
  }
}

export function annotation(level: 'error' | 'warning', message: string, about?: string): string {
  const title = about === undefined ? 'do-deploy' : `do-deploy: ${about}`;
  return `::${level} title=${escapeMessage(title).replaceAll(':', '%3A').replaceAll(',', '%2C')}::${escapeMessage(message)}\n`;
}

export function escapeMessage(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

/**
 * The runners of GitHub (`::`, `##[`) and Azure (`##vso[`, `##[`) obey commands from any source, also from a container's log:
 * this breaks them.
 */
export function withoutCommands(text: string): string {
  return text.replace(/^(\s*):(?=:)/gm, '$1: ').replaceAll(/##(?=(?:vso)?\[)/gi, '## ');
}
