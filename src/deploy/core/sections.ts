/** Sections of a command's output. They begin with a random mark, so that no content passes for a section. */

/** Lines that choose the mark and print it; before the first section. */
export const BEGIN_SECTIONS: readonly string[] = [
  "mark=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \\n')",
  'printf \'%s\\n\' "$mark"',
];

/** The line before the commands that print the section. */
export function beginSection(name: string): string {
  return `printf '\\n%s %s\\n' "$mark" ${name}`;
}

/** By name, without the line breaks around them. Without a random mark nothing is known. */
export function readSections(stdout: string): Map<string, string> {
  const sections = new Map<string, string>();
  const mark = /^[0-9a-f]{32}(?=\n)/.exec(stdout)?.[0];
  for (const part of mark === undefined ? [] : stdout.split(`\n${mark} `).slice(1)) {
    const end = part.indexOf('\n');
    sections.set(part.slice(0, end), withoutLineBreaksAround(part.slice(end + 1)));
  }
  return sections;
}

/** Not by a regular expression: these take quadratic time for many line breaks. */
function withoutLineBreaksAround(text: string): string {
  let start = 0;
  let end = text.length;
  while (text[start] === '\n') start += 1;
  while (end > start && text[end - 1] === '\n') end -= 1;
  return text.slice(start, end);
}
