/** Gives a variable's value; undefined when it is not set. */
export type Lookup = (name: string) => string | undefined;

/** A `${NAME:?message}` without value, or a `${` that does not name a variable. */
export class InterpolationError extends Error {
  /** Compose's own words; `at` is the value's place: services.app.image. */
  readonly tell: (at: string) => string;

  constructor(tell: (at: string) => string) {
    super(tell('a value'));
    this.tell = tell;
  }
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*/;

/**
 * Compose's interpolation: $NAME, ${NAME}, ${NAME:-default}, ${NAME-default}, ${NAME:?error}, ${NAME?error},
 * ${NAME:+other}, ${NAME+other}, nested, and $$ for a dollar. A
 * dollar before anything else stays. `unset` hears of names without value and default.
 */
export function interpolate(text: string, lookup: Lookup, unset: (name: string) => void): string {
  let result = '';
  let rest = text;
  while (rest !== '') {
    const dollar = rest.indexOf('$');
    if (dollar < 0) return result + rest;
    result += rest.slice(0, dollar);
    rest = rest.slice(dollar + 1);

    const name = NAME.exec(rest)?.[0];
    if (rest.startsWith('$')) {
      result += '$';
      rest = rest.slice(1);
    } else if (name !== undefined) {
      result += valueFor(name, lookup, unset);
      rest = rest.slice(name.length);
    } else if (!rest.startsWith('{')) {
      result += '$';
    } else {
      const end = closingBrace(rest);
      if (end < 0) throw invalid(text);
      result += expand(rest.slice(1, end), text, lookup, unset);
      rest = rest.slice(end + 1);
    }
  }
  return result;
}

function expand(inside: string, text: string, lookup: Lookup, unset: (name: string) => void): string {
  const name = NAME.exec(inside)?.[0];
  if (name === undefined) throw invalid(text);
  const match = /^(:?[-?+])(.*)$/s.exec(inside.slice(name.length));
  if (match === null) {
    if (inside !== name) throw invalid(text);
    return valueFor(name, lookup, unset);
  }
  const [, operator = '', word = ''] = match;
  const value = lookup(name);
  const given = operator.startsWith(':') ? value !== undefined && value !== '' : value !== undefined;
  const alternative = () => interpolate(word, lookup, unset);
  if (operator.endsWith('+')) return given ? alternative() : '';
  if (given) return value ?? '';
  if (operator.endsWith('-')) return alternative();
  const message = alternative();
  throw new InterpolationError(
    (at) => `error while interpolating ${at}: required variable ${name} is missing a value: ${message}`,
  );
}

function valueFor(name: string, lookup: Lookup, unset: (name: string) => void): string {
  const value = lookup(name);
  if (value === undefined) unset(name);
  return value ?? '';
}

function closingBrace(text: string): number {
  let depth = 0;
  for (let i = 0; i < text.length; i += 1) {
    if (text.charAt(i) === '{' && (i === 0 || text.charAt(i - 1) === '$')) depth += 1;
    if (text.charAt(i) === '}') depth -= 1;
    if (depth === 0) return i;
  }
  return -1;
}

function invalid(text: string): InterpolationError {
  return new InterpolationError(
    (at) => `invalid interpolation format for ${at}.\nYou may need to escape any $ with another $.\n${text}`,
  );
}
