/**
 * The text of an env file from which docker compose reads exactly these values, one variable a line.
 * @param comment one line
 */
export function writeEnvFile(comment: string, values: ReadonlyMap<string, string>): string {
  const lines = [...values].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => `${name}=${quoted(value)}`);
  return [`# ${comment}`, ...lines, ''].join('\n');
}

function quoted(value: string): string {
  // In single quotes everything stays as it is, but a backslash may end them or be taken for an escape.
  if (!/['\\\r\n]/.test(value)) return `'${value}'`;
  const escaped = value
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('$', '$$$$')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r');
  return `"${escaped}"`;
}
