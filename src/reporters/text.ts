/** Text on a terminal: its width, where to cut it, and times and numbers in words. */
import { stripVTControlCharacters } from 'node:util';
import { inWords } from '../durations.js';
import { withoutSequences } from '../escape-sequences.js';

let segmenter: Intl.Segmenter | undefined;

/** Made when it is first needed: that takes as long as loading a command. */
function segment(text: string): Intl.Segments {
  segmenter ??= new Intl.Segmenter('en', { granularity: 'grapheme' });
  return segmenter.segment(text);
}

/** East Asian wide and fullwidth characters, and emoji: two columns each. */
const WIDE =
  /^(?:\p{Emoji_Presentation}|\p{Extended_Pictographic}\uFE0F|[\u1100-\u115F\u2E80-\u303E\u3041-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6\u{20000}-\u{3FFFD}])/u;
const INVISIBLE = /^[\p{Mark}\p{Format}]+$/u;
const ASCII = /^[\x20-\x7e]*$/;

const UNSAFE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these must be removed
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

function graphemeWidth(grapheme: string): number {
  if (WIDE.test(grapheme)) return 2;
  return INVISIBLE.test(grapheme) ? 0 : 1;
}

/** The columns that a text takes on a terminal; colours take none. */
export function widthOf(text: string): number {
  const bare = stripVTControlCharacters(text);
  if (ASCII.test(bare)) return bare.length;
  return [...segment(bare)].reduce((sum, { segment: grapheme }) => sum + graphemeWidth(grapheme), 0);
}

/** Which part of a text that is too long is replaced by …. */
export type Lose = 'end' | 'start' | 'middle';

/** Cuts uncoloured text to `columns`. */
export function truncate(text: string, columns: number, lose: Lose = 'end'): string {
  if (widthOf(text) <= columns) return text;
  if (lose === 'end') return `${head(text, columns - 1)}…`;
  if (lose === 'start') return `…${tail(text, columns - 1)}`;
  const kept = Math.ceil((columns - 1) / 2);
  return `${head(text, kept)}…${tail(text, columns - 1 - kept)}`;
}

/** Cuts the texts of a column to `columns`: at `lose` if different texts still differ then, otherwise elsewhere. */
export function truncateAll(texts: readonly string[], columns: number, lose: Lose = 'end'): string[] {
  if (texts.every((text) => widthOf(text) <= columns)) return [...texts];
  return cutApart(texts, columns, lose) ?? texts.map((text) => truncate(text, columns, lose));
}

/** The width from `least` on at which `truncateAll` leaves different texts different. */
export function apartFrom(texts: readonly string[], least: number, lose: Lose = 'end'): number {
  const widest = Math.max(0, ...texts.map(widthOf));
  let columns = least;
  while (columns < widest && cutApart(texts, columns, lose) === undefined) columns += 1;
  return Math.min(columns, widest);
}

/** Undefined if different texts would look the same, wherever they are cut. */
function cutApart(texts: readonly string[], columns: number, lose: Lose): string[] | undefined {
  const different = [...new Set(texts)];
  const cutAll = (all: readonly string[], place: Lose) => {
    const cut = new Map(all.map((text, index) => [different[index] ?? '', truncate(text, columns, place)]));
    return new Set(cut.values()).size === different.length ? texts.map((text) => cut.get(text) ?? '') : undefined;
  };
  for (const place of [lose, 'middle', 'start'] as const) {
    const cut = cutAll(different, place);
    if (cut !== undefined) return cut;
  }
  const shared = sharedStart(different);
  const rest = different.map((text) => `…${split(text).slice(shared).join('')}`);
  return cutAll(rest, 'end') ?? cutAll(rest, 'middle');
}

/** The number of graphemes that all texts begin with. */
function sharedStart([first = '', ...others]: readonly string[]): number {
  const rest = others.map(split);
  const graphemesOfFirst = split(first);
  const end = graphemesOfFirst.findIndex((grapheme, index) => rest.some((other) => other[index] !== grapheme));
  return end < 0 ? graphemesOfFirst.length : end;
}

function head(text: string, columns: number): string {
  return fitting(split(text), columns).join('');
}

function tail(text: string, columns: number): string {
  return fitting(split(text).reverse(), columns).reverse().join('');
}

/** Into graphemes. */
function split(text: string): string[] {
  return ASCII.test(text) ? text.split('') : [...segment(text)].map(({ segment: grapheme }) => grapheme);
}

/** As many of the graphemes, from the first on, as take no more than `columns`. */
function fitting(parts: string[], columns: number): string[] {
  let width = 0;
  const end = parts.findIndex((part) => {
    width += graphemeWidth(part);
    return width > columns;
  });
  return end < 0 ? parts : parts.slice(0, end);
}

/**
 * Foreign text made safe for a terminal: no escape sequences, no control characters but the line feed, and none that
 * turn the direction of a line, so that a container's log cannot move the cursor, clear the screen or disguise a word.
 */
export function cleanText(text: string): string {
  return withoutSequences(text).replaceAll('\t', '  ').replaceAll('\r\n', '\n').replace(UNSAFE, '');
}

/** "40 ms", "1.2 s", "24 s", "3 min 5 s": always as exact, for what was measured */
export function duration(ms: number): string {
  return ms >= 100 && ms < 9_950 ? `${(ms / 1000).toFixed(1)} s` : inWords(ms);
}

/** An event's time in the reader's time zone: "07:45:03" */
export function clockTime(at: string): string {
  return new Date(at).toTimeString().slice(0, 8);
}

/** "1 droplet", "3 droplets" */
export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}

/** Indents every line but the first, so that a message of several lines stays together. */
export function hang(text: string, indent: string): string {
  return text.replaceAll('\n', `\n${indent}`);
}
