/** Programs that talk to the user: streams without bounds, terminals and signals. */
import { Readable } from 'node:stream';
import { ShellError } from '../../errors.js';
import type { Clock, ProgramCommand, ProgramEnd, ProgramStreams, RemoteHost, RunningProgram } from '../../ports.js';
import { oneLine } from '../printable.js';
import { type CommandChannel, lost, openChannel, type PseudoTerminal } from './channel.js';
import { Frame, type FramedStream, MAX_BANNER_BYTES } from './frame.js';
import type { Link } from './link.js';
import { shellCommand } from './quote.js';
import { type Interruption, within } from './within.js';

/** How long a program may take to start, in ms. */
const START_MS = 30_000;
/** How long the news of a lost connection may come after its channels have closed, in ms. */
const LOSS_MS = 50;
/** Bounds sending a signal, in ms. */
const SIGNAL_MS = 5_000;
/** Bounds what precedes the start marker on standard error, in bytes. */
const MAX_START_BYTES = 64 * 1024;

export interface Program extends Pick<ProgramCommand, 'name' | 'terminal'> {
  /** Absent: the login shell. */
  script: string | undefined;
}

/** Throws ShellError. */
export function startProgram(
  link: Link,
  host: RemoteHost,
  program: Program,
  streams: ProgramStreams,
  clock: Clock,
): Promise<RunningProgram> {
  const { name, script, terminal } = program;
  const fail = (how: Interruption, reason: string) =>
    how === 'lost'
      ? lost(host, 'unknown', reason)
      : new ShellError('timeout', 'unknown', `"${name}" did not start on ${host.name} in time.`, {
          droplet: host.name,
          hint: 'Check the load of the droplet (`uptime`), then run again.',
        });
  return within(link, clock, { timeoutMs: START_MS, fail }, async (stop) => {
    const frame = script === undefined ? undefined : new Frame();
    // In a terminal, standard error is the same stream: there only the marker of standard output is printed.
    const wrapped = script === undefined ? undefined : frame?.wrapStart(script, terminal === undefined);
    const line = wrapped === undefined ? undefined : shellCommand(wrapped);
    const opened = await openChannel(link, line, host, terminal && pseudoTerminal(terminal));
    if (stop.aborted) opened.channel.close();
    const inTerminal = terminal !== undefined;
    return new ChannelProgram({ link, host, name, clock, frame, inTerminal, opened, streams });
  });
}

function pseudoTerminal({ type, size }: NonNullable<ProgramCommand['terminal']>): PseudoTerminal {
  return { term: type, cols: size.columns, rows: size.rows, width: 0, height: 0 };
}

interface Started {
  link: Link;
  host: RemoteHost;
  name: string;
  clock: Clock;
  /** Absent: there are no markers. */
  frame: Frame | undefined;
  inTerminal: boolean;
  opened: CommandChannel;
  streams: ProgramStreams;
}

class ChannelProgram implements RunningProgram {
  readonly ended: Promise<ProgramEnd>;
  readonly #started: Started;
  readonly #stdout: FramedStream | undefined;
  /** Of standard error, until the start marker was found there. */
  #start: Buffer | undefined;
  #pid: string | undefined;
  #failure: unknown;
  #fail: (error: unknown) => void = () => {};

