/** What is kept of a stream, in bounded memory. */
import { StringDecoder } from 'node:string_decoder';

/** Keeps the first and the last half of a limit; what is between them is counted and left out. */
export class BoundedOutput {
  readonly #half: number;
  readonly #head: Buffer[] = [];
  #headBytes = 0;
  readonly #tail: Buffer[] = [];
  #tailBytes = 0;
  #left = 0;

  constructor(limitBytes: number) {
    this.#half = Math.ceil(limitBytes / 2);
  }

  add(chunk: Buffer): void {
    const toHead = chunk.subarray(0, this.#half - this.#headBytes);
    if (toHead.length > 0) this.#head.push(toHead);
    this.#headBytes += toHead.length;
    const rest = chunk.subarray(toHead.length);
    if (rest.length === 0) return;
    this.#tail.push(rest);
    this.#tailBytes += rest.length;
    for (let [first] = this.#tail; first && this.#tailBytes - first.length >= this.#half; [first] = this.#tail) {
      this.#tail.shift();
      this.#tailBytes -= first.length;
      this.#left += first.length;
    }
  }

  get bytes(): number {
    return this.#headBytes + this.#tailBytes + this.#left;
  }

  /** Decoded as a whole: two packets may share a character. */
  text(): string {
    const tail = Buffer.concat(this.#tail);
    const excess = Math.max(0, tail.length - this.#half);
    const left = this.#left + excess;
    if (left === 0) return Buffer.concat([...this.#head, tail]).toString('utf8');
    const head = new StringDecoder('utf8').write(Buffer.concat(this.#head));
    // The cut may leave the rest of a character at the beginning.
    const end = tail
      .subarray(excess)
      .toString('utf8')
      .replace(/^\ufffd+/, '');
    return `${head}\n[${left} bytes left out]\n${end}`;
  }
}

/** '' of no output. */
export function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
