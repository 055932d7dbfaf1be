/** What an action has read from a droplet: lines `KEY VALUE`. */
/** Larger files are cut: none of those that are read has that size by right. */
const MAX_FILE_BYTES = 65_536;

export class Read {
  readonly #lines: readonly (readonly [key: string, value: string])[];

  constructor(text: string) {
    this.#lines = text.split('\n').map((line) => {
      const end = line.indexOf(' ');
      return end < 0 ? [line, ''] : [line.slice(0, end), line.slice(end + 1).trim()];
    });
  }

  has(key: string): boolean {
    return this.#lines.some(([name]) => name === key);
  }

  all(key: string): string[] {
    return this.#lines.flatMap(([name, value]) => (name === key ? [value] : []));
  }

  /** Its first value; undefined where there is none. */
  one(key: string): string | undefined {
    return this.all(key)[0];
  }

  /** What `readFile` printed; undefined where there is no such file. */
  file(key: string): string | undefined {
    const encoded = this.one(key);
    return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('utf8');
  }
}

/** A line that prints a file's content, if there is one. `path` is as the shell reads it. */
export function readFile(key: string, path: string): string {
  return `[ ! -f ${path} ] || printf '%s %s\\n' ${key} "$(head -c ${MAX_FILE_BYTES} ${path} | base64 -w 0)"`;
}

/** A line that prints `KEY`, and the output of the command in one line, if the command succeeds. */
export function readOutput(key: string, command: string): string {
  return `if value=$(${command}); then printf '%s %s\\n' ${key} "$(printf %s "$value" | tr '\\n' ' ')"; fi 2>/dev/null`;
}
