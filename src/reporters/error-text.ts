import type { Problem } from '../config/problems.js';
import type { DeployError } from '../errors.js';
import type { Palette } from './palette.js';
import { cleanText, hang } from './text.js';

export type PrintableError = DeployError & { problems?: Problem[] };

/** An error for the user; with `verbose`, also with the stack of each cause. */
export function errorLines(
  error: PrintableError,
  { palette, verbose }: { palette: Palette; verbose: boolean },
): string[] {
  const place = tidy([error.droplet, error.step].filter((part) => part !== undefined).join(', '), '  ');
  const lines = [`${palette.bad('error:')} ${tidy(error.message, '  ')}${place === '' ? '' : ` (${place})`}`];
  for (const problem of error.problems ?? []) {
    const remedy = problem.remedy === '' ? '' : `; ${problem.remedy}`;
    lines.push(tidy(`  ${problem.place}: ${problem.message}${remedy}`, '    '));
  }
  if (error.hint !== undefined) lines.push(`  ${palette.strong('try:')} ${tidy(error.hint, '    ')}`);
  if (verbose) lines.push(...traceLines(error).map((line) => palette.faint(line)));
  return lines;
}

/** The stacks of the error and its causes. */
function traceLines(error: Error): string[] {
  const lines = [`  ${tidy(error.stack ?? error.message, '  ')}`];
  let cause = error.cause;
  // The chain of causes may be a loop.
  for (const seen = new Set<unknown>([error]); cause !== undefined && !seen.has(cause); ) {
    seen.add(cause);
    lines.push(`  caused by: ${tidy(cause instanceof Error ? (cause.stack ?? cause.message) : String(cause), '  ')}`);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return lines;
}

function tidy(text: string, indent: string): string {
  return hang(cleanText(text), indent);
}
