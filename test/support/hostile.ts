/** Words from outside that must never reach a terminal or the runner of GitHub as they are. */
import { expect } from 'vitest';

/** Sets the clipboard; gives the runner commands; clears the screen by a C1 sequence; hides what follows. */
export function hostile(secret: string): string {
  return `\u001b]52;c;ZXZpbA==\u0007 ${secret}\n::add-mask::x\n##[add-mask]y \u009b2J\u0000`;
}

/** A copy of plain data with the hostile text behind every string, but for the properties named. */
export function withHostile<T>(value: T, secret: string, kept: readonly string[]): T {
  const walk = (item: unknown, key?: string): unknown => {
    if (typeof item === 'string') return kept.includes(key ?? '') ? item : `${item} ${hostile(secret)}`;
    if (Array.isArray(item)) return item.map((one) => walk(one));
    if (typeof item !== 'object' || item === null) return item;
    return Object.fromEntries(Object.entries(item).map(([name, inner]) => [name, walk(inner, name)]));
  };
  return walk(value) as T;
}

/** Fails without repeating a secret in the report. */
export function expectHarmless(text: string, secrets: readonly string[], where: string): void {
  const found = secrets.flatMap((secret, index) => (text.includes(secret) ? [index] : []));
  expect(found, `secrets found in ${where}, by their number`).toEqual([]);
  // Colours and the live table are sequences of do-deploy's own; nothing in them is one of these.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are the matter
  expect(text.match(/\u001b\]|[\u0000\u0007\u0080-\u009f]/g), `control characters in ${where}`).toBeNull();
}

/** GitHub's runner obeys `::` at the start of a line, and `##[` anywhere. */
export function expectNoCommands(text: string, where: string): void {
  const commands = text.split('\n').filter((line) => /^\s*::|##\[/.test(line));
  const foreign = commands.filter((line) => !/^::(group|endgroup|error|warning)( title=do-deploy[^:]*)?::/.test(line));
  expect(foreign, `workflow commands in ${where}`).toEqual([]);
}
