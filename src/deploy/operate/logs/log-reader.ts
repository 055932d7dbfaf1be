/** Bytes of `docker logs --timestamps` as lines, and how far a log has been read. */

/** Docker splits longer messages, and puts a time before each part. In bytes. */
const PART_BYTES = 16 * 1024;
/** Of one line; what is beyond it is cut off, in bytes. */
const MAX_LINE_BYTES = 64 * 1024;

const STAMP = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) /;

export interface LogLine {
  /** As Docker writes it, in UTC with nine digits of the second. */
  time: string;
  text: string;
}

/** One of the two outputs of a container, over several readings of its log. */
export class LogReader {
  #rest: Buffer = Buffer.alloc(0);
  #isCut = false;
  /** Time of the last line that was read, and how many lines with it were. */
  #last = '';
  #count = 0;
  /** Lines with the last time that the current reading has skipped. */
  #skipped = 0;
  #isNew = true;

  /** Time of the last line; undefined before the first. */
  get position(): string | undefined {
    return this.#last === '' ? undefined : this.#last;
  }

  /** Another reading begins, at the position or before it: lines that were read are left out. */
  restart(): void {
    this.#rest = Buffer.alloc(0);
    this.#isCut = false;
    this.#skipped = 0;
    this.#isNew = false;
  }

  /** Lines of Docker's own, which have no time, are handed to `aside`. */
  read(chunk: Buffer, aside: (text: string) => void): LogLine[] {
    const lines: LogLine[] = [];
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      this.#keep(chunk.subarray(start, end));
      const line = this.#finish(aside);
      if (line !== undefined) lines.push(line);
      start = end + 1;
    }
    this.#keep(chunk.subarray(start));
    return lines;
  }

  /** The log has ended: a last line may lack its line feed. */
  end(aside: (text: string) => void): LogLine[] {
    if (this.#rest.length === 0) return [];
    const line = this.#finish(aside);
    return line === undefined ? [] : [line];
  }

  #keep(bytes: Buffer): void {
    if (bytes.length === 0) return;
    const room = MAX_LINE_BYTES - this.#rest.length;
    if (bytes.length > room) this.#isCut = true;
    if (room > 0) this.#rest = Buffer.concat([this.#rest, bytes.subarray(0, room)]);
  }

  #finish(aside: (text: string) => void): LogLine | undefined {
    const bytes = withoutStamps(this.#rest);
    const isCut = this.#isCut;
    this.#rest = Buffer.alloc(0);
    this.#isCut = false;
    const [whole, written] = STAMP.exec(bytes.subarray(0, 64).toString('latin1')) ?? [];
    if (whole === undefined || written === undefined) {
      if (bytes.length > 0) aside(bytes.toString('utf8'));
      return undefined;
    }
    const time = inUtc(written);
    if (!this.#advance(time)) return undefined;
    return { time, text: `${bytes.subarray(whole.length).toString('utf8').replace(/\r$/, '')}${isCut ? '…' : ''}` };
  }

  /** Whether the line is new. */
  #advance(time: string): boolean {
    if (!this.#isNew) {
      if (time < this.#last) return false;
      if (time === this.#last) {
        this.#skipped += 1;
        if (this.#skipped <= this.#count) return false;
      } else {
        this.#isNew = true;
      }
    }
    // A clock that was set back must not make what follows look old.
    if (time === this.#last) this.#count += 1;
    else {
      this.#last = time;
      this.#count = 1;
      this.#skipped = 0;
    }
    return true;
  }
}

/** Docker's times before the later parts of a long line are no text of the program. */
function withoutStamps(line: Buffer): Buffer {
  const first = STAMP.exec(line.subarray(0, 64).toString('latin1'))?.[0].length;
  if (first === undefined || line.length <= first + PART_BYTES) return line;
  const parts = [line.subarray(0, first + PART_BYTES)];
  for (let at = first + PART_BYTES; at < line.length; at += PART_BYTES) {
    at += STAMP.exec(line.subarray(at, at + 64).toString('latin1'))?.[0].length ?? 0;
    parts.push(line.subarray(at, at + PART_BYTES));
  }
  return Buffer.concat(parts);
}

/** With nine digits, so that times can be compared as text. */
function inUtc(written: string): string {
  const [, seconds = '', fraction = '', zone = 'Z'] = /^(.{19})(?:\.(\d+))?(.*)$/.exec(written) ?? [];
  const time = zone === 'Z' ? Number.NaN : Date.parse(`${seconds}${zone}`);
  // A time that no calendar has stays as it is.
  const utc = Number.isNaN(time) ? seconds : new Date(time).toISOString().slice(0, 19);
  return `${utc}.${fraction.padEnd(9, '0')}Z`;
}
