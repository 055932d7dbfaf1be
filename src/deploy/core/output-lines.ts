/** What went wrong, out of many lines. */
export function lastLine(text: string): string {
  const lines = wordedLines(text);
  return (
    lines.findLast((line) => /error|denied|not found|unauthorized|manifest|no space/i.test(line)) ??
    lines.at(-1) ??
    'no reason given'
  );
}

/** What compose says of its files: the cause first, on several lines; its warnings only where there is nothing else. */
export function firstLines(text: string): string {
  const lines = wordedLines(text);
  const telling = lines.filter((line) => !/\blevel=(warning|info|debug)\b/.test(line));
  return (telling.length > 0 ? telling : lines).slice(0, 3).join(' ') || 'no reason given';
}

/** Without those that only draw: a caret below a word, a closing bracket. */
function wordedLines(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => /\p{L}/u.test(line));
}
