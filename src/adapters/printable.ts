/** Texts from outside (the API, git, a droplet) on their way into messages: no control sequences, bounded length. */
import { withoutSequences } from '../escape-sequences.js';

/** Control characters, and format characters such as the ones that reverse the direction of a line. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu;

/** One line of at most `limit` characters. */
export function oneLine(text: string, limit = 300): string {
  const line = withoutSequences(text.slice(0, limit * 4))
    .replace(INVISIBLE, ' ')
    .trim();
  return line.length > limit ? `${line.slice(0, limit)}…` : line;
}

/** At most `count` lines, each cleaned as `oneLine` does; empty ones are left out. */
export function fewLines(text: string, count: number): string {
  const lines = text
    .slice(0, 64 * 1024)
    .split(/\r?\n/)
    .map((line) => oneLine(line));
  return lines.filter(Boolean).slice(0, count).join('\n');
}
