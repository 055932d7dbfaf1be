/** Picks the lines that explain a failure out of what a program printed. */

/** The last line that names an error, or else the last line; `fallback` when the output is empty. */
export function errorLine(output: string, fallback = 'no reason given'): string {
  const lines = linesWithWords(output);
  const named = lines.findLast((line) => /error|denied|not found|unauthorized|manifest|no space/i.test(line));
  return named ?? lines.at(-1) ?? fallback;
}

/** The first three lines: compose puts the cause first. Its warnings count only when there is nothing else. */
export function firstLines(output: string): string {
  const lines = linesWithWords(output);
  const errors = lines.filter((line) => !/\blevel=(warning|info|debug)\b/.test(line));
  return (errors.length > 0 ? errors : lines).slice(0, 3).join(' ') || 'no reason given';
}

/** Leaves out lines that only draw: a caret below a word, a closing bracket. */
function linesWithWords(output: string): string[] {
  return output
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => /\p{L}/u.test(line));
}
