/** One command line, from its words to its exit code. What is heavy is imported once it is known what to run. */
import { DeployError } from '../errors.js';
import type { CommandList } from './define-command.js';
import { EXIT } from './exit-codes.js';
import type { Machine, Runner } from './run-command.js';
import { Screen } from './screen.js';

export class CommandLine {
  readonly #commands: CommandList;
  readonly #argv: readonly string[];
  readonly #machine: Machine;
  #runner: Runner | undefined;

  /** @param argv without node and the script */
  constructor(
    commands: CommandList,
    argv: readonly string[],
    machine: Machine = { cwd: process.cwd(), env: process.env, screen: new Screen() },
  ) {
    this.#commands = commands;
    this.#argv = argv;
    this.#machine = machine;
  }

  /** Never throws. Resolves to the exit code once everything has been written. */
  async run(): Promise<number> {
    try {
      return await this.#finish(await this.#run());
    } catch (error) {
      return await this.fail(error);
    }
  }

  /** For an error that nothing caught. False: the process should fail with it now. */
  interrupt(error: unknown): boolean {
    return this.#runner?.interrupt(error) ?? false;
  }

  /** Prints an error that was thrown outside of `run`, or by it. */
  async fail(error: unknown): Promise<number> {
    this.#runner ??= await this.#createRunner();
    return await this.#finish(await this.#runner.fail(error));
  }

  async #run(): Promise<number> {
    const commands = this.#commands;
    const { understand } = await import('./parse.js');
    const invocation = await understand(this.#argv, commands);
    if (invocation.kind === 'run') {
      this.#runner = await this.#createRunner(invocation.args, invocation.command.ownsOutput);
      return await this.#runner.run(invocation);
    }
    if (invocation.kind === 'version') this.#print((await import('./package-files.js')).packageVersion());
    else this.#print(await (await import('./help.js')).helpText(invocation, commands));
    return EXIT.ok;
  }

  /** Text of our own: there is nothing to mask. */
  #print(text: string): void {
    this.#machine.screen.write(`${text}\n`);
  }

  async #createRunner(args?: Record<string, unknown>, ownsOutput = false): Promise<Runner> {
    const [{ Runner }, { commonArguments }] = await Promise.all([import('./run-command.js'), import('./parse.js')]);
    return new Runner(this.#machine, this.#commands, this.#argv, args ?? commonArguments(this.#argv), ownsOutput);
  }

  async #finish(exit: number): Promise<number> {
    const failure = await this.#machine.screen.finish();
    if (failure === undefined || exit !== EXIT.ok) return exit;
    const message = `Standard output cannot be written: ${failure.message}.`;
    return await this.fail(new DeployError('output-failed', message, { cause: failure }));
  }
}