  constructor(started: Started) {
    this.#started = started;
    this.#stdout = started.frame?.lines(started.inTerminal);
    if (started.frame !== undefined && !started.inTerminal) this.#start = Buffer.alloc(0);
    const failed = new Promise<never>((_, reject) => {
      this.#fail = (error) => {
        this.#failure ??= error;
        reject(error);
      };
    });
    failed.catch(() => {});
    this.ended = this.#run(failed);
    // Whoever started it awaits its end later.
    this.ended.catch(() => {});
  }

  resize({ columns, rows }: { columns: number; rows: number }): void {
    try {
      this.#started.opened.channel.setWindow(rows, columns, 0, 0);
    } catch {
      // It has ended.
    }
  }

  /** By a command: sshd ignores the protocol's signals for root. */
  async signal(signal: string): Promise<void> {
    const { link, host, clock } = this.#started;
    const pid = this.#pid;
    if (pid === undefined || !/^[A-Z0-9]+$/.test(signal)) return;
    const fail = (_how: Interruption, reason: string) => new Error(reason);
    try {
      await within(link, clock, { timeoutMs: SIGNAL_MS, fail }, async (stop) => {
        const script = `kill -${signal} -${pid} || kill -${signal} ${pid}`;
        const { channel, exit } = await openChannel(link, shellCommand(script), host);
        stop.addEventListener('abort', () => channel.close());
        channel.resume();
        channel.stderr.resume();
        channel.end();
        await exit;
      });
    } catch {
      // The connection is lost, or too slow.
    }
  }

  abandon(): void {
    this.#started.opened.channel.close();
  }

  async #run(failed: Promise<never>): Promise<ProgramEnd> {
    const { link, host, name, clock, opened, streams } = this.#started;
    const { channel, exit } = opened;
    const unsubscribe = link.onLost((reason) => this.#fail(lost(host, 'unknown', `${reason}, while "${name}" ran`)));
    const handedOn = Promise.all([
      pass(channel, (chunk) => this.#takeOutput(chunk), streams.stdout),
      pass(channel.stderr, (chunk) => this.#takeErrors(chunk), streams.stderr),
    ]);
    handedOn.catch((error) => this.#fail(error));
    const input = feed(channel, streams.stdin, (error) => this.#fail(error));
    try {
      const { code, signal } = await Promise.race([exit, failed]);
      await Promise.race([handedOn, failed]);
      if (code !== undefined) {
        this.#checkStarted(code);
        return { code };
      }
      if (signal !== undefined) return { signal: `SIG${signal.replace(/^SIG/, '')}` };
      // A lost connection closes its channels first: its own error, which names the reason, is about to come.
      await Promise.race([clock.sleep(LOSS_MS), failed]);
      throw lost(host, 'unknown', `"${name}" ended without an exit code`);
    } catch (error) {
      channel.close();
      throw this.#failure ?? error;
    } finally {
      unsubscribe();
      input.stop();
    }
  }

  #takeOutput(chunk: Buffer): Buffer {
    if (this.#stdout === undefined) return chunk;
    const piece = this.#stdout.take(chunk);
    if (this.#stdout.banner.length > MAX_BANNER_BYTES) this.#fail(this.#notRun());
    return piece;
  }

  #takeErrors(chunk: Buffer): Buffer {
    const { frame } = this.#started;
    if (this.#start === undefined || frame === undefined) return chunk;
    const bytes = Buffer.concat([this.#start, chunk]);
    const found = frame.findStart(bytes);
    if (found === undefined && bytes.length <= MAX_START_BYTES) {
      this.#start = bytes;
      return Buffer.alloc(0);
    }
    this.#start = undefined;
    this.#pid = found?.pid;
    return found === undefined ? bytes : bytes.subarray(found.end);
  }

  /** A login shell such as nologin ended with a message of its own. */
  #checkStarted(code: number): void {
    if (this.#stdout !== undefined && !this.#stdout.started && code !== 0) throw this.#notRun();
  }

  #notRun(): ShellError {
    const { host, name } = this.#started;
    const said = oneLine(
      Buffer.concat([this.#stdout?.banner ?? Buffer.alloc(0), this.#start ?? Buffer.alloc(0)]).toString('utf8'),
    );
    const message = `"${name}" was not run by a shell on ${host.name}${said && `, which printed: ${said}`}.`;
    return new ShellError('no-shell', 'not-applied', message, {
      droplet: host.name,
      hint: 'Commands must run in the login shell of the SSH user: check `command=` in ~/.ssh/authorized_keys and ForceCommand in /etc/ssh/sshd_config there.',
    });
  }
}

/** Hands a stream on, chunk by chunk, each when the one before was taken: the droplet waits once the window is full. */
async function pass(
  stream: NodeJS.ReadableStream,
  take: (chunk: Buffer) => Buffer,
  receive: ProgramStreams['stdout'],
): Promise<void> {
  for await (const chunk of stream) {
    const piece = take(chunk as Buffer);
    if (piece.length > 0) await receive(piece);
  }
}

/** Writes the program's standard input, as fast as it takes it. */
function feed(
  channel: CommandChannel['channel'],
  stdin: ProgramStreams['stdin'],
  onError: (error: unknown) => void,
): { stop(): void } {
  if (stdin === undefined) {
    channel.end();
    return { stop() {} };
  }
  const input = Readable.from(stdin, { objectMode: false });
  input.on('error', onError);
  // The program may end without reading all of it.
  input.pipe(channel);
  return {
    stop() {
      input.unpipe(channel);
      input.destroy();
    },
  };
}
