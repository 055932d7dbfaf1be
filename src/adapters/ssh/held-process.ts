import { StringDecoder } from 'node:string_decoder';
import type { ClientChannel } from 'ssh2';
import { ShellError } from '../../errors.js';
import type { Clock, HeldProcess, RemoteCommand, RemoteHost } from '../../ports.js';
import { type Exit, lost, openChannel } from './channel.js';
import type { Link } from './link.js';
import { shellCommand } from './quote.js';
import { within } from './within.js';

/** How long a process may take to end after its standard input was closed, in ms. */
const CLOSE_MS = 1000;
/** Of standard error, for `ended.reason`. */
const MOST_STDERR = 2000;
/** A line longer than this (bytes) is given in pieces. */
const LONGEST_LINE = 1024 * 1024;

/** Starts the process; `command.timeoutMs` bounds the start only. Throws ShellError. */
export function holdProcess(link: Link, host: RemoteHost, command: RemoteCommand, clock: Clock): Promise<HeldProcess> {
  const fail = (how: string, reason: string) =>
    how === 'lost'
      ? lost(host, 'unknown', reason)
      : new ShellError('timeout', 'unknown', `"${command.name}" did not start on ${host.name} in time.`, {
          droplet: host.name,
          hint: 'Is the droplet overloaded? Run again.',
        });
  return within(link, clock, { timeoutMs: command.timeoutMs, fail }, async (stop) => {
    const { channel, exit } = await openChannel(link, shellCommand(command.script), host);
    if (stop.aborted) channel.close();
    if (command.stdin !== undefined) channel.write(command.stdin);
    return new ChannelProcess(link, channel, exit, host, command.name, clock);
  });
}

class ChannelProcess implements HeldProcess {
  readonly ended: Promise<{ code?: number; reason: string }>;
  readonly #lines: string[] = [];
  readonly #over = new AbortController();
  #rest = '';
  #stderr = '';
  /** Wakes who waits for a line. */
  #wake = () => {};

  constructor(
    link: Link,
    readonly channel: ClientChannel,
    exit: Promise<Exit>,
    readonly host: RemoteHost,
    readonly name: string,
    readonly clock: Clock,
  ) {
    const decoder = new StringDecoder('utf8');
    channel.on('data', (chunk: Buffer) => this.#take(decoder.write(chunk)));
    const errors = new StringDecoder('utf8');
    channel.stderr.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + errors.write(chunk)).slice(-MOST_STDERR);
    });
    this.ended = new Promise((resolve) => {
      const end = (reason: string, code?: number) => {
        unsubscribe();
        if (this.#over.signal.aborted) return;
        if (this.#rest !== '') this.#lines.push(this.#rest);
        this.#rest = '';
        this.#over.abort();
        this.#wake();
        resolve({ code, reason });
      };
      exit.then(({ code, signal }) => {
        const said = this.#stderr.trim() === '' ? '' : `: ${this.#stderr.trim()}`;
        if (code !== undefined) end(`it ended with exit code ${code}${said}`, code);
        else end(signal === undefined ? 'the connection was lost' : `it was killed (${signal})${said}`);
      });
      let unsubscribe = () => {};
      unsubscribe = link.onLost((reason) => end(`the connection was lost: ${reason}`));
    });
  }

  write(line: string): void {
    if (!this.#over.signal.aborted && this.channel.writable) this.channel.write(`${line}\n`);
  }

  async nextLine(timeoutMs: number): Promise<string | undefined> {
    const until = this.clock.now() + timeoutMs;
    while (this.#lines.length === 0 && !this.#over.signal.aborted) {
      const left = until - this.clock.now();
      if (left <= 0) {
        throw new ShellError(
          'timeout',
          'unknown',
          `"${this.name}" on ${this.host.name} was silent for ${timeoutMs / 1000} s.`,
          {
            droplet: this.host.name,
            hint: 'Is the droplet overloaded? Run again.',
          },
        );
      }
      const woken = new AbortController();
      this.#wake = () => woken.abort();
      await this.clock.sleep(left, woken.signal);
    }
    return this.#lines.shift();
  }

  async close(): Promise<void> {
    this.channel.end();
    await this.clock.sleep(CLOSE_MS, this.#over.signal);
    if (!this.#over.signal.aborted) this.channel.close();
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > LONGEST_LINE) {
      lines.push(this.#rest);
      this.#rest = '';
    }
    this.#lines.push(...lines);
    this.#wake();
  }
}
