import { interpolate, type Lookup } from './interpolate.js';

const BLANK_LINES = /(?:[ \t]*(?:#[^\n]*)?(?:\n|$))*/y;
const NAME = /[ \t]*(?:export[ \t]+)?([\w.-]+)[ \t]*([=:][ \t]*)?/y;
/** A value in single or double quotes, else up to the end of the line or a comment. */
const VALUE = /(?:'([^']*)'|"((?:\\[\s\S]|[^"\\])*)"|((?:(?!\s#)[^\n])*))[^\n]*\n?/y;
const ESCAPES: Record<string, string> = { n: '\n', r: '\r', t: '\t', '"': '"', '\\': '\\' };

/**
 * An env file as compose reads it: `#` comments, `export`, single quotes literally, double quotes with escapes, both over
 * several lines. Everything but single-quoted values is interpolated. A name without `=` takes its value from `lookup`
 * and is left out without one.
 */
export function readEnvFile(content: string, lookup: Lookup, unset: (name: string) => void): Record<string, string> {
  const text = content.replace(/^\uFEFF/, '').replace(/\r\n/g, '\n');
  const values: Record<string, string> = {};
  const find: Lookup = (name) => lookup(name) ?? values[name];
  let at = 0;
  const read = (pattern: RegExp): (string | undefined)[] => {
    pattern.lastIndex = at;
    const match = pattern.exec(text) ?? [];
    if (pattern.lastIndex > at) at = pattern.lastIndex;
    return [...match];
  };
  for (read(BLANK_LINES); at < text.length; read(BLANK_LINES)) {
    const [, name, assigned] = read(NAME);
    if (name === undefined) {
      throw new Error(`unexpected character in variable name: ${JSON.stringify(text.slice(at).split('\n')[0])}`);
    }
    const [, single, double, plain = ''] = read(VALUE);
    const raw = double?.replace(/\\([\s\S])/g, (whole, char: string) => ESCAPES[char] ?? whole);
    const value =
      assigned === undefined
        ? find(name)
        : (single ?? interpolate(raw ?? plain.replace(/^#.*/, '').trim(), find, unset));
    if (value !== undefined) values[name] = value;
  }
  return values;
}
