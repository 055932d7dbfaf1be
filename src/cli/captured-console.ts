/** What a project's layers print with `console`, as lines of the output: cleaned, masked, and in order. */
import { formatWithOptions } from 'node:util';

const METHODS = ['log', 'info', 'warn', 'error', 'debug', 'trace', 'dir', 'table'] as const;

/** Bounds what one call prints, in characters and lines. */
const MAX_LENGTH = 20_000;
const MAX_LINES = 200;

/** Runs the task while `console` prints to `print`, line by line. */
export async function withCapturedConsole<T>(print: (line: string) => void, task: () => Promise<T>): Promise<T> {
  const { console: target } = globalThis;
  const own = METHODS.map((method) => [method, target[method]] as const);
  for (const method of METHODS) {
    target[method] = (...values: unknown[]) => {
      const text = formatWithOptions({ colors: false }, ...values).slice(0, MAX_LENGTH);
      for (const line of text.split('\n').slice(0, MAX_LINES)) print(line);
    };
  }
  try {
    return await task();
  } finally {
    for (const [method, original] of own) target[method] = original;
  }
}
