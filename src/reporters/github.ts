/** What GitHub Actions shows besides the log: folded groups, annotations on the run, and the step's summary page. */
import { appendFileSync } from 'node:fs';
import type { Reporter } from '../ports.js';
import type { DeployEvent, DeployResult } from '../rollout/model.js';
import { containerSentence, nextCommands, probeSentences } from './ending.js';
import { batchSentence, type Command, closingSentence, phaseSentence } from './phrases.js';

/** Decorates the plain reporter. `summaryPath` is the file that GITHUB_STEP_SUMMARY names. */
export class GithubReporter implements Reporter {
  readonly #plain: Reporter;
  readonly #write: (text: string) => void;
  readonly #summaryPath: string | undefined;
  #isGroupOpen = false;
  #command: Command = 'deploy';

  constructor(plain: Reporter, write: (text: string) => void, summaryPath: string | undefined) {
    this.#plain = plain;
    this.#write = write;
    this.#summaryPath = summaryPath;
  }

  report(event: DeployEvent): void {
    if (event.type === 'rollout-started') this.#command = event.command;
    if (event.type === 'phase-started') {
      // The rolling phase has a group for each batch.
      if (event.phase === 'roll') this.#closeGroup();
      else this.#openGroup(phaseSentence(event));
    }
    if (event.type === 'batch-started') this.#openGroup(batchSentence(event));
    if (event.type === 'rollout-finished') this.#closeGroup();
    this.#plain.report(event);
    if (event.type === 'notice' && event.level === 'warning') {
      this.#write(annotation('warning', event.message, event.droplet));
    }
    if (event.type === 'rollout-finished') this.#finish(event.result);
  }

  #finish(result: DeployResult): void {
    const closing = closingSentence(result, this.#command);
    const next = nextCommands(result).map((words) => words.join(' '));
    const text = [closing, result.summary, ...next].join('\n');
    if (result.outcome === 'failed') this.#write(annotation('error', text, result.error?.droplet));
    if (result.outcome === 'interrupted') this.#write(annotation('warning', text));
    if (this.#summaryPath !== undefined) appendFileSync(this.#summaryPath, stepSummary(result, closing));
  }

  #openGroup(title: string): void {
    this.#closeGroup();
    this.#isGroupOpen = true;
    this.#write(`::group::${escapeMessage(title)}\n`);
  }

  #closeGroup(): void {
    if (this.#isGroupOpen) this.#write('::endgroup::\n');
    this.#isGroupOpen = false;
  }
}

export function annotation(level: 'error' | 'warning', message: string, about?: string): string {
  const title = about === undefined ? 'do-deploy' : `do-deploy: ${about}`;
  return `::${level} title=${escapeMessage(title).replaceAll(':', '%3A').replaceAll(',', '%2C')}::${escapeMessage(message)}\n`;
}

function escapeMessage(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

/** The runner obeys commands from any source, also from a container's log: this breaks them. */
export function withoutCommands(text: string): string {
  return text.replace(/^(\s*):(?=:)/gm, '$1: ').replaceAll('##[', '## [');
}

function stepSummary(result: DeployResult, closing: string): string {
  const cells = (texts: string[]) => `| ${texts.map(inMarkdown).join(' | ')} |`;
  const lines = [
    `### ${inMarkdown(closing)}`,
    '',
    '| droplet | address | rotation | release | health | result |',
    '| --- | --- | --- | --- | --- | --- |',
    ...result.rows.map((row) => cells([row.name, row.address, row.rotation, row.release, row.health, row.outcome])),
    '',
  ];
  lines.push(...probeSentences(result).flatMap((sentence) => [inMarkdown(sentence), '']));
  if (result.outcome === 'failed' || result.outcome === 'interrupted') lines.push(inMarkdown(result.summary), '');
  for (const { droplet, evidence } of result.evidence ?? []) {
    lines.push('<details>', `<summary>${inMarkdown(`${droplet}: ${evidence.cause}`)}</summary>`, '');
    for (const container of evidence.containers) {
      lines.push(inMarkdown(containerSentence(container)), '');
      const said = [...(container.healthOutput ?? []), ...(container.log ?? [])];
      if (said.length > 0) lines.push(...fenced(said), '');
    }
    if (evidence.disk !== undefined) lines.push(inMarkdown(evidence.disk), '');
    lines.push('</details>', '');
  }
  for (const [what, command] of nextCommands(result)) lines.push(what, '', ...fenced([command]), '');
  return `${lines.join('\n')}\n`;
}

function inMarkdown(text: string): string {
  return text.replaceAll('\n', ' ').replace(/[\\`*_[\]<>|#]/g, (mark) => `&#${mark.charCodeAt(0)};`);
}

/** The fence is longer than any in the text, so the text cannot end it. */
function fenced(lines: string[]): string[] {
  const longest = Math.max(2, ...(lines.join('\n').match(/`+/g) ?? []).map((run) => run.length));
  const fence = '`'.repeat(longest + 1);
  return [fence, ...lines, fence];
}
