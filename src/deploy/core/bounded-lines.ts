/** The first and the last of many lines: what is between them is counted and left out. */
export class BoundedLines {
  readonly #half: number;
  readonly #head: string[] = [];
  #headSize = 0;
  #isHeadFull = false;
  readonly #tail: string[] = [];
  #tailSize = 0;
  #left = 0;

  /** @param limit of all lines together, in characters */
  constructor(limit: number) {
    this.#half = Math.ceil(limit / 2);
  }

  add(line: string): void {
    const size = line.length + 1;
    this.#isHeadFull ||= this.#headSize + size > this.#half;
    if (!this.#isHeadFull) {
      this.#head.push(line);
      this.#headSize += size;
      return;
    }
    this.#tail.push(line);
    this.#tailSize += size;
    while (this.#tailSize > this.#half && this.#tail.length > 1) {
      this.#tailSize -= (this.#tail.shift() ?? '').length + 1;
      this.#left += 1;
    }
  }

  text(): string {
    const left = this.#left === 0 ? [] : [`[${this.#left} lines left out]`];
    return [...this.#head, ...left, ...this.#tail].map((line) => `${line}\n`).join('');
  }
}
