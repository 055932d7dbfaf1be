import { createReporter, type ReporterOptions, type UserReporter } from '../../src/reporters/index.js';
import { FakePipe, type FakeTerminal } from './fake-terminal.js';
import { VirtualClock } from './virtual-clock.js';

/** A reporter that writes into pipes, or onto the terminal given as `stdout`. */
export function reporterOn<Out extends FakePipe | FakeTerminal = FakePipe>(
  options: Partial<Omit<ReporterOptions, 'stdout'>> & { stdout?: Out } = {},
): { reporter: UserReporter; stdout: Out; stderr: FakePipe; clock: VirtualClock } {
  const { stdout = new FakePipe() as Out, ...others } = options;
  const stderr = new FakePipe();
  const clock = new VirtualClock();
  const reporter = createReporter({
    mode: 'plain',
    color: false,
    verbose: false,
    secrets: [],
    stdout,
    stderr,
    clock,
    ...others,
  });
  return { reporter, stdout, stderr, clock };
}
