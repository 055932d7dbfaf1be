/** Output that comes in pieces, as lines. */
import { StringDecoder } from 'node:string_decoder';

/** Of one line: what is beyond it is cut off, in characters. */
const MAX_LINE = 10_000;

/** Hands on each line once, also when the command is repeated and prints all of it again. */
export class LineFeed {
  readonly #onLine: (line: string) => void;
  #handedOn = 0;
  #flush: () => void = () => {};

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  /** At the start of each attempt. */
  start(): (chunk: Buffer) => void {
    const decoder = new StringDecoder('utf8');
    let line = '';
    let number = 0;
    const add = (text: string) => {
      if (line.length < MAX_LINE) line += text.slice(0, MAX_LINE - line.length);
    };
    const end = () => {
      number += 1;
      if (number > this.#handedOn) {
        this.#handedOn = number;
        this.#onLine(line);
      }
      line = '';
    };
    this.#flush = () => {
      if (line !== '') end();
    };
    return (chunk) => {
      const [first = '', ...others] = decoder.write(chunk).split('\n');
      add(first);
      for (const text of others) {
        end();
        add(text);
      }
    };
  }

  /** The command has ended: a last line may lack its line feed. */
  end(): void {
    this.#flush();
  }
}
