/** A variable's value; undefined if it is not set. */
export type Lookup = (name: string) => string | undefined;

/** A `${NAME:?message}` without a value, or a `${` that names no variable. */
export class InterpolationError extends Error {
  /** Compose's message for a value at a place such as `services.app.image`. */
  readonly messageAt: (place: string) => string;

  constructor(messageAt: (place: string) => string) {
    super(messageAt('a value'));
    this.messageAt = messageAt;
  }
}

/** `$$`, `$NAME`, or the beginning of `${`. */
const DOLLAR = /\$(?:(\$)|([A-Za-z_]\w*)|(\{))/;

/**
 * Compose's interpolation: $NAME, ${NAME}, ${NAME:-default}, ${NAME-default}, ${NAME:?error}, ${NAME?error},
 * ${NAME:+other}, ${NAME+other}, nested; $$ is a dollar, and a dollar before anything else stays. `unset` is called for
 * names without value and default.
 */
export function interpolate(text: string, lookup: Lookup, unset: (name: string) => void): string {
  const match = DOLLAR.exec(text);
  if (match === null) return text;
  const [whole, dollar, name] = match;
  const before = text.slice(0, match.index);
  const after = text.slice(match.index + whole.length);
  const rest = (from: number) => interpolate(after.slice(from), lookup, unset);
  if (dollar !== undefined) return `${before}$${rest(0)}`;
  if (name !== undefined) return before + valueFor(name, lookup, unset) + rest(0);
  const end = closingBrace(after);
  return before + expand(after.slice(0, end), text, lookup, unset) + rest(end + 1);
}

/** @param inside what is between the braces; @param whole the value that is interpolated, for messages */
function expand(inside: string, whole: string, lookup: Lookup, unset: (name: string) => void): string {
  const [, name, operator, word = ''] = /^([A-Za-z_]\w*)(?:(:?[-?+])(.*))?$/s.exec(inside) ?? [];
  if (name === undefined) {
    throw new InterpolationError(
      (place) => `invalid interpolation format for ${place}.\nYou may need to escape any $ with another $.\n${whole}`,
    );
  }
  if (operator === undefined) return valueFor(name, lookup, unset);
  const value = lookup(name);
  const given = value !== undefined && (value !== '' || !operator.startsWith(':'));
  const alternative = () => interpolate(word, lookup, unset);
  if (operator.endsWith('+')) return given ? alternative() : '';
  if (given) return value;
  if (operator.endsWith('-')) return alternative();
  const message = alternative();
  throw new InterpolationError(
    (place) => `error while interpolating ${place}: required variable ${name} is missing a value: ${message}`,
  );
}

function valueFor(name: string, lookup: Lookup, unset: (name: string) => void): string {
  const value = lookup(name);
  if (value === undefined) unset(name);
  return value ?? '';
}

/** Index of the brace that closes the one before `text`; the end of `text` if there is none. */
function closingBrace(text: string): number {
  let depth = 1;
  for (let i = 0; i < text.length; i += 1) {
    if (text.startsWith('${', i)) depth += 1;
    if (text.charAt(i) === '}') depth -= 1;
    if (depth === 0) return i;
  }
  return text.length;
}
