import { createReporter, type ReporterOptions, type UserReporter } from '../../src/reporters/index.js';
import { Redactor } from '../../src/reporters/redacting.js';
import { EmulatedTerminal, FakePipe } from './fake-terminal.js';
import { VirtualClock } from './virtual-clock.js';

type Options<Out> = Partial<Omit<ReporterOptions, 'out' | 'err' | 'terminal' | 'redactor'>> & {
  stdout?: Out;
  /** Values that must never be shown. */
  secrets?: string[];
};

/** A reporter that writes into pipes, or onto the terminal given as `stdout`. */
export function reporterOn<Out extends FakePipe | EmulatedTerminal = FakePipe>(
  options: Options<Out> = {},
): { reporter: UserReporter; stdout: Out; stderr: FakePipe; clock: VirtualClock } {
  const { stdout = new FakePipe() as Out, secrets, ...others } = options;
  const stderr = new FakePipe();
  const clock = new VirtualClock();
  const reporter = createReporter({
    mode: 'plain',
    color: false,
    level: 'normal',
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    terminal: stdout instanceof EmulatedTerminal ? stdout : undefined,
    redactor: new Redactor(secrets),
    clock,
    ...others,
  });
  return { reporter, stdout, stderr, clock };
}
