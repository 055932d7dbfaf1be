import { widthOf } from './text.js';

/** What a live area needs of a terminal; `columns` and `rows` follow its size. */
export type Terminal = NodeJS.WritableStream & { columns?: number; rows?: number };

const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';
/** Terminals that support these show the output between them in one step; others ignore them. */
const BEGIN_UPDATE = '\x1b[?2026h';
const END_UPDATE = '\x1b[?2026l';
const CLEAR_BELOW = '\x1b[J';
const CLEAR_REST_OF_LINE = '\x1b[K';
/** A line of the frame that a terminal finds wider than `widthOf` does must not take two rows: the next frame would be misplaced. */
const NO_WRAP = '\x1b[?7l';
const WRAP = '\x1b[?7h';

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

  /**
   * Writes lines that stay, and below them the new frame over the last one; in one write, and nothing is cleared that is written
   * again, to avoid flicker.
   */
  draw(lines: string[], frame: string[]): void {
    if (lines.length + frame.length + this.#drawn.length === 0) return;
    const height = this.#drawnHeight();
    const back = height === 0 ? '' : `\x1b[${height}A`;
    const stay = lines.map((line) => this.#staying(line)).join('');
    const drawn = frame.map((line) => `${CLEAR_REST_OF_LINE}${line}\n`).join('');
    const below = frame.length === 0 ? '' : `${NO_WRAP}${drawn}${WRAP}`;
    this.#terminal.write(`${BEGIN_UPDATE}${back}\r${stay}${below}${CLEAR_BELOW}${END_UPDATE}`);
    this.#drawn = frame;
  }

  /** Where it fills its last row, there is nothing to clear: the cursor is still on the last character. */
  #staying(text: string): string {
    return text
      .split('\n')
      .map((line) => {
        const width = widthOf(line);
        return `${line}${width > 0 && width % this.columns === 0 ? '' : CLEAR_REST_OF_LINE}\n`;
      })
      .join('');
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
    this.#terminal.write(`${WRAP}${SHOW_CURSOR}`);
  };

  /** Rows that the last frame takes now: a terminal that was made narrower has wrapped its lines. */
  #drawnHeight(): number {
    return this.#drawn.reduce((sum, line) => sum + Math.max(1, Math.ceil(widthOf(line) / this.columns)), 0);
  }
}
