/** The lines of an ssh configuration, split into words as OpenSSH does (readconf.c, misc.c: strdelim, argv_split). */

/**
 * What is wrong in a configuration, or asks for something that do-deploy cannot do. `hint` is the way out; `value` is what
 * is wrong, as written, where the message does not name its place yet.
 */
export class ConfigProblem extends Error {
  constructor(
    message: string,
    readonly hint?: string,
    readonly value?: string,
  ) {
    super(message);
  }
}

export interface ConfigLine {
  /** In lower case. */
  keyword: string;
  words: string[];
  /** All that follows the keyword, as written: a command keeps its quotes and `#`. */
  rest: string;
  /** `file:line`, for people. */
  place: string;
}

/** Throws ConfigProblem. */
export function splitConfig(text: string, file: string): ConfigLine[] {
  return text.split('\n').flatMap((line, index) => splitLine(line, `${file}:${index + 1}`) ?? []);
}

function splitLine(written: string, place: string): ConfigLine | undefined {
  const line = trim(written);
  if (line === '' || line.startsWith('#')) return undefined;
  const [, quoted, plain, rest = ''] = /^(?:"([^"]*)"|([^ \t\r="]+))[ \t\r]*=?[ \t\r]*([\s\S]*)$/.exec(line) ?? [];
  const keyword = (quoted ?? plain ?? '').toLowerCase();
  if (keyword === '' || rest === '') throw new ConfigProblem(`${place}: no argument after "${keyword || line}"`);
  // The criteria of Match are split by rules of their own, and a command is not split at all.
  const words = keyword === 'match' || keyword === 'proxycommand' ? [] : splitWords(rest, place);
  return { keyword, words, rest, place };
}

/** Not by a regular expression: these take quadratic time for many spaces in the middle. */
function trim(line: string): string {
  let end = line.length;
  while (end > 0 && ' \t\r\f'.includes(line.charAt(end - 1))) end -= 1;
  return line.slice(0, end).replace(/^[ \t\r]+/, '');
}

/** Quotes of both kinds, backslashes before quotes, backslashes and blanks; `#` at the start of a word is a comment. */
export function splitWords(text: string, place: string): string[] {
  const words: string[] = [];
  let at = 0;
  while (at < text.length) {
    if (isBlank(text[at])) {
      at++;
      continue;
    }
    if (text[at] === '#') break;
    let word = '';
    let quote = '';
    for (; at < text.length; at++) {
      const letter = text[at] ?? '';
      const next = text[at + 1] ?? '';
      if (letter === '\\' && (/['"\\]/.test(next) || (quote === '' && next === ' '))) {
        word += next;
        at++;
      } else if (quote === '' && isBlank(letter)) break;
      else if (quote === '' && (letter === '"' || letter === "'")) quote = letter;
      else if (letter === quote) quote = '';
      else word += letter;
    }
    if (quote !== '') throw new ConfigProblem(`${place}: a quote is not closed`);
    words.push(word);
  }
  return words;
}

/** The criteria and arguments of `Match`: `host=web-*`, `user "a b"`, `all`. */
export function splitCriteria(text: string): string[] {
  const words: string[] = [];
  for (const [, quoted, plain] of text.matchAll(/(?:"([^"]*)"|([^\s="]+))[\s=]*/g)) {
    const word = quoted ?? plain ?? '';
    if (quoted === undefined && word.startsWith('#')) break;
    words.push(word);
  }
  return words;
}

function isBlank(letter: string | undefined): boolean {
  return letter === ' ' || letter === '\t';
}
