/** Bytes of `docker logs --timestamps` as lines, and how far a log has been read. */
import { type DockerLine, DockerLog } from '../../core/docker-log.js';

/** Of one line; what is beyond it is cut off, in bytes. */
const MAX_LINE_BYTES = 64 * 1024;

export interface LogLine {
  /** As Docker writes it, in UTC with nine digits of the second. */
  time: string;
  text: string;
}

/** One of the two outputs of a container, over several readings of its log. */
export class LogReader {
  #log = new DockerLog(1, MAX_LINE_BYTES);
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
    this.#log = new DockerLog(1, MAX_LINE_BYTES);
    this.#skipped = 0;
    this.#isNew = false;
  }

  /** Lines of Docker's own, which have no time, are handed to `aside`. */
  read(chunk: Buffer, aside: (text: string) => void): LogLine[] {
    return this.#newOf(this.#log.read(chunk), aside);
  }

  /** The log has ended: a last line may lack its line feed. */
  end(aside: (text: string) => void): LogLine[] {
    return this.#newOf(this.#log.end(), aside);
  }

  #newOf(lines: readonly DockerLine[], aside: (text: string) => void): LogLine[] {
    return lines.flatMap(({ time: written, text, isCut }) => {
      if (written === undefined) {
        if (text.length > 0) aside(text.toString('utf8'));
        return [];
      }
      const time = inUtc(written);
      if (!this.#advance(time)) return [];
      return [{ time, text: `${text.toString('utf8').replace(/\r$/, '')}${isCut ? '…' : ''}` }];
    });
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

/** With nine digits, so that times can be compared as text. */
function inUtc(written: string): string {
  const [, seconds = '', fraction = '', zone = 'Z'] = /^(.{19})(?:\.(\d+))?(.*)$/.exec(written) ?? [];
  const time = zone === 'Z' ? Number.NaN : Date.parse(`${seconds}${zone}`);
  // A time that no calendar has stays as it is.
  const utc = Number.isNaN(time) ? seconds : new Date(time).toISOString().slice(0, 19);
  return `${utc}.${fraction.padEnd(9, '0')}Z`;
}
