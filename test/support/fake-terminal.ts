import { Writable } from 'node:stream';
import { widthOf } from '../../src/reporters/text.js';

/**
 * A terminal that interprets the escape sequences of the live table. Lines that scrolled off stay in `lines`, as in a
 * terminal's history. Throws at an unknown sequence.
 */
export class FakeTerminal extends Writable {
  readonly isTTY: boolean = true;
  columns: number;
  rows: number;
  cursorShown = true;
  readonly writes: string[] = [];
  /** The rows of the screen; `wrapped` when a row continues the one above. */
  #lines: { text: string; wrapped: boolean }[] = [{ text: '', wrapped: false }];
  #cursor = 0;

  constructor(columns = 80, rows = 24) {
    super({ decodeStrings: false });
    this.columns = columns;
    this.rows = rows;
  }

  override _write(chunk: string, _encoding: string, done: () => void): void {
    this.writes.push(chunk);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it matches escape sequences
    for (const token of chunk.match(/\x1b\[[?0-9;]*[A-Za-z]|\n|\r|[^\x1b\n\r]+|\x1b/g) ?? []) this.#act(token);
    done();
  }

  /** Changes the size; like most terminals, it wraps rows that are too long again. */
  resize(columns: number, rows = this.rows): void {
    this.columns = columns;
    this.rows = rows;
    const cursorLine = this.#lines[this.#cursor];
    const whole: { text: string; hasCursor: boolean }[] = [];
    for (const line of this.#lines) {
      const last = whole.at(-1);
      if (line.wrapped && last !== undefined) last.text += line.text;
      else whole.push({ text: line.text, hasCursor: false });
      const open = whole.at(-1);
      if (line === cursorLine && open !== undefined) open.hasCursor = true;
    }
    this.#lines = [];
    for (const { text, hasCursor } of whole) {
      if (hasCursor) this.#cursor = this.#lines.length;
      this.#append(text, false);
    }
    this.emit('resize');
  }

  /** All lines, from first to last. */
  get lines(): string[] {
    const texts = this.#lines.map(({ text }) => text);
    return texts.at(-1) === '' ? texts.slice(0, -1) : texts;
  }

  get text(): string {
    return this.lines.join('\n');
  }

  #append(text: string, wrapped: boolean): void {
    let row = '';
    let isWrapped = wrapped;
    for (const char of text) {
      if (widthOf(row + char) > this.columns) {
        this.#lines.push({ text: row, wrapped: isWrapped });
        row = '';
        isWrapped = true;
      }
      row += char;
    }
    this.#lines.push({ text: row, wrapped: isWrapped });
  }

  #act(token: string): void {
    if (!token.startsWith('\x1b')) this.#type(token);
    else if (token === '\x1b[?25l' || token === '\x1b[?25h') this.cursorShown = token.endsWith('h');
    else if (token === '\x1b[J') this.#lines.splice(this.#cursor, this.#lines.length, { text: '', wrapped: false });
    else if (token.endsWith('A')) {
      const top = Math.max(0, this.#lines.length - this.rows);
      this.#cursor = Math.max(top, this.#cursor - Number.parseInt(token.slice(2), 10));
    } else if (!token.endsWith('m') && !token.startsWith('\x1b[?2026')) {
      throw new Error(`unknown sequence ${JSON.stringify(token)}`);
    }
  }

  #type(token: string): void {
    if (token === '\r') return;
    if (token === '\n') {
      this.#cursor += 1;
      if (this.#cursor === this.#lines.length) this.#lines.push({ text: '', wrapped: false });
      return;
    }
    const line = this.#lines.pop();
    if (line === undefined || this.#cursor !== this.#lines.length) throw new Error('wrote over a line');
    this.#append(line.text + token, line.wrapped);
    this.#cursor = this.#lines.length - 1;
  }
}

/** A pipe or a file that keeps what was written. */
export class FakePipe extends Writable {
  text = '';

  constructor() {
    super({ decodeStrings: false });
  }

  override _write(chunk: string, _encoding: string, done: () => void): void {
    this.text += chunk;
    done();
  }
}
