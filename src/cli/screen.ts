/** The process's standard streams. Nothing else in do-deploy touches them: every text comes through the runner. */
import { createInterface } from 'node:readline/promises';

export interface Streams {
  stdin: NodeJS.ReadableStream & { isTTY?: boolean };
  stdout: NodeJS.WritableStream & { isTTY?: boolean; columns?: number; rows?: number };
  stderr: NodeJS.WritableStream;
}

export class Screen {
  readonly #streams: Streams;
  #failure: Error | undefined;

  /** @param streams default: those of the process */
  constructor(streams: Streams = process) {
    this.#streams = streams;
    const { stdout, stderr } = streams;
    // A reader that goes away (`do-deploy … | head`) is no reason to stop half-way; a full disk is reported at the end.
    stdout.on('error', (error: NodeJS.ErrnoException) => {
      const isGone = error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED';
      if (!isGone) this.#failure ??= error;
    });
    stderr.on('error', () => {});
  }

  write(text: string): void {
    this.#streams.stdout.write(text);
  }

  writeError(text: string): void {
    this.#streams.stderr.write(text);
  }

  /** Standard output, if it is a terminal. */
  get terminal(): Streams['stdout'] | undefined {
    return this.#streams.stdout.isTTY === true ? this.#streams.stdout : undefined;
  }

  /** Whether there is a user who can read a question and type the answer. */
  get isInteractive(): boolean {
    return this.#streams.stdin.isTTY === true && this.terminal !== undefined;
  }

  /** Asks; only a plain yes is a yes. Ctrl-C and Ctrl-D are a no, and so is the signal, which withdraws the question. */
  async ask(question: string, signal?: AbortSignal): Promise<boolean> {
    return /^y(es)?$/i.test(await this.askFor(`${question} [y/N]`, signal));
  }

  /** What is typed, without blanks around it; '' after Ctrl-C, Ctrl-D and the signal. */
  async askFor(question: string, signal?: AbortSignal): Promise<string> {
    if (signal?.aborted) return '';
    const { stdin: input, stdout: output } = this.#streams;
    const terminal = createInterface({ input, output });
    const closed = new Promise<string>((resolve) => {
      terminal.once('SIGINT', () => terminal.close());
      terminal.once('close', () => resolve(''));
      signal?.addEventListener('abort', () => terminal.close(), { once: true });
    });
    const answer = await Promise.race([terminal.question(`${question} `), closed]);
    terminal.close();
    return answer.trim();
  }

  /**
   * Waits until everything has been written: to exit earlier would lose what is on its way through a pipe.
   * @returns why standard output could not be written, if it could not
   */
  async finish(): Promise<Error | undefined> {
    await Promise.all([written(this.#streams.stdout), written(this.#streams.stderr)]);
    return this.#failure;
  }
}

/** Resolves when the stream has passed everything on, or is closed. */
function written(stream: NodeJS.WritableStream): Promise<void> {
  return new Promise((resolve) => {
    stream.once('close', resolve);
    stream.write('', () => resolve());
  });
}
