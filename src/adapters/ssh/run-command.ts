import { pipeline, Readable, type Writable } from 'node:stream';
import { ShellError } from '../../errors.js';
import type { Clock, CommandResult, RemoteCommand, RemoteHost, RunOptions } from '../../ports.js';
import { oneLine } from '../printable.js';
import { type CommandChannel, lost, openChannel } from './channel.js';
import { Frame, type FramedStream, MAX_BANNER_BYTES } from './frame.js';
import type { Link } from './link.js';
import { BoundedOutput } from './output.js';
import { shellCommand } from './quote.js';
import { type Interruption, within } from './within.js';

/** Bound of stdout where a command names none, in bytes. */
const DEFAULT_MAX_BYTES = 4 * 1024 * 1024;
/** Bound of stderr, which only people read: beyond it the middle is left out. */
const MAX_STDERR_BYTES = 1024 * 1024;
/** How long the news of a lost connection may come after its channels have closed, in ms. */
const LOSS_MS = 50;
/** Bounds stopping a process, in ms. */
const STOP_MS = 2000;

/**
 * Runs one command on a link until it exits. Throws ShellError lost, timeout, signal, unreachable, output-limit or
 * no-shell, or what `receive` throws.
 */
export async function runCommand(
  link: Link,
  host: RemoteHost,
  command: RemoteCommand,
  clock: Clock,
  { signal, receive, observe }: RunOptions = {},
): Promise<CommandResult> {
  // Settles once the droplet was asked to stop a command that is given up.
  let stopped: Promise<void> | undefined;
  const fail = (how: Interruption, reason: string) => interrupted(host, command, how, reason);
  const running = within(link, clock, { timeoutMs: command.timeoutMs, signal, fail }, async (stop) => {
    const frame = new Frame();
    const opened = await openChannel(link, shellCommand(frame.wrap(command.script)), host);
    const { channel, exit } = opened;
    const stderr = new BoundedOutput(MAX_STDERR_BYTES);
    channel.stderr.on('data', (chunk: Buffer) => stderr.add(chunk));
    const answer = new Answer(opened, frame.stdout(), command, host, receive?.(), observe?.());
    let ended = false;
    const giveUp = () => {
      if (!ended) stopped = stopProcess(link, host, opened, () => frame.stderr(stderr.text()).pid, clock);
    };
    void exit.then(() => {
      ended = true;
    });
    if (stop.aborted) giveUp();
    stop.addEventListener('abort', giveUp);
    const { code, signal: killedBy } = await Promise.race([exit, answer.failure, feed(channel, command.stdin)]);
    if (code !== undefined) {
      const stdout = await answer.end(code);
      return { code, stdout, stderr: frame.stderr(stderr.text()).text };
    }
    if (killedBy === undefined) {
      // A lost connection closes its channels first: its own error, which names the reason, is about to come.
      await clock.sleep(LOSS_MS);
      throw lost(host, 'unknown', `"${command.name}" ended without an exit code`);
    }
    throw new ShellError('signal', 'unknown', `"${command.name}" was killed on ${host.name} (${killedBy}).`, {
      droplet: host.name,
      hint:
        killedBy === 'SIGKILL'
          ? `Check whether the droplet ran out of memory. Run there: dmesg | grep -i oom`
          : 'Run the command again.',
    });
  });
  try {
    return await running;
  } catch (error) {
    await stopped;
    throw error;
  }
}

/** Writes the command's standard input. Settles only when the input itself cannot be read: rejects with that error. */
function feed(channel: Writable, stdin: RemoteCommand['stdin']): Promise<never> {
  return new Promise((_, reject) => {
    if (typeof stdin !== 'function') return void channel.end(stdin);
    const input = Readable.from(stdin());
    input.on('error', reject);
    // The command may end without reading all of it.
    pipeline(input, channel, () => {});
  });
}

type Receiver = ReturnType<NonNullable<RunOptions['receive']>>;

/** Stdout of a command: collected up to its limit, or handed on piece by piece. */
class Answer {
  /** Rejects when the answer cannot be used; the command need not be waited for. */
  readonly failure: Promise<never>;
  readonly #fail: (error: unknown) => void;
  readonly #output: BoundedOutput;
  readonly #limit: number;
  /** Of pieces that are handed on, the last one. */
  #handedOn: Promise<void> = Promise.resolve();

  constructor(
    { channel }: CommandChannel,
    readonly stream: FramedStream,
    readonly command: RemoteCommand,
    readonly host: RemoteHost,
    readonly receiver: Receiver | undefined,
    observer: ((chunk: Buffer) => void) | undefined,
  ) {
    let reject: (error: unknown) => void = () => {};
    this.failure = new Promise((_, fail) => {
      reject = fail;
    });
    this.failure.catch(() => {});
    this.#fail = reject;
    this.#limit = command.maxBytes ?? (receiver ? Number.POSITIVE_INFINITY : DEFAULT_MAX_BYTES);
    this.#output = new BoundedOutput(receiver ? 0 : this.#limit);
    channel.on('data', (chunk: Buffer) => {
      const piece = stream.take(chunk);
      if (stream.banner.length > MAX_BANNER_BYTES) this.#fail(this.#tooMuchBanner());
      if (piece.length === 0) return;
      observer?.(piece);
      this.#output.add(piece);
      if (this.#output.bytes > this.#limit && !command.mayBeCut) return this.#fail(this.#tooLong());
      const received = this.#handOn(piece);
      if (received === undefined) return;
      // The remote command waits as well, once the connection's window is full.
      channel.pause();
      this.#handedOn = received.then(
        () => void channel.resume(),
        (error) => this.#fail(error),
      );
    });
  }

