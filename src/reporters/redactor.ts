/**
 * Hides secrets in any text, whatever a program has made of them on the way: JSON (also Go's, which escapes <, > and &),
 * HTML, URLs, shell quoting, base64, base32, hexadecimal, a line break or invisible characters in the middle, or a cut at
 * either end of the text. Of output that comes line by line, each line is such a cut text.
 *
 * The text is decoded, up to twice, with a map back to where each character came from; secrets are looked for in that.
 */
import { encodingsOf } from './encodings.js';

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
  const plain = [...new Set(known.map((secret) => canonical(secret)))].filter((text) => text.length >= SHORTEST_SECRET);
  const isLong = (form: string) => form.length >= SHORTEST_PIECE;
  const encoded = [...new Set(known.flatMap(encodingsOf))].filter(isLong);
  const needles = [...new Set([...plain, ...encoded, ...known.flatMap(escapedForms).filter(isLong)])];
  const folded = [...encoded, ...plain.filter(isKey)];
  return (text) => {
    const found: Range[] = [];
    let view: View = { text, from: undefined };
    for (let decodings = 0; decodings <= DECODINGS; decodings += 1) {
      const before = view.text;
      view = decode(view, decodings > 0);
      for (const needle of needles) find(needle, view, found);
      for (const secret of plain) findCut(secret, view, found);
      findFolded(folded, view, found);
      if (decodings > 0 && view.text === before) break;
    }
    return found.length === 0 ? text : mask(text, found);
  };
}

type Range = [start: number, end: number];

/** A decoded text, and where in the original each of its characters began; `from` is one longer than the text. */
interface View {
  text: string;
  from: readonly number[] | undefined;
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

/** Without line breaks, with spaces as URLs write them, and with `escapes` one level of escaping undone. */
function decode({ text, from }: View, escapes: boolean): View {
  let decoded = '';
  const starts: number[] = [];
  const origin = (index: number) => (from === undefined ? index : (from[index] ?? 0));
  for (let index = 0; index < text.length; ) {
    BREAK.lastIndex = index;
    const lineBreak = BREAK.exec(text);
    if (lineBreak !== null) {
      index += lineBreak[0].length;
      continue;
    }
    ESCAPE.lastIndex = index;
    const spelling = escapes ? ESCAPE.exec(text) : null;
    const [character, length] = spelling === null ? [text[index] ?? '', 1] : [unescaped(spelling), spelling[0].length];
    const plain = character.replaceAll(' ', '+');
    for (let unit = 0; unit < plain.length; unit += 1) starts.push(origin(index));
    decoded += plain;
    index += length;
  }
  return { text: decoded, from: [...starts, origin(text.length)] };
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

function find(needle: string, view: View, found: Range[]): void {
  for (let at = view.text.indexOf(needle); at >= 0; at = view.text.indexOf(needle, at + needle.length)) {
    found.push(rangeOf(view, at, at + needle.length));
  }
}

/** The beginning of any address, or of any key. */
const COMMONPLACE = /^[a-z][a-z0-9+.-]*:\/{0,2}$|^-+[A-Z+]*-*$/i;

/** What programs cut is cut at an end of the text: there a piece of a secret is hidden, too, with its ellipsis. */
function findCut(secret: string, view: View, found: Range[]): void {
  const { text } = view;
  const end = text.length - (/(?:…|\.\.\.)$/.exec(text)?.[0].length ?? 0);
  const start = /^(?:…|\.\.\.)/.exec(text)?.[0].length ?? 0;
  const longest = secret.length - 1;
  const atEnd = overlap(secret.slice(0, longest), text.slice(Math.max(0, end - longest), end));
  const first = atEnd.find((size) => !COMMONPLACE.test(secret.slice(0, size)));
  if (first !== undefined) found.push(rangeOf(view, end - first, text.length));
  const atStart = overlap(reversed(secret.slice(1)), reversed(text.slice(start, start + longest)));
  const last = atStart.find((size) => !COMMONPLACE.test(secret.slice(-size)));
  if (last !== undefined) found.push(rangeOf(view, 0, start + last));
}

/** A line of a folded secret, such as `base64` and `fold` print: shorter ones could be any word. */
const SHORTEST_FOLD = 12;
const FOLD = /^\+*([\w+/=-]+?)\+*$/;
const FOLD_END = /[\w+/=-]{12}$/;
const FOLD_START = /^\+*[\w+/=-]{12}/;

/** Random letters and digits: a part of an address or a phrase may be an ordinary word. */
function isKey(secret: string): boolean {
  return /^[\w+/=-]{16,}$/.test(secret) && /\d/.test(secret) && /[a-z]/i.test(secret);
}

/** The whole text is a part of an encoded secret or of a key, or it ends or begins with one that goes on elsewhere. */
function findFolded(forms: readonly string[], view: View, found: Range[]): void {
  const { text } = view;
  const [, whole = ''] = FOLD.exec(text) ?? [];
  if (whole.length >= SHORTEST_FOLD && forms.some((form) => form.includes(whole))) {
    found.push(rangeOf(view, 0, text.length));
    return;
  }
  const [ends, starts] = [FOLD_END.test(text), FOLD_START.test(text)];
  for (const form of forms) {
    const tail = ends ? text.slice(Math.max(0, text.length - form.length)) : '';
    const at = tail.indexOf(form.slice(0, SHORTEST_FOLD));
    if (at >= 0 && form.startsWith(tail.slice(at)))
      found.push(rangeOf(view, text.length - tail.length + at, text.length));
    const head = starts ? text.slice(0, form.length) : '';
    const end = head.lastIndexOf(form.slice(-SHORTEST_FOLD));
    if (end < 0) continue;
    const first = head.slice(0, end + SHORTEST_FOLD).replace(/^\+*(?=[^+])/, '');
    if (form.endsWith(first)) found.push(rangeOf(view, 0, end + SHORTEST_FOLD));
  }
}

/**
 * How long the beginnings of `piece` are that `text` ends with, the longest first, from `SHORTEST_PIECE`. In linear time
 * (Knuth, Morris, Pratt): to compare each length by itself takes minutes for a long secret and a text of almost-matches.
 */
function overlap(piece: string, text: string): number[] {
  if (Math.min(piece.length, text.length) < SHORTEST_PIECE) return [];
  // For each length: the next shorter beginning that ends there too.
  const shorter = new Int32Array(piece.length + 1);
  const extended = (size: number, unit: number) => {
    let kept = size;
    while (kept > 0 && (kept === piece.length || piece.charCodeAt(kept) !== unit)) kept = shorter[kept] ?? 0;
    return piece.charCodeAt(kept) === unit ? kept + 1 : kept;
  };
  for (let size = 1; size < piece.length; size += 1) {
    shorter[size + 1] = extended(shorter[size] ?? 0, piece.charCodeAt(size));
  }
  let size = 0;
  for (let index = 0; index < text.length; index += 1) size = extended(size, text.charCodeAt(index));
  const sizes: number[] = [];
  for (; size >= SHORTEST_PIECE; size = shorter[size] ?? 0) sizes.push(size);
  return sizes;
}

function reversed(text: string): string {
  let result = '';
  for (let index = text.length - 1; index >= 0; index -= 1) result += text.charAt(index);
  return result;
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

/** The secret, and the lines of one that has several: a key is often printed line by line. */
function telling(secret: string): string[] {
  const lines = secret.split('\n').map((line) => line.trim());
  const long = lines.filter((line) => line.length >= SHORTEST_LINE && !line.startsWith('-----'));
  return lines.length < 2 ? [secret] : [secret.trim(), ...long];
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
