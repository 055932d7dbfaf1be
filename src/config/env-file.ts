/**
 * Env files as docker compose reads them, for `env_file:` and `--env-file`, or a refusal that names the line.
 * Source: https://github.com/compose-spec/compose-go/blob/main/dotenv/parser.go
 */
import { interpolate, type Lookup } from './interpolate.js';

export interface EnvVariable {
  name: string;
  /** As a container gets it. */
  value: string;
  /** As it is written, without the quotes around it. */
  raw: string;
  /** From 1. */
  line: number;
  /** Variables that the value refers to and that are not set: nothing stands in their place. */
  unset?: string[];
}

/** What is wrong, without any text of the file: it may be part of a secret. */
export interface EnvFault {
  line: number;
  message: string;
  remedy: string;
}

export interface EnvFile {
  /** In their order; of several with one name the last is in force. Without names that only pass a variable on (`NAME`). */
  variables: EnvVariable[];
  /** Why it cannot be read further; `variables` are those before. */
  fault?: EnvFault;
}

/** Spaces within a line. */
const BLANK = /[\t\v\f\r \u0085\u00a0]/;
const BLANKS = /[\t\v\f\r \u0085\u00a0]*/y;
/** What Go's unicode.IsSpace calls a space. */
const SPACE = /[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;
const SPACES = new RegExp(`${SPACE.source}*`, 'y');
const EXPORT = /export[\t\n\f\r ]+/y;
const NAME_CHARACTER = /[\p{L}\p{N}_.[\]-]/u;
const ESCAPE = /\\(?:[abcfnrtv$"\\]|0\d{0,3})/g;

const QUOTE = 'put a value of several lines in double quotes, and write each variable as NAME=value';

/** @param lookup variables from elsewhere; they come before those of the file */
export function parseEnvFile(text: string, lookup: Lookup = () => undefined): EnvFile {
  const source = new Source(text);
  const variables: EnvVariable[] = [];
  const known = new Map<string, string>();
  const find: Lookup = (name) => lookup(name) ?? known.get(name);

  for (;;) {
    for (source.skip(SPACES); source.peek() === '#'; source.skip(SPACES)) source.takeLine();
    if (source.isAtEnd) return { variables };
    const line = source.line;
    const statement = readName(source);
    if (isFault(statement)) return { variables, fault: { line, ...statement } };
    if (statement.isInherited) {
      const value = lookup(statement.name);
      if (value !== undefined) known.set(statement.name, value);
      continue;
    }
    const read = readValue(source, find);
    if (isFault(read)) return { variables, fault: { line, ...read } };
    variables.push({ name: statement.name, ...read, line });
    known.set(statement.name, read.value);
  }
}

type Fault = Omit<EnvFault, 'line'>;

function isFault(result: object): result is Fault {
  return 'remedy' in result;
}

/** Reads `NAME=`, `NAME:` or `NAME` with the end of its line, and the blanks after it. */
function readName(source: Source): { name: string; isInherited: boolean } | Fault {
  // As in compose, which passes over blanks only: a name never begins on the line after `export`.
  if (source.matches(EXPORT)) source.move('export'.length);
  source.skip(BLANKS);
  let name = '';
  for (;;) {
    const character = source.take();
    if (character === '') return { message: 'the last line has no =', remedy: QUOTE };
    if (character === '=' || character === ':' || character === '\n') {
      name = trimEnd(name);
      if (SPACE.test(name)) return { message: "a variable's name contains a space", remedy: QUOTE };
      if (name === '' && character !== '\n') return { message: 'a name is missing before the =', remedy: QUOTE };
      source.skip(BLANKS);
      return { name, isInherited: character === '\n' };
    }
    if (!NAME_CHARACTER.test(character) && !BLANK.test(character)) {
      return { message: "a variable's name contains a character that no name may have", remedy: QUOTE };
    }
    name += character;
  }
}

function readValue(source: Source, lookup: Lookup): Pick<EnvVariable, 'value' | 'raw' | 'unset'> | Fault {
  const unset: string[] = [];
  const expand = (text: string) => interpolate(text, lookup, { onUnset: (name) => unset.push(name) });
  const found = (value: string | undefined, raw: string) => {
    if (value === undefined) return BAD_REFERENCE;
    return unset.length === 0 ? { value, raw } : { value, raw, unset };
  };
  const quote = source.peek();
  if (quote !== '"' && quote !== "'") {
    const line = source.takeLine();
    const raw = trimEnd(line.split(' #', 1)[0] ?? '');
    if (/^-----BEGIN (?!.*-----END )/.test(raw)) {
      return { message: 'a key of several lines is not in quotes', remedy: 'put double quotes around all of it' };
    }
    return found(expand(raw), raw);
  }

  const raw = source.takeQuoted(quote);
  if (raw === undefined) return { message: 'a quote is not closed', remedy: `close the value with ${quote}` };
  const unquoted = raw.replaceAll(/\\([\s\S])/g, (whole, next: string) => (next === quote ? quote : whole));
  return found(quote === "'" ? unquoted : expand(expandEscapes(unquoted)), raw);
}

/** Not by a regular expression: these take quadratic time for many spaces. */
function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && SPACE.test(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end);
}

const BAD_REFERENCE: Fault = {
  message: 'a reference in braces is malformed, or names a variable that is required and not set',
  remedy: 'write a dollar sign as $$, or put single quotes around the value',
};

const CONTROLS: Record<string, string> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '"': '"',
  '\\': '\\',
  // For `interpolate`, which makes one of two.
  $: '$$',
};

/** `\n`, `\t`, `\0123` and the like; what Go's strconv.UnquoteChar refuses stays, without the 0 of an octal number. */
function expandEscapes(text: string): string {
  return text.replace(ESCAPE, (whole) => {
    const octal = /^\\0(\d*)$/.exec(whole)?.[1];
    if (octal === undefined) return CONTROLS[whole.slice(1)] ?? whole;
    const code = /^[0-7]{3}$/.test(octal) ? Number.parseInt(octal, 8) : Number.POSITIVE_INFINITY;
    return code > 255 ? `\\${octal}` : String.fromCharCode(code);
  });
}

/** A text that is read from its beginning, with the number of the line. */
class Source {
  readonly #text: string;
  #position = 0;
  #line = 1;
  /** Up to where line breaks are counted. */
  #counted = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get isAtEnd(): boolean {
    return this.#position >= this.#text.length;
  }

  get line(): number {
    for (; this.#counted < this.#position; this.#counted += 1) if (this.#text[this.#counted] === '\n') this.#line += 1;
    return this.#line;
  }

  peek(): string {
    return this.#text.charAt(this.#position);
  }

  move(length: number): void {
    this.#position += length;
  }

  /** @param pattern sticky */
  matches(pattern: RegExp): boolean {
    pattern.lastIndex = this.#position;
    return pattern.test(this.#text);
  }

  skip(pattern: RegExp): void {
    if (this.matches(pattern)) this.#position = pattern.lastIndex;
  }

  /** The next character, of two units if it has them; '' at the end. */
  take(): string {
    const code = this.#text.codePointAt(this.#position);
    const character = code === undefined ? '' : String.fromCodePoint(code);
    this.#position += character.length;
    return character;
  }

  /** To the end of the line, which is passed over. */
  takeLine(): string {
    const end = this.#text.indexOf('\n', this.#position);
    const line = this.#text.slice(this.#position, end < 0 ? undefined : end);
    this.#position = end < 0 ? this.#text.length : end + 1;
    return line;
  }

  /** What stands between this quote and the next one that no backslash precedes; undefined when there is none. */
  takeQuoted(quote: string): string | undefined {
    const start = this.#position + 1;
    for (let index = start; index < this.#text.length; index += 1) {
      if (this.#text[index] === '\\') index += 1;
      else if (this.#text[index] === quote) {
        this.#position = index + 1;
        return this.#text.slice(start, index);
      }
    }
    return undefined;
  }
}
