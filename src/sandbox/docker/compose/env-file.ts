import { interpolate, type Lookup } from './interpolate.js';

const ASSIGNMENT = /^\s*(?:export\s+)?([\w.-]+)[ \t]*(?:[=:][ \t]*)?/;

/**
 * An env file as compose reads it: `#` comments, `export`, single quotes as they are, double quotes with escapes, both
 * over several lines; all but single-quoted values are interpolated, so a password with a `$` in it must be quoted.
 * A name without `=` takes its value from `lookup`, and is left out when there is none.
 */
export function readEnvFile(text: string, lookup: Lookup, unset: (name: string) => void): Record<string, string> {
  const values: Record<string, string> = {};
  const find: Lookup = (name) => lookup(name) ?? values[name];
  let rest = text.replace(/^\uFEFF/, '').replace(/\r\n/g, '\n');
  while (rest !== '') {
    const line = /^[^\n]*/.exec(rest)?.[0] ?? '';
    if (/^\s*(?:#.*)?$/.test(line)) {
      rest = rest.slice(line.length + 1);
      continue;
    }
    const match = ASSIGNMENT.exec(line);
    const name = match?.[1];
    if (match === null || name === undefined)
      throw new Error(`unexpected character in variable name: ${JSON.stringify(line)}`);
    rest = rest.slice(match[0].length);

    const inherited = !/[=:]/.test(match[0]);
    const { raw, quote, length } = readValue(rest);
    rest = rest.slice(length);
    if (inherited) {
      const value = find(name);
      if (value !== undefined) values[name] = value;
    } else {
      values[name] = quote === "'" ? raw : interpolate(raw, find, unset);
    }
  }
  return values;
}

/** The value at the beginning of `text`, to the end of its line. */
function readValue(text: string): { raw: string; quote: string; length: number } {
  const quoted = /^'([^']*)'[^\n]*\n?/.exec(text) ?? /^"((?:\\[\s\S]|[^"\\])*)"[^\n]*\n?/.exec(text);
  if (quoted !== null) {
    const quote = text.charAt(0);
    const raw = quoted[1] ?? '';
    return { raw: quote === '"' ? unescaped(raw) : raw, quote, length: quoted[0].length };
  }
  const line = /^[^\n]*\n?/.exec(text)?.[0] ?? '';
  const raw = line
    .replace(/\n$/, '')
    .replace(/(?:^|\s+)#.*$/, '')
    .trim();
  return { raw, quote: '', length: line.length };
}

function unescaped(text: string): string {
  const named: Record<string, string> = { n: '\n', r: '\r', t: '\t' };
  return text.replace(/\\([\s\S])/g, (whole, char: string) => named[char] ?? (/["\\]/.test(char) ? char : whole));
}
