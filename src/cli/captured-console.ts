/** What a project's layers print with `console` or as warnings, as lines of the output: cleaned, masked, and in order. */
import { formatWithOptions } from 'node:util';

/** The other methods print by these, or nothing. */
const METHODS = ['log', 'info', 'warn', 'error', 'debug', 'trace', 'dir', 'dirxml', 'table'] as const;

/** Bounds what one call prints, in characters and lines. */
const MAX_LENGTH = 20_000;
const MAX_LINES = 200;

/** Bounds what all calls print. */
const MAX_LINES_IN_ALL = 10_000;

/** Runs the task while `console` and warnings print to `print`, line by line. */
export async function withCapturedConsole<T>(print: (line: string) => void, task: () => Promise<T>): Promise<T> {
  const { console: target } = globalThis;
  const own = METHODS.map((method) => [method, target[method]] as const);
  let printed = 0;
  const printAll = (...values: unknown[]) => {
    const text = formatWithOptions({ colors: false }, ...values).slice(0, MAX_LENGTH);
    for (const line of text.split('\n').slice(0, MAX_LINES)) {
      printed += 1;
      if (printed <= MAX_LINES_IN_ALL) print(line);
      if (printed === MAX_LINES_IN_ALL) print(`Only the first ${MAX_LINES_IN_ALL} lines of console are shown.`);
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
