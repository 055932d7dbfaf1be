import { widthOf } from './text.js';

/** What a live area needs of a terminal; `columns` and `rows` follow its size. */
export type Terminal = NodeJS.WritableStream & { columns?: number; rows?: number };

const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';
/** Terminals that support these show the output between them in one step; others ignore them. */
const BEGIN_UPDATE = '\x1b[?2026h';
const END_UPDATE = '\x1b[?2026l';
const CLEAR_BELOW = '\x1b[J';

/** The lowest lines of a terminal, redrawn in place; other lines scroll by above them. */
export class LiveArea {
  readonly #terminal: Terminal;
  readonly #onResize: () => void;
  #isOpen = false;
  #drawn: string[] = [];

  constructor(terminal: Terminal, onResize: () => void) {
    this.#terminal = terminal;
    this.#onResize = onResize;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get columns(): number {
    return this.#terminal.columns || 80;
  }

  get rows(): number {
    return this.#terminal.rows || 24;
  }

  open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#terminal.write(HIDE_CURSOR);
    this.#terminal.on('resize', this.#onResize);
    // A crash must not leave the user's terminal without a cursor.
    process.once('exit', this.#restore);
  }

  /** Writes lines that stay, and below them the new frame in place of the last one; in one write, to avoid flicker. */
  draw(lines: string[], frame: string[]): void {
    if (lines.length + frame.length + this.#drawn.length === 0) return;
    const height = this.#drawnHeight();
    const back = height === 0 ? '' : `\x1b[${height}A`;
    const text = [...lines, ...frame].map((line) => `${line}\n`).join('');
    this.#terminal.write(`${BEGIN_UPDATE}${back}\r${CLEAR_BELOW}${text}${END_UPDATE}`);
    this.#drawn = frame;
  }

  /** Removes the frame and restores the terminal. */
  close(lines: string[]): void {
    this.draw(lines, []);
    if (!this.#isOpen) return;
    this.#isOpen = false;
    process.off('exit', this.#restore);
    this.#terminal.removeListener('resize', this.#onResize);
    this.#restore();
  }

  #restore = (): void => {
    this.#terminal.write(SHOW_CURSOR);
  };

  /** Rows that the last frame takes now: a terminal that was made narrower has wrapped its lines. */
  #drawnHeight(): number {
    return this.#drawn.reduce((sum, line) => sum + Math.max(1, Math.ceil(widthOf(line) / this.columns)), 0);
  }
}
