/**
 * Hides secrets in any text, whatever a program has made of them on the way: JSON (also Go's, which escapes <, > and &),
 * HTML, URLs, shell quoting, base64, base32, hexadecimal, a line break or invisible characters in the middle, or a cut at
 * either end of the text. Of output that comes line by line, each line is such a cut text.
 *
 * The text is decoded, up to twice, with a map back to where each character came from; secrets are looked for in that.
 */
import { encodingsOf } from './encodings.js';
import { CutIndex, FormIndex, type Found, HashedText, PartIndex } from './form-index.js';

/** Shorter values would blot out ordinary text. */
const SHORTEST_SECRET = 4;
/** Shorter pieces of a secret, such as the start of one that was cut, could be any word. */
const SHORTEST_PIECE = 8;
/** A line of a secret of many lines, such as a key, counts as a secret of its own from this length. */
const SHORTEST_LINE = 16;
/** JSON inside JSON is decoded, and nothing deeper. */
const DECODINGS = 2;

export const MASK = '[secret]';

/** @returns a function that replaces every form of every secret by `[secret]`; the number of lines stays the same */
export function createRedactor(secrets: readonly string[]): (text: string) => string {
  const known = [...new Set(secrets.flatMap(telling))].filter((secret) => secret.length >= SHORTEST_SECRET);
  if (known.length === 0) return (text) => text;
  // They take time and memory, and many commands show nothing.
  let forms: Forms | undefined;
  return (text) => {
    if (text.length < SHORTEST_SECRET) return text;
    forms ??= formsOf(known);
    const found = formsIn(text, forms);
    return found.length === 0 ? text : mask(text, found);
  };
}

/** Where a secret can be recognised in a text that is decoded, and from what on. */
interface Forms {
  whole: FormIndex;
  cut: CutIndex;
  folded: CutIndex;
  parts: PartIndex;
}

export function formsOf(known: readonly string[]): Forms {
  const plain = [...new Set(known.map((secret) => canonical(secret)))].filter((text) => text.length >= SHORTEST_SECRET);
  const isLong = (form: string) => form.length >= SHORTEST_PIECE;
  const encoded = [...new Set(known.flatMap(encodingsOf))].filter(isLong);
  const folded = [...encoded, ...plain.filter(isKey)];
  return {
    whole: new FormIndex(new Set([...plain, ...encoded, ...known.flatMap(escapedForms).filter(isLong)]), [
      SHORTEST_SECRET,
      SHORTEST_PIECE,
    ]),
    cut: new CutIndex(plain, SHORTEST_PIECE),
    folded: new CutIndex(folded, SHORTEST_FOLD),
    parts: new PartIndex(folded, SHORTEST_FOLD),
  };
}

export function formsIn(text: string, { whole, cut, folded, parts }: Forms): Range[] {
  const found: Range[] = [];
  let view: View = { text, from: undefined };
  for (let decodings = 0; decodings <= DECODINGS; decodings += 1) {
    const before = view.text;
    view = decode(view, decodings > 0);
    if (decodings > 0 && view.text === before) break;
    const hashed = new HashedText(view.text);
    let isHidden = false;
    const add = (start: number, end: number) => {
      if (start === end) return;
      isHidden ||= start === 0 && end === hashed.length;
      found.push(rangeOf(view, start, end));
    };
    whole.find(hashed, add);
    findCut(cut, hashed, add);
    if (!isHidden) findFolded(folded, parts, hashed, add);
    // There is nothing more to decode.
    if (!ESCAPED.test(view.text)) break;
  }
  return found;
}

type Range = [start: number, end: number];

/** A decoded text, and where in the original each of its characters began; `from` is one longer than the text. */
interface View {
  text: string;
  from: Int32Array | undefined;
}

function canonical(text: string): string {
  return decode({ text, from: undefined }, false).text;
}

/**
 * A line break with what programs put around it: a backslash before, indentation or a bar behind. And characters that
 * cannot be seen: zero-width spaces and joiners, soft hyphens.
 */
const BREAK = /\\?\r?\n[ \t│|]*|[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]+/y;
/** One character in a spelling of JSON, a shell, a URL or HTML. */
const ESCAPE =
  /\\{1,8}u([0-9a-f]{4})|\\{1,8}x([0-9a-f]{2})|((?:%[0-9a-f]{2})+)|&#x0*([0-9a-f]{1,6});|&#0*([0-9]{1,7});|&(amp|lt|gt|quot|apos);|'\\''|'"'"'|\\([nrtbf])|\\(?!%[0-9a-f]{2}|&#?\w+;)([^\n])/iy;
const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
const SHORT: Readonly<Record<string, string>> = { n: '', r: '', t: '\t', b: '\b', f: '\f' };

