/**
 * `$NAME`, `${NAME}`, `${NAME:-default}` and the like, as docker compose replaces them in env files.
 * Source: https://github.com/compose-spec/compose-go/blob/main/template/template.go
 */

/** A variable's value; undefined when it is not set. */
export type Lookup = (name: string) => string | undefined;

/** `$$`, `$NAME`, `${NAME` with an operator, or a `${` that nothing valid follows. */
const REFERENCE = /\$(?:(\$)|([_a-z][_a-z0-9]*)|\{(?:([_a-z][_a-z0-9]*)(:?[-+?]|(?=\}))|()))/gi;

/** Defaults in defaults: deeper ones are a mistake, or meant to exhaust the stack. */
const MAX_DEPTH = 50;

/** Called with the name of a variable. */
export interface InterpolationEvents {
  /** It is not set and has no default, so that nothing stands in its place. */
  onUnset?(name: string): void;
  /** It is required and not set: compose refuses the text. */
  onMissing?(name: string): void;
}

/** Undefined where compose refuses the text: a malformed `${`, or a variable that is required and not set. */
export function interpolate(text: string, lookup: Lookup, on: InterpolationEvents = {}, depth = 0): string | undefined {
  if (depth > MAX_DEPTH) return undefined;
  const parts: string[] = [];
  let position = 0;
  const reference = new RegExp(REFERENCE);
  for (let match = reference.exec(text); match !== null; match = reference.exec(text)) {
    parts.push(text.slice(position, match.index));
    const [, escaped, bare, name, operator] = match;
    position = reference.lastIndex;
    if (escaped !== undefined) parts.push('$');
    else if (bare !== undefined) {
      const value = lookup(bare);
      if (value === undefined) on.onUnset?.(bare);
      parts.push(value ?? '');
    } else {
      const end = name === undefined ? undefined : closingBrace(text, match.index + 1);
      if (name === undefined || end === undefined) return undefined;
      const value = lookup(name);
      if (value === undefined && operator === '') on.onUnset?.(name);
      const replaced = replace(value, operator ?? '', () =>
        interpolate(text.slice(reference.lastIndex, end), lookup, on, depth + 1),
      );
      if (replaced === undefined) {
        if (operator?.endsWith('?')) on.onMissing?.(name);
        return undefined;
      }
      parts.push(replaced);
      position = end + 1;
      reference.lastIndex = position;
    }
  }
  return parts.join('') + text.slice(position);
}

function replace(value: string | undefined, operator: string, word: () => string | undefined): string | undefined {
  const isSet = value !== undefined && (value !== '' || !operator.startsWith(':'));
  if (operator.endsWith('-') && !isSet) return word();
  if (operator.endsWith('+') && isSet) return word();
  if (operator.endsWith('?') && !isSet) return undefined;
  return value ?? '';
}

/** The index of the brace on this line that closes the one at `start`; where they do not balance, of the last one. */
function closingBrace(text: string, start: number): number | undefined {
  let open = 0;
  let last: number | undefined;
  for (let index = start; index < text.length && text[index] !== '\n'; index += 1) {
    if (text[index] === '}') {
      last = index;
      open -= 1;
      if (open === 0) return index;
    } else if (text[index] === '{') {
      open += 1;
      // compose passes over the character after a brace.
      index += 1;
      if (text[index] === '}') last = index;
    }
  }
  return last;
}
