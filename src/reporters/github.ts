/** What GitHub Actions shows besides the log: annotations on the run. Its log is folded, and its files are written, elsewhere. */
import { posix } from 'node:path';
import type { Problem } from '../config/problems.js';
import type { Reporter } from '../ports.js';
import type { DeployEvent, RollingCommand } from '../rollout/model.js';
import { nextCommands } from './ending.js';
import { closingSentence } from './phrases.js';

/** Decorates the plain reporter. */
type Finished = Extract<DeployEvent, { type: 'rollout-finished' }>;

export class GithubReporter implements Reporter {
  readonly #plain: Reporter;
  readonly #write: (text: string) => void;
  #command: RollingCommand = 'deploy';

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
    if (event.type === 'rollout-finished') this.#annotate(event);
  }

  async close(): Promise<void> {
    await this.#plain.close?.();
  }

  #annotate({ result, command = this.#command, ends }: Finished): void {
    const closing = closingSentence(result, command, ends);
    const next = nextCommands(result).map((words) => words.join(' '));
    const text = [closing, result.summary, ...next].join('\n');
    if (result.outcome === 'failed') this.#write(annotation('error', text, result.error?.droplet));
    if (result.outcome === 'interrupted') this.#write(annotation('warning', text));
  }
}

export function annotation(
  level: 'error' | 'warning',
  message: string,
  about?: string,
  where: { file?: string; line?: string } = {},
): string {
  const title = about === undefined ? 'do-deploy' : `do-deploy: ${about}`;
  const properties = Object.entries({ title, ...where }).map(([key, value]) => `${key}=${escapeProperty(value)}`);
  return `::${level} ${properties.join(',')}::${escapeMessage(message)}\n`;
}

/** GitHub shows ten annotations of a kind for each step. */
const MAX_ANNOTATIONS = 10;

/**
 * One for each problem of the configuration, at its line.
 * @param folder where the paths of the problems begin, relative to the repository
 */
export function problemAnnotations(problems: readonly Problem[], folder: string): string {
  const shown = problems.length > MAX_ANNOTATIONS ? problems.slice(0, MAX_ANNOTATIONS - 1) : problems;
  const more = problems.length - shown.length;
  const each = shown.map(({ place, message, remedy }) => {
    const text = remedy === '' ? message : `${message}; ${remedy}`;
    const [, file, line] = /^(.*?)(?::(\d+))?$/s.exec(place) ?? [];
    // A place without a line may be a variable.
    const isFile = file !== undefined && (line !== undefined || file.includes('/'));
    if (!isFile) return annotation('error', `${place}: ${text}`);
    return annotation('error', text, undefined, {
      file: posix.join(folder, file),
      ...(line !== undefined && { line }),
    });
  });
  if (more > 0) each.push(annotation('error', `${more} more problems: the log lists them.`));
  return each.join('');
}

function escapeProperty(text: string): string {
  return escapeMessage(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
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