/** What a line break or an escape can begin with. */
const SPECIAL = /[\\\r\n\u00ad\u200b-\u200f\u2060-\u2064\ufeff%&']/g;
const ESCAPED = /[\\%&']/;

/** Without line breaks, with spaces as URLs write them, and with `escapes` one level of escaping undone. */
function decode({ text, from }: View, escapes: boolean): View {
  const pieces: string[] = [];
  // Nothing becomes longer.
  const starts = new Int32Array(text.length + 1);
  let length = 0;
  const origin = (index: number) => (from === undefined ? index : (from[index] ?? 0));
  const copy = (start: number, end: number) => {
    if (start < end) pieces.push(text.slice(start, end));
    for (let index = start; index < end; index += 1) starts[length++] = origin(index);
  };
  let done = 0;
  for (SPECIAL.lastIndex = 0; ; ) {
    const index = SPECIAL.exec(text)?.index;
    if (index === undefined) break;
    copy(done, index);
    BREAK.lastIndex = index;
    const lineBreak = BREAK.exec(text);
    ESCAPE.lastIndex = index;
    const spelling = lineBreak === null && escapes ? ESCAPE.exec(text) : null;
    if (lineBreak !== null) done = index + lineBreak[0].length;
    else if (spelling === null) {
      copy(index, index + 1);
      done = index + 1;
    } else {
      const character = unescaped(spelling);
      pieces.push(character);
      for (let unit = 0; unit < character.length; unit += 1) starts[length++] = origin(index);
      done = index + spelling[0].length;
    }
    SPECIAL.lastIndex = done;
  }
  copy(done, text.length);
  starts[length] = origin(text.length);
  return { text: pieces.join('').replaceAll(' ', '+'), from: starts.subarray(0, length + 1) };
}

function unescaped(match: RegExpExecArray): string {
  const [whole, json, byte, url, hex, decimal, named, short, other] = match;
  if (url !== undefined) return Buffer.from(url.replaceAll('%', ''), 'hex').toString('utf8');
  if (named !== undefined) return NAMED[named.toLowerCase()] ?? whole;
  if (short !== undefined) return SHORT[short.toLowerCase()] ?? short;
  if (other !== undefined) return other;
  const code = Number.parseInt(json ?? byte ?? hex ?? decimal ?? '', decimal === undefined ? 16 : 10);
  if (Number.isNaN(code)) return "'";
  if (code === 10 || code === 13) return '';
  return code > 0x10ffff ? whole : json === undefined ? String.fromCodePoint(code) : String.fromCharCode(code);
}

/** The beginning of any address, or of any key. */
const COMMONPLACE = /^[a-z][a-z0-9+.-]*:\/{0,2}$|^-+[A-Z+]*-*$/i;

/** Longer pieces are more than that. */
const LONGEST_COMMONPLACE = 100;

function isTelling(piece: string): boolean {
  return piece.length > LONGEST_COMMONPLACE || !COMMONPLACE.test(piece);
}

/** What programs cut is cut at an end of the text: there a piece of a secret is hidden, too, with its ellipsis. */
function findCut(cut: CutIndex, view: HashedText, found: Found): void {
  const { text } = view;
  const end = text.length - (/(?:…|\.\.\.)$/.exec(text)?.[0].length ?? 0);
  const start = /^(?:…|\.\.\.)/.exec(text)?.[0].length ?? 0;
  const atEnd = cut.atEnd(view, end, isTelling);
  if (atEnd > 0) found(end - atEnd, text.length);
  const atStart = cut.atStart(view, start, isTelling);
  if (atStart > 0) found(0, start + atStart);
}

/** A line of a folded secret, such as `base64` and `fold` print: shorter ones could be any word. */
const SHORTEST_FOLD = 12;
const FOLD = /^[\w+/=-]+$/;
const FOLD_END = /[\w+/=-]{12}$/;
const FOLD_START = /^\+*[\w+/=-]{12}/;

/** Random letters and digits: a part of an address or a phrase may be an ordinary word. */
function isKey(secret: string): boolean {
  return /^[\w+/=-]{16,}$/.test(secret) && /\d/.test(secret) && /[a-z]/i.test(secret);
}

/** The whole text is a part of an encoded secret or of a key, or it ends or begins with one that goes on elsewhere. */
function findFolded(folded: CutIndex, parts: PartIndex, view: HashedText, found: Found): void {
  const { text } = view;
  const first = firstInk(text);
  if (FOLD.test(text) && parts.has(text.slice(first, lastInk(text)))) {
    found(0, text.length);
    return;
  }
  const atEnd = FOLD_END.test(text) ? folded.atEnd(view, text.length) : 0;
  if (atEnd > 0) found(text.length - atEnd, text.length);
  if (!FOLD_START.test(text)) return;
  const behind = folded.atStart(view, first);
  if (behind > 0) found(first, first + behind);
  else found(0, folded.atStart(view, 0));
}

/** Where blanks, as URLs write them, end at the beginning of a text. */
function firstInk(text: string): number {
  let at = 0;
  while (text[at] === '+') at += 1;
  return at;
}

/** Where they begin at its end. */
function lastInk(text: string): number {
  let at = text.length;
  while (text[at - 1] === '+') at -= 1;
  return at;
}

function rangeOf({ from }: View, start: number, end: number): Range {
  return [from?.[start] ?? start, from?.[end] ?? end];
}

function mask(text: string, found: Range[]): string {
  let masked = '';
  let done = 0;
  for (const [start, end] of found.sort((a, b) => a[0] - b[0] || b[1] - a[1])) {
    if (end <= done) continue;
    const hidden = text.slice(Math.max(start, done), end);
    // A match may span lines: they are kept, so that a list of lines stays as long as it was.
    masked += (start >= done ? text.slice(done, start) + MASK : '') + '\n'.repeat(hidden.split('\n').length - 1);
    done = end;
  }
  return masked + text.slice(done);
}

/** The secret, also without blanks at its ends, and the lines of one that has several: a key is often printed line by line. */
function telling(secret: string): string[] {
  const lines = secret.split('\n').map((line) => line.trim());
  const long = lines.filter((line) => line.length >= SHORTEST_LINE && !line.startsWith('-----'));
  return lines.length < 2 ? [secret, secret.trim()] : [secret.trim(), ...long];
}

/**
 * The usual spellings as they stand: what precedes one may change how it is decoded, as a `%` does before `00%20`, or a
 * backslash before another.
 */
function escapedForms(secret: string): string[] {
  const url = encodeURIComponent(Buffer.from(secret).toString());
  const lowerCaseUrl = url.replace(/%../g, (byte) => byte.toLowerCase());
  const json = JSON.stringify(secret).slice(1, -1);
  return [url, lowerCaseUrl, json, JSON.stringify(json).slice(1, -1)].map(canonical);
}
