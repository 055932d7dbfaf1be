import { StringDecoder } from 'node:string_decoder';
import type { ClientChannel } from 'ssh2';
import { inWords } from '../../durations.js';
import { ShellError } from '../../errors.js';
import type { Clock, HeldProcess, RemoteCommand, RemoteHost } from '../../ports.js';
import { oneLine } from '../printable.js';
import { type Exit, lost, openChannel } from './channel.js';
import { Frame, type FramedStream, MAX_BANNER_BYTES } from './frame.js';
import type { Link } from './link.js';
import { shellCommand } from './quote.js';
import { within } from './within.js';

/** How long a process may take to end after its standard input was closed, in ms. */
const CLOSE_MS = 1000;
/** Of stderr, for `ended.reason`, in characters. */
const MAX_STDERR = 2000;
/** Bounds what is printed but not read yet, in characters: a process that prints more is broken. */
const MAX_UNREAD = 1024 * 1024;

/** Starts the process; `command.timeoutMs` bounds the start only. Throws ShellError. */
export function holdProcess(link: Link, host: RemoteHost, command: RemoteCommand, clock: Clock): Promise<HeldProcess> {
  const fail = (how: string, reason: string) =>
    how === 'lost'
      ? lost(host, 'unknown', reason)
      : new ShellError('timeout', 'unknown', `"${command.name}" did not start on ${host.name} in time.`, {
          droplet: host.name,
          hint: 'Check the load of the droplet (`uptime`), then run again.',
        });
  return within(link, clock, { timeoutMs: command.timeoutMs, fail }, async (stop) => {
    const frame = new Frame();
    const { channel, exit } = await openChannel(link, shellCommand(frame.wrapStart(command.script)), host);
    if (stop.aborted) channel.close();
    if (command.stdin !== undefined) channel.write(command.stdin);
    return new ChannelProcess({ link, channel, exit, frame, host, name: command.name, clock });
  });
}

interface Started {
  link: Link;
  channel: ClientChannel;
  exit: Promise<Exit>;
  frame: Frame;
  host: RemoteHost;
  /** Of the command. */
  name: string;
  clock: Clock;
}

class ChannelProcess implements HeldProcess {
  readonly ended: Promise<{ code?: number; reason: string }>;
  readonly #started: Started;
  readonly #stdout: FramedStream;
  readonly #lines: string[] = [];
  /** Characters in `#lines` and `#rest`. */
  #unread = 0;
  readonly #over = new AbortController();
  #rest = '';
  #stderr = '';
  #end: (reason: string, code?: number) => void = () => {};
  /** Wakes a waiting `nextLine`. */
  #wake = () => {};

  constructor(started: Started) {
    this.#started = started;
    const { link, channel, exit, frame } = started;
    this.#stdout = frame.lines();
    const decoder = new StringDecoder('utf8');
    channel.on('data', (chunk: Buffer) => this.#take(decoder.write(this.#stdout.take(chunk))));
    const errors = new StringDecoder('utf8');
    channel.stderr.on('data', (chunk: Buffer) => {
      this.#stderr = frame.stderr(this.#stderr + errors.write(chunk)).text.slice(-MAX_STDERR);
    });
    this.ended = new Promise((resolve) => {
      this.#end = (reason, code) => {
        unsubscribe();
        if (this.#over.signal.aborted) return;
        if (this.#rest !== '') this.#lines.push(this.#rest);
        this.#rest = '';
        this.#over.abort();
        this.#wake();
        resolve({ code, reason });
      };
      exit.then(({ code, signal }) => {
        const said = this.#saidAtLast();
        if (code !== undefined) this.#end(`it ended with exit code ${code}${said}`, code);
        else this.#end(signal === undefined ? 'the connection was lost' : `it was killed (${signal})${said}`);
      });
      let unsubscribe = () => {};
      unsubscribe = link.onLost((reason) => this.#end(`the connection was lost: ${reason}`));
    });
  }

  write(line: string): void {
    const { channel } = this.#started;
    if (!this.#over.signal.aborted && channel.writable) channel.write(`${line}\n`);
  }

  async nextLine(timeoutMs: number): Promise<string | undefined> {
    const { clock, host, name } = this.#started;
    const until = clock.now() + timeoutMs;
    while (this.#lines.length === 0 && !this.#over.signal.aborted) {
      const left = until - clock.now();
      if (left <= 0) {
        throw new ShellError(
          'timeout',
          'unknown',
          `"${name}" on ${host.name} printed nothing for ${inWords(timeoutMs)}.`,
          { droplet: host.name, hint: 'Check the load of the droplet (`uptime`), then run again.' },
        );
      }
      const woken = new AbortController();
      this.#wake = () => woken.abort();
      await clock.sleep(left, woken.signal);
    }
    const line = this.#lines.shift();
    this.#unread -= line?.length ?? 0;
    return line;
  }

  async close(): Promise<void> {
    const { channel, clock } = this.#started;
    channel.end();
    await clock.sleep(CLOSE_MS, this.#over.signal);
    if (!this.#over.signal.aborted) channel.close();
  }

  /** `: ` and its last words, for people; what a login shell printed instead of starting it counts. */
  #saidAtLast(): string {
    const { stderr, banner } = { stderr: this.#stderr.trim(), banner: this.#stdout.banner.toString('utf8').trim() };
    const said = stderr || oneLine(banner);
    return said === '' ? '' : `: ${said}`;
  }

  #take(text: string): void {
    if (this.#over.signal.aborted) return;
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    this.#unread += text.length;
    this.#lines.push(...lines);
    if (this.#unread > MAX_UNREAD || this.#stdout.banner.length > MAX_BANNER_BYTES) {
      this.#end('it printed far more than expected');
      this.#started.channel.close();
    }
    this.#wake();
  }
}
