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
  const source = pattern
    .replace(/[\\^$.|+(){}]/g, '\\$&')
    .replace(/\*+/g, '.*')
    .replaceAll('?', '.')
    .replaceAll('[!', '[^');
  try {
    return new RegExp(`^${source}$`, 's').test(name);
  } catch {
    // An open bracket stands for itself.
    return pattern === name;
  }
}
