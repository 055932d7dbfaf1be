/** The process's standard streams. Nothing else in do-deploy touches them: every text comes through the runner. */
import { createInterface } from 'node:readline/promises';

export interface Streams {
  stdin: NodeJS.ReadableStream & { isTTY?: boolean; setRawMode?(isRaw: boolean): unknown };
  stdout: NodeJS.WritableStream & { isTTY?: boolean; columns?: number; rows?: number };
  stderr: NodeJS.WritableStream;
}

/** Standard output has no reader any more. */
export class OutputGone extends Error {
  override readonly name = 'OutputGone';
}

/** The standard streams as those of a program that runs elsewhere: bytes, unchanged. */
export interface ProgramIO {
  /** To be read once. */
  readonly stdin: AsyncIterable<Buffer>;
  /** Pending while a reader lags behind. Rejects with OutputGone. */
  stdout(chunk: Buffer | string): Promise<void> | void;
  stderr(chunk: Buffer | string): Promise<void> | void;
  /** Whether standard input and output are a terminal. */
  readonly isTerminal: { readonly stdin: boolean; readonly stdout: boolean };
  /** Of standard output. */
  size(): { columns: number; rows: number };
  /** Calls back when it has changed, until the returned function is called. */
  onResize(listener: () => void): () => void;
  /**
   * Hands over each key as it is typed, Ctrl-C as well. The returned function gives the terminal back; so does the end of
   * the process.
   * @param restore.wasCut the program may have left its drawing behind: that is undone as well
   */
  takeKeys(): (restore?: { wasCut: boolean }) => void;
}

/** Leaves the alternate screen, shows the cursor, ends mouse reports, bracketed paste and colours. */
const RESET = '\x1b[?1049l\x1b[?25h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?1l\x1b>\x1b[0m\r\n';

// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what has to go
const COLOR = /\x1b\[[\d;]*m/g;

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

  /** For a program that runs elsewhere. */
  programIO(): ProgramIO {
    const { stdin, stdout, stderr } = this.#streams;
    return {
      stdin: stdin as AsyncIterable<Buffer>,
      stdout: (chunk) => this.#pass(stdout, chunk),
      stderr: (chunk) => this.#pass(stderr, chunk),
      isTerminal: { stdin: stdin.isTTY === true, stdout: stdout.isTTY === true },
      size: () => ({ columns: stdout.columns || 80, rows: stdout.rows || 24 }),
      onResize(listener) {
        stdout.on('resize', listener);
        return () => stdout.off('resize', listener);
      },
      takeKeys: () => this.#takeKeys(),
    };
  }

  #pass(stream: NodeJS.WritableStream, chunk: Buffer | string): Promise<void> | void {
    if (!stream.writable) throw new OutputGone('nobody reads the output');
    if (stream.write(chunk)) return;
    return new Promise((resolve, reject) => {
      const settle = () => {
        stream.off('drain', settle);
        stream.off('close', settle);
        stream.off('error', settle);
        if (stream.writable) resolve();
        else reject(new OutputGone('nobody reads the output'));
      };
      stream.on('drain', settle);
      stream.on('close', settle);
      stream.on('error', settle);
    });
  }

  #takeKeys(): (restore?: { wasCut: boolean }) => void {
    const { stdin, stdout } = this.#streams;
    let isRaw = true;
    const restore = ({ wasCut }: { wasCut: boolean } = { wasCut: false }) => {
      if (!isRaw) return;
      isRaw = false;
      process.off('exit', atExit);
      if (wasCut && stdout.writable) stdout.write(RESET);
      stdin.setRawMode?.(false);
    };
    const atExit = () => restore({ wasCut: true });
    process.once('exit', atExit);
    stdin.setRawMode?.(true);
    return restore;
  }

  /** Standard output, if it is a terminal. */
  get terminal(): Streams['stdout'] | undefined {
    return this.#streams.stdout.isTTY === true ? this.#streams.stdout : undefined;
  }

  /** For questions that draw lists and read keys; without `color`, colours are taken out. */
  dialogue({ color }: { color: boolean }): Pick<Streams, 'stdin' | 'stdout'> {
    const { stdin, stdout } = this.#streams;
    if (color) return { stdin, stdout };
    const write = (text: string) => stdout.write(text.replaceAll(COLOR, ''));
    const plain = new Proxy(stdout, {
      get(target, key) {
        if (key === 'write') return write;
        const value: unknown = Reflect.get(target, key);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    return { stdin, stdout: plain };
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
