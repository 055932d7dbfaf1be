/**
 * Separates the output of a script from what a login shell prints around it (a banner in .bashrc, .zshenv). The script is
 * wrapped so that it prints a marker before and after its output. The marker contains a nonce, so no output can contain
 * it by accident or on purpose.
 */
import { randomBytes } from 'node:crypto';

/** Bounds what a login shell may print before the command starts. */
export const MAX_BANNER_BYTES = 256 * 1024;

export class Frame {
  readonly #marker = `do-deploy:${randomBytes(12).toString('hex')}`;

  /** The script in a subshell, so that the end is marked however it exits. Its process id goes to stderr. */
  wrap(script: string): string {
    return `${this.#start}\n(\n${script}\n)\ncode=$?\nprintf '%s' '${this.#marker}:end'\nexit $code`;
  }

  /**
   * Marks only the start: the script may replace the shell (`exec`), and its lines are read as they arrive.
   * @param onBoth false: stderr is the same stream as stdout, so it has no marker of its own
   */
  wrapStart(script: string, onBoth = true): string {
    return `${onBoth ? this.#start : this.#startOfOutput}\n${script}`;
  }

  get #startOfOutput(): string {
    return `printf '%s\\n' '${this.#marker}'`;
  }

  get #start(): string {
    return `${this.#startOfOutput}; printf '%s:%s:\\n' '${this.#marker}' $$ >&2`;
  }

  /** The process id in the start marker of stderr, and where the marker ends in these bytes. */
  findStart(bytes: Buffer): { pid: string; end: number } | undefined {
    const found = new RegExp(`${this.#marker}:(\\d+):\\n`).exec(bytes.toString('latin1'));
    return found?.[1] === undefined ? undefined : { pid: found[1], end: found.index + found[0].length };
  }

  /** Reads stdout of `wrap`. */
  stdout(): FramedStream {
    return new FramedStream(`${this.#marker}\n`, `${this.#marker}:end`);
  }

  /** Reads stdout of `wrapStart`; a terminal ends lines with a carriage return as well. */
  lines(inTerminal = false): FramedStream {
    return new FramedStream(`${this.#marker}${inTerminal ? '\r\n' : '\n'}`, '');
  }

  /** Takes the start marker, and what precedes it, from stderr. `pid` is absent until the shell has started. */
  stderr(text: string): { pid?: string; text: string } {
    const found = new RegExp(`${this.#marker}:(\\d+):\\n`).exec(text);
    return found ? { pid: found[1], text: text.slice(found.index + found[0].length) } : { text };
  }
}

/** Takes the markers off a stream of chunks. */
export class FramedStream {
  readonly #start: Buffer;
  readonly #end: Buffer;
  /** Until the start marker: all bytes. After it: the last bytes, as far as they may begin the end marker. */
  #held: Buffer = Buffer.alloc(0);
  #started = false;

  constructor(start: string, end: string) {
    this.#start = Buffer.from(start);
    this.#end = Buffer.from(end);
  }

  get started(): boolean {
    return this.#started;
  }

  /** Everything so far, until the start marker arrives; then empty. */
  get banner(): Buffer {
    return this.#started ? Buffer.alloc(0) : this.#held;
  }

  /** Returns the part of the chunk that certainly is output; possibly empty. */
  take(chunk: Buffer): Buffer {
    let bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    if (!this.#started) {
      const at = bytes.indexOf(this.#start, Math.max(0, this.#held.length - this.#start.length));
      if (at < 0) {
        this.#held = bytes;
        return Buffer.alloc(0);
      }
      this.#started = true;
      bytes = bytes.subarray(at + this.#start.length);
    }
    const certain = bytes.length - this.#endBegunIn(bytes);
    this.#held = Buffer.from(bytes.subarray(certain));
    return bytes.subarray(0, certain);
  }

  /** How many of the last bytes are the beginning of the end marker. */
  #endBegunIn(bytes: Buffer): number {
    let length = Math.min(bytes.length, this.#end.length);
    while (!bytes.subarray(bytes.length - length).equals(this.#end.subarray(0, length))) length -= 1;
    return length;
  }

  /** The stream ended with the end marker, so the output is complete. */
  get whole(): boolean {
    return this.#started && this.#held.equals(this.#end);
  }
}
