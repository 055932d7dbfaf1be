/** Output that comes in pieces, as lines. */
import { StringDecoder } from 'node:string_decoder';

/** Of one line: what is beyond it is cut off, in characters. */
export const MAX_LINE = 10_000;

/** Finds the lines in the output of one attempt. */
export interface LineReader<Line> {
  read(chunk: Buffer): Line[];
  /** The output has ended: a last line may lack its line feed. */
  end(): Line[];
}

/** Hands on each line once, also when the command is repeated and prints all of it again. */
export class LineFeed<Line = string> {
  readonly #onLine: (line: Line) => void;
  readonly #open: () => LineReader<Line>;
  #handedOn = 0;
  #end: () => void = () => {};

  constructor(open: () => LineReader<Line>, onLine: (line: Line) => void) {
    this.#open = open;
    this.#onLine = onLine;
  }

  /** At the start of each attempt. */
  start(): (chunk: Buffer) => void {
    const reader = this.#open();
    let number = 0;
    const handOn = (lines: readonly Line[]) => {
      for (const line of lines) {
        number += 1;
        if (number <= this.#handedOn) continue;
        this.#handedOn = number;
        this.#onLine(line);
      }
    };
    this.#end = () => handOn(reader.end());
    return (chunk) => handOn(reader.read(chunk));
  }

  /** The command has ended. */
  end(): void {
    this.#end();
    this.#end = () => {};
  }
}

/** Lines of text as they are. */
export function textLines(): LineReader<string> {
  const decoder = new StringDecoder('utf8');
  let line = '';
  const add = (text: string) => {
    if (line.length < MAX_LINE) line += text.slice(0, MAX_LINE - line.length);
  };
  const take = () => {
    const taken = line;
    line = '';
    return taken;
  };
  return {
    read(chunk) {
      const [first = '', ...others] = decoder.write(chunk).split('\n');
      add(first);
      return others.map((text) => {
        const ended = take();
        add(text);
        return ended;
      });
    },
    end: () => (line === '' ? [] : [take()]),
  };
}
