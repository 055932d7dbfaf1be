import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Files that a path with `*`, `?` and `[…]` leads to, sorted; the path itself when it has none of these. */
export function glob(path: string): string[] {
  if (!isPattern(path)) return [path];
  let found = [path.startsWith('/') ? '/' : '.'];
  for (const name of path.split('/').filter(Boolean)) {
    found = found.flatMap((folder) =>
      isPattern(name)
        ? namesIn(folder)
            .filter((entry) => matches(name, entry))
            .map((entry) => join(folder, entry))
        : [join(folder, name)],
    );
  }
  return found.sort();
}

function isPattern(text: string): boolean {
  return /[*?[]/.test(text);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** A leading dot must be written. */
function matches(pattern: string, name: string): boolean {
  if (name.startsWith('.') && !pattern.startsWith('.')) return false;
  return isMatch(partsOf(pattern), name);
}

/** Any text, or one character that a test accepts. */
type Part = '*' | ((character: string) => boolean);

function partsOf(pattern: string): Part[] {
  return [...pattern.matchAll(/\*+|\[(!?)(\]?[^\]]*)\]|[\s\S]/g)].map(([text, negated, set]) => {
    if (text.startsWith('*')) return '*';
    if (text === '?') return () => true;
    // An open bracket stands for itself.
    return set === undefined
      ? (character) => character === text
      : (character) => isIn(set, character) !== (negated === '!');
  });
}

/** Whether the set of a bracket, `abc` or `a-z`, has the character. */
function isIn(set: string, character: string): boolean {
  return [...set.matchAll(/([\s\S])-([\s\S])|([\s\S])/g)].some(([, from = '', to = '', single]) =>
    single === undefined ? from <= character && character <= to : single === character,
  );
}

/** In time that grows with both lengths only: a regular expression of many stars would take forever. */
function isMatch(parts: readonly Part[], text: string): boolean {
  let at = 0;
  let next = 0;
  let star = -1;
  let resume = 0;
  while (at < text.length) {
    const part = parts[next];
    if (part === '*') {
      star = next++;
      resume = at;
    } else if (part?.(text.charAt(at))) {
      next++;
      at++;
    } else if (star >= 0) {
      next = star + 1;
      at = ++resume;
    } else return false;
  }
  return parts.slice(next).every((part) => part === '*');
}
