/** Texts from outside (the API, git, a droplet) on their way into messages: no control sequences, bounded length. */

/** Escape sequences of terminals: CSI (colours, cursor), OSC (titles, links, the clipboard), and two-character ones. */
const SEQUENCES =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
  /(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?|\x1b[ -~]/g;
/** Control characters, and format characters such as the ones that reverse the direction of a line. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu;

/** One line of at most `limit` characters. */
export function oneLine(text: string, limit = 300): string {
  const line = text
    .slice(0, limit * 4)
    .replace(SEQUENCES, '')
    .replace(INVISIBLE, ' ')
    .trim();
  return line.length > limit ? `${line.slice(0, limit)}…` : line;
}

/** At most `count` lines, each cleaned as `oneLine` does; empty ones are left out. */
export function fewLines(text: string, count: number): string {
  const lines = text
    .slice(0, 64 * 1024)
    .split(/\r?\n/)
    .map((line) => oneLine(line));
  return lines.filter(Boolean).slice(0, count).join('\n');
}
