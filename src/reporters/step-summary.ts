/** The page about a run that GitHub Actions shows: Markdown in which no text from outside can be anything but text. */
import { describeCommit } from '../rollout/commit.js';
import type { DeployEvent, DeployResult } from '../rollout/model.js';
import { containerSentence, hints, nextCommands, notes, probeSentences } from './ending.js';
import { createPalette } from './palette.js';

/** GitHub refuses pages of more than 1 MiB. Evidence is most of a page. */
const MOST_CHARACTERS = 200_000;

export interface RunFacts {
  /** Absent if the run ended before it had found the fleet. */
  started?: Extract<DeployEvent, { type: 'rollout-started' }>;
  /** The releases that ran when rolling began. */
  before: readonly string[];
  closing: string;
}

export function stepSummary(result: DeployResult, { started, before, closing }: RunFacts): string {
  const isStopped = result.outcome === 'failed' || result.outcome === 'interrupted';
  const lines = [`### ${inMarkdown(closing)}`, ''];
  const say = (...texts: string[]) => lines.push(...texts.flatMap((text) => [inMarkdown(text), '']));
  if (started !== undefined) say(`${started.app} on ${started.environment}, ${started.target}`);
  say(...releases(result, before));
  if (isStopped) say(result.summary, ...hints(result));
  if (result.rows.length > 0) lines.push(...table(result), '');
  // Its palette is plain, so the notes are text.
  const details = notes(result, createPalette(false));
  if (details.length > 0) lines.push(...details.map((note) => `- ${inMarkdown(note.trim())}`), '');
  say(...probeSentences(result));
  for (const [what, command] of nextCommands(result)) lines.push(what, '', ...fenced([command]), '');
  lines.push(...evidenceLines(result, MOST_CHARACTERS));
  return `${lines.join('\n')}\n`;
}

/** A title, and lines as they are. */
export function quotedBlock(title: string, lines: readonly string[]): string {
  const shown = lines.join('\n').slice(0, MOST_CHARACTERS).split('\n');
  return [`### ${inMarkdown(title)}`, '', ...fenced(shown), '', ''].join('\n');
}

/** "Release: …-v1 → …-v2 (commit 1a2b3c4)" */
function releases({ release }: DeployResult, before: readonly string[]): string[] {
  const { id, commit, dirty } = release;
  const after = id === '' ? [] : [commit === undefined ? id : `${id} (${describeCommit({ commit, dirty })})`];
  const old = before.filter((one) => one !== id);
  const words = [...(old.length === 0 ? [] : [old.join(', ')]), ...after];
  return words.length === 0 ? [] : [`Release: ${words.join(' → ')}`];
}

function table({ rows }: DeployResult): string[] {
  const cells = (texts: string[]) => `| ${texts.map(inMarkdown).join(' | ')} |`;
  return [
    '| droplet | address | rotation | release | health | result |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows.map((row) => cells([row.name, row.address, row.rotation, row.release, row.health, row.outcome])),
  ];
}

/** What failed containers printed, folded, droplet by droplet while there is room. */
function evidenceLines({ evidence: all = [] }: DeployResult, room: number): string[] {
  const lines: string[] = [];
  let left = room;
  for (const { droplet, evidence } of all) {
    const block = ['<details>', `<summary>${inMarkdown(`${droplet}: ${evidence.cause}`)}</summary>`, ''];
    for (const container of evidence.containers) {
      block.push(inMarkdown(containerSentence(container)), '');
      const said = [...(container.healthOutput ?? []), ...(container.log ?? [])];
      if (said.length > 0) block.push(...fenced(said), '');
    }
    if (evidence.disk !== undefined) block.push(inMarkdown(evidence.disk), '');
    block.push('</details>', '');
    left -= block.join('\n').length;
    if (left < 0) return [...lines, 'The log of this step has more.', ''];
    lines.push(...block);
  }
  return lines;
}

/** One line without markup, links or HTML. */
function inMarkdown(text: string): string {
  return text
    .replaceAll('\n', ' ')
    .replace(/[\\`*_[\]<>|#&~]|:(?=\/\/)|(?<=www)\./g, (mark) => `&#${mark.charCodeAt(0)};`);
}

/** The fence is longer than any in the text, so the text cannot end it. */
function fenced(lines: readonly string[]): string[] {
  const longest = Math.max(2, ...(lines.join('\n').match(/`+/g) ?? []).map((run) => run.length));
  const fence = '`'.repeat(longest + 1);
  return [fence, ...lines, fence];
}
