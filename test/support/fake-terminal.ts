import { Writable } from 'node:stream';
import xterm from '@xterm/headless';

/** What the emulator has besides its API: a write that is done when it returns, and whether the cursor is hidden. */
interface Inside {
  writeSync(data: string): void;
  coreService: { isCursorHidden: boolean };
}

/** A terminal as users have it: the emulator of VS Code and others, with its history, wrapping and reflow. */
export class EmulatedTerminal extends Writable {
  readonly isTTY: boolean = true;
  columns: number;
  rows: number;
  readonly writes: string[] = [];
  readonly #emulator: InstanceType<typeof xterm.Terminal>;

  constructor(columns = 80, rows = 24) {
    super({ decodeStrings: false });
    this.columns = columns;
    this.rows = rows;
    // The system's terminal driver begins a new line at the left.
    const driver = { convertEol: true, scrollback: 10_000 };
    // It warns of `writeSync`; its version is fixed.
    this.#emulator = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true, logLevel: 'off', ...driver });
  }

  override _write(chunk: string, _encoding: string, done: () => void): void {
    this.writes.push(chunk);
    this.#inside.writeSync(chunk);
    done();
  }

  resize(columns: number, rows = this.rows): void {
    this.columns = columns;
    this.rows = rows;
    this.#emulator.resize(columns, rows);
    this.emit('resize');
  }

  get cursorShown(): boolean {
    return !this.#inside.coreService.isCursorHidden;
  }

  /** The rows from the first in its history to the last one that is not empty. */
  get lines(): string[] {
    const { active } = this.#emulator.buffer;
    const rows = Array.from({ length: active.length }, (_, row) => active.getLine(row)?.translateToString(true) ?? '');
    return rows.slice(0, rows.findLastIndex((text) => text !== '') + 1);
  }

  /** What is on the screen. */
  get screen(): string[] {
    const { active } = this.#emulator.buffer;
    return this.lines.slice(active.baseY);
  }

  /** Whether a row continues the one above it, by its place in `lines`. */
  isWrapped(row: number): boolean {
    return this.#emulator.buffer.active.getLine(row)?.isWrapped === true;
  }

  get text(): string {
    return this.lines.join('\n');
  }

  get #inside(): Inside {
    return (this.#emulator as unknown as { _core: Inside })._core;
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