  /** The whole answer, once the command has ended. Throws ShellError no-shell, or what the receiver threw. */
  async end(code: number): Promise<string> {
    await Promise.race([this.#handedOn, this.failure]);
    const { stream } = this;
    if (stream.whole) return this.receiver ? '' : this.#output.text();
    // No shell ran: a login shell such as nologin ended with its own message.
    if (!stream.started && code !== 0) return stream.banner.toString('utf8');
    throw this.#notRun();
  }

  #handOn(piece: Buffer): Promise<void> | undefined {
    try {
      return this.receiver?.(piece) ?? undefined;
    } catch (error) {
      this.#fail(error);
      return undefined;
    }
  }

  #tooLong(): ShellError {
    const { command, host } = this;
    const message = `"${command.name}" on ${host.name} printed more than ${sizeOf(this.#limit)}: the answer is not used.`;
    return new ShellError('output-limit', 'unknown', message, {
      droplet: host.name,
      hint: 'Find out what grew on the droplet (files of the release, containers, history), and reduce it.',
    });
  }

  #tooMuchBanner(): ShellError {
    const { host } = this;
    const message = `The login shell of ${host.name} printed more than ${sizeOf(MAX_BANNER_BYTES)} before the command started.`;
    return new ShellError('output-limit', 'not-applied', message, {
      droplet: host.name,
      hint: 'Remove what prints it from the start-up files of the shell there: ~/.bashrc, ~/.zshenv.',
    });
  }

  #notRun(): ShellError {
    const { host, stream, command } = this;
    const said = oneLine(stream.banner.toString('utf8'));
    const what = stream.started ? 'ended without the end of its output' : 'was not run by a shell';
    const message = `"${command.name}" ${what} on ${host.name}${said && `, which printed: ${said}`}.`;
    return new ShellError('no-shell', 'unknown', message, {
      droplet: host.name,
      hint: 'Commands must run in the login shell of the SSH user: check `command=` in ~/.ssh/authorized_keys and ForceCommand in /etc/ssh/sshd_config there.',
    });
  }
}

function sizeOf(bytes: number): string {
  const mebibytes = bytes / 1024 / 1024;
  return mebibytes >= 1 ? `${Math.round(mebibytes)} MiB` : `${Math.ceil(bytes / 1024)} KiB`;
}

/**
 * Ends a process and its children: it leads a process group, as every session of sshd does. By a command, because sshd
 * ignores the protocol's signals for root, and closing the channel ends nothing. Best effort: never throws.
 */
async function stopProcess(
  link: Link,
  host: RemoteHost,
  { channel }: CommandChannel,
  findPid: () => string | undefined,
  clock: Clock,
): Promise<void> {
  const bounds = { timeoutMs: STOP_MS, fail: (_how: Interruption, reason: string) => new Error(reason) };
  try {
    const pid = await within(link, clock, bounds, () => pidOf(channel.stderr, findPid));
    await within(link, clock, bounds, async (stop) => {
      const killing = await openChannel(link, shellCommand(`kill -TERM -${pid} || kill -TERM ${pid}`), host);
      stop.addEventListener('abort', () => killing.channel.close());
      killing.channel.resume();
      killing.channel.stderr.resume();
      killing.channel.end();
      await killing.exit;
    });
  } catch {
    // The connection is lost, or too slow.
  } finally {
    channel.close();
  }
}

/** The process id may still be on its way, if the command has only just started. */
function pidOf(stderr: NodeJS.ReadableStream, findPid: () => string | undefined): Promise<string> {
  return new Promise((resolve) => {
    const check = () => {
      const pid = findPid();
      if (pid === undefined) return;
      stderr.removeListener('data', check);
      resolve(pid);
    };
    stderr.on('data', check);
    check();
  });
}

function interrupted(host: RemoteHost, command: RemoteCommand, how: Interruption, reason: string): ShellError {
  if (how === 'lost') return lost(host, 'unknown', `${reason}, while "${command.name}" ran`);
  if (how === 'aborted') {
    return new ShellError('signal', 'unknown', `"${command.name}" on ${host.name} was interrupted.`, {
      source: 'user',
      droplet: host.name,
    });
  }
  const seconds = command.timeoutMs / 1000;
  return new ShellError('timeout', 'unknown', `"${command.name}" did not finish on ${host.name} within ${seconds} s.`, {
    droplet: host.name,
    hint: 'It was stopped. Find out what keeps the droplet busy, then run again.',
  });
}
