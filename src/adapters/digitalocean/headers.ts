/** A header that holds a number, or undefined. Works on axios' headers and on plain objects with lower-case names. */
export function headerNumber(headers: unknown, name: string): number | undefined {
  const text = headerText(headers, name);
  if (text === undefined || text.trim() === '') return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

export function headerText(headers: unknown, name: string): string | undefined {
  const value = property(headers, name);
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

/** A property of anything: errors and answers from outside have no shape to rely on. */
export function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
