/**
 * A line of `--json`. JSON.stringify leaves DEL and the C1 control characters as they are, which a terminal obeys, and
 * `##[` and `##vso[`, which CI systems obey anywhere in a line: they are escaped too.
 */
export function jsonLine(value: object): string {
  const escaped = (char: string) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return `${JSON.stringify(value).replaceAll(/[\u007f-\u009f]|(?<=#)#(?=(?:vso)?\[)/g, escaped)}\n`;
}
