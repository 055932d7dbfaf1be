/** What a project's layers print with `console` or as warnings, as lines of the output: cleaned, masked, and in order. */
import { formatWithOptions } from 'node:util';

/** The other methods print by these, or nothing. */
const METHODS = ['log', 'info', 'warn', 'error', 'debug', 'trace', 'dir', 'dirxml', 'table'] as const;

/** Bounds what one call prints, in characters and lines. */
const MAX_LENGTH = 20_000;
const MAX_LINES = 200;

/** Bounds what all calls print. */
const MAX_LINES_IN_ALL = 10_000;
const MAX_LENGTH_IN_ALL = 2_000_000;

/** Runs the task while `console` and warnings print to `print`, line by line. */
export async function withCapturedConsole<T>(print: (line: string) => void, task: () => Promise<T>): Promise<T> {
  const { console: target } = globalThis;
  const own = METHODS.map((method) => [method, target[method]] as const);
  let lines = 0;
  let length = 0;
  const printAll = (...values: unknown[]) => {
    const text = formatWithOptions({ colors: false }, ...values).slice(0, MAX_LENGTH);
    for (const line of text.split('\n').slice(0, MAX_LINES)) {
      if (lines > MAX_LINES_IN_ALL || length > MAX_LENGTH_IN_ALL) return;
      lines += 1;
      length += line.length;
      const isLast = lines > MAX_LINES_IN_ALL || length > MAX_LENGTH_IN_ALL;
      print(isLast ? 'The layers print too much: no more of it is shown.' : line);
    }
  };
  for (const method of METHODS) target[method] = printAll;
  const onWarning = ({ name, message }: Error) => printAll(`${name}: ${message}`);
  // One of them is Node's, which writes to standard error.
  const ownListeners = process.listeners('warning');
  process.removeAllListeners('warning');
  process.on('warning', onWarning);
  try {
    return await task();
  } finally {
    for (const [method, original] of own) target[method] = original;
    process.off('warning', onWarning);
    for (const listener of ownListeners) process.on('warning', listener);
  }
}
