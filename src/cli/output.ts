import { systemClock } from '../adapters/system-clock.js';
import type { Secret } from '../config/secret.js';
import { createReporter, type UserReporter } from '../reporters/index.js';
import type { CommonOptions } from './commands.js';
import type { CliContext } from './context.js';
import { chooseOutputMode } from './output-mode.js';

export type OutputOptions = Pick<CommonOptions, 'json' | 'noColor' | 'verbose'>;

/** The reporter for this terminal, pipe or CI job. */
export function createOutput(
  { env, stdout, stderr }: Pick<CliContext, 'env' | 'stdout' | 'stderr'>,
  options: OutputOptions,
  secrets: readonly Secret[],
): UserReporter {
  const summaryPath = env.GITHUB_STEP_SUMMARY;
  return createReporter({
    ...chooseOutputMode(options, env, stdout.isTTY === true),
    verbose: options.verbose,
    stdout,
    stderr,
    secrets: secrets.map((secret) => secret.reveal()),
    clock: systemClock,
    ...(env.GITHUB_ACTIONS === 'true' && { github: summaryPath ? { summaryPath } : {} }),
  });
}
