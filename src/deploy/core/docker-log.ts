/** Output of `docker logs --timestamps` as the lines that the program has printed. */

/**
 * Docker splits longer lines, and puts a time before each part, the same for all parts of a line. In bytes.
 * Source: https://github.com/moby/moby/blob/v20.10.24/daemon/logger/copier.go, and tried with its drivers json-file and local
 */
const PART_BYTES = 16 * 1024;

/** Streams whose lines are unfinished at the same time: there are two, unless somebody makes the log up. */
const MAX_UNFINISHED = 2;

const STAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)(?: |$)/;
/** As Docker writes it inside of a line: a program's own text is more seldom like this. */
const INNER_STAMP = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z /g;

/** A line without its line feed. */
export interface DockerLine {
  /** As Docker writes it; undefined before what Docker says itself. */
  time: string | undefined;
  text: Buffer;
  /** More than may be kept was printed. */
  isCut: boolean;
}

interface Part {
  bytes: Buffer;
  isCut: boolean;
}

/** Gets the output in pieces, and hands on whole lines. */
export class DockerLog {
  readonly #streams: 1 | 2;
  readonly #maxBytes: number;
  #physical: Buffer[] = [];
  #bytes = 0;
  #isCut = false;
  /** Parts of lines that go on elsewhere, by their time. */
  readonly #unfinished = new Map<string, Part[]>();

  /**
   * @param streams whether the outputs of the program come together: then a part of one may stand between two of the other
   * @param maxBytes of one line; what is beyond it is cut off
   */
  constructor(streams: 1 | 2, maxBytes: number) {
    this.#streams = streams;
    this.#maxBytes = maxBytes;
  }

  read(chunk: Buffer): DockerLine[] {
    const lines: DockerLine[] = [];
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      this.#keep(chunk.subarray(start, end));
      lines.push(...this.#linesIn(this.#take()));
      start = end + 1;
    }
    this.#keep(chunk.subarray(start));
    return lines;
  }

  /** The log has ended: a last line may lack its line feed. */
  end(): DockerLine[] {
    const lines = this.#bytes === 0 ? [] : this.#linesIn(this.#take());
    return [...lines, ...[...this.#unfinished.keys()].map((stamp) => this.#finish(stamp))];
  }

  #keep(bytes: Buffer): void {
    const room = this.#maxBytes - this.#bytes;
    if (bytes.length > room) this.#isCut = true;
    const kept = bytes.subarray(0, room);
    if (kept.length === 0) return;
    // A copy: what a connection has received may be much larger.
    this.#physical.push(Buffer.from(kept));
    this.#bytes += kept.length;
  }

  #take(): Part {
    const part = { bytes: Buffer.concat(this.#physical), isCut: this.#isCut };
    this.#physical = [];
    this.#bytes = 0;
    this.#isCut = false;
    return part;
  }

  #linesIn({ bytes, isCut }: Part): DockerLine[] {
    const [first] = STAMP.exec(bytes.subarray(0, 64).toString('latin1')) ?? [];
    if (first === undefined) return [{ time: undefined, text: bytes, isCut }];
    const lines: DockerLine[] = [];
    let stamp = first;
    let at = first.length;
    for (const { index, 0: next } of bytes.length === at ? [] : bytes.toString('latin1').matchAll(INNER_STAMP)) {
      if (index < at) continue;
      const isFull = index === at + PART_BYTES;
      const goesOn = next === stamp || (isFull && this.#streams === 1);
      // Docker's driver `local` prints no line feed behind the last part of a line.
      const isOver = this.#unfinished.has(stamp) && next > stamp;
      if (!goesOn && !isFull && !isOver) continue;
      lines.push(...this.#add(stamp, { bytes: bytes.subarray(at, index), isCut: false }));
      if (!goesOn) {
        if (!isFull) lines.push(this.#finish(stamp));
        stamp = next;
      }
      at = index + next.length;
    }
    lines.push(...this.#add(stamp, { bytes: bytes.subarray(at), isCut }));
    return [...lines, this.#finish(stamp)];
  }

  /** @returns a line that is given up for it */
  #add(stamp: string, part: Part): DockerLine[] {
    const parts = this.#unfinished.get(stamp);
    if (parts !== undefined) {
      const room = this.#maxBytes - parts.reduce((sum, { bytes }) => sum + bytes.length, 0);
      parts.push({ bytes: part.bytes.subarray(0, room), isCut: part.isCut || part.bytes.length > room });
      return [];
    }
    this.#unfinished.set(stamp, [part]);
    const [oldest = stamp] = this.#unfinished.keys();
    return this.#unfinished.size > MAX_UNFINISHED ? [this.#finish(oldest)] : [];
  }

  #finish(stamp: string): DockerLine {
    const parts = this.#unfinished.get(stamp) ?? [];
    this.#unfinished.delete(stamp);
    const text = Buffer.concat(parts.map(({ bytes }) => bytes));
    return { time: stamp.trimEnd(), text, isCut: parts.some(({ isCut }) => isCut) };
  }
}
