import { StringDecoder } from 'node:string_decoder';
import type { ClientChannel } from 'ssh2';
import { ShellError } from '../../errors.js';
import type { Clock, CommandResult, RemoteCommand, RemoteHost } from '../../ports.js';
import { lost, openChannel } from './channel.js';
import type { Link } from './link.js';
import { shellCommand } from './quote.js';
import { type Interruption, within } from './within.js';

/** Bytes kept of each of stdout and stderr. */
export const MOST_OUTPUT = 4 * 1024 * 1024;

/** The script's first word, on standard error and taken out of it: which process to stop. */
const PID_LINE = /^do-deploy:pid:(\d+)\n/m;
/** How long stopping a process may take, in ms. */
const STOP_MS = 2000;

/** Runs one command on a link to its exit code. Throws ShellError lost, timeout, signal or unreachable. */
export async function runCommand(
  link: Link,
  host: RemoteHost,
  command: RemoteCommand,
  clock: Clock,
  signal?: AbortSignal,
): Promise<CommandResult> {
  // Settles when what the given-up command left on the droplet has been told to stop.
  let stopped: Promise<void> | undefined;
  const fail = (how: Interruption, reason: string) => interrupted(host, command, how, reason);
  const running = within(link, clock, { timeoutMs: command.timeoutMs, signal, fail }, async (stop) => {
    const { channel, exit } = await openChannel(
      link,
      shellCommand(`echo do-deploy:pid:$$ >&2; ${command.script}`),
      host,
    );
    const stdout = new Output(channel);
    const stderr = new Output(channel.stderr);
    let ended = false;
    const giveUp = () => {
      if (!ended) stopped = stopProcess(link, host, { channel, stderr }, clock);
    };
    void exit.then(() => {
      ended = true;
    });
    if (stop.aborted) giveUp();
    stop.addEventListener('abort', giveUp);
    channel.end(command.stdin);
    const { code, signal: killedBy } = await exit;
    if (code !== undefined) return { code, stdout: stdout.text(), stderr: stderr.text().replace(PID_LINE, '') };
    if (killedBy === undefined) throw lost(host, 'unknown', `"${command.name}" ended without an exit code`);
    throw new ShellError('signal', 'unknown', `"${command.name}" was killed on ${host.name} (${killedBy}).`, {
      droplet: host.name,
      hint: killedBy === 'SIGKILL' ? 'Did it run out of memory? Run there: dmesg | grep -i oom' : 'Run it again.',
    });
  });
  try {
    return await running;
  } catch (error) {
    await stopped;
    throw error;
  }
}

interface Started {
  channel: ClientChannel;
  stderr: Output;
}

/**
 * Ends a process and its children: it leads a process group, as every session of sshd does. By a command, because sshd
 * ignores the protocol's signals for root, and closing the channel ends nothing. As good as it gets: never throws.
 */
async function stopProcess(link: Link, host: RemoteHost, { channel, stderr }: Started, clock: Clock): Promise<void> {
  const bounds = { timeoutMs: STOP_MS, fail: (_how: Interruption, reason: string) => new Error(reason) };
  try {
    // It may have begun only just now: then its first word is still on the way.
    const pid = await within(link, clock, bounds, () => stderr.match(PID_LINE));
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

function interrupted(host: RemoteHost, command: RemoteCommand, how: Interruption, reason: string): ShellError {
  if (how === 'lost') return lost(host, 'unknown', `${reason}, while "${command.name}" ran`);
  if (how === 'aborted') {
    return new ShellError('signal', 'unknown', `"${command.name}" on ${host.name} was interrupted.`, {
      source: 'user',
      droplet: host.name,
    });
  }
  const seconds = command.timeoutMs / 1000;
  return new ShellError('timeout', 'unknown', `"${command.name}" did not end on ${host.name} within ${seconds} s.`, {
    droplet: host.name,
    hint: 'It was told to stop. See what keeps the droplet busy, then run again.',
  });
}

/** What a stream said, up to a bound; the rest is counted only, so that a chatty command can't fill the memory. */
class Output {
  readonly #chunks: Buffer[] = [];
  #kept = 0;
  #dropped = 0;

  constructor(readonly stream: NodeJS.ReadableStream) {
    stream.on('data', (chunk: Buffer) => {
      const part = chunk.subarray(0, MOST_OUTPUT - this.#kept);
      this.#kept += part.length;
      this.#dropped += chunk.length - part.length;
      if (part.length > 0) this.#chunks.push(part);
    });
  }

  /** Waits for a line; gives what its brackets hold. */
  match(line: RegExp): Promise<string> {
    return new Promise((resolve) => {
      const look = () => {
        const found = line.exec(this.text())?.[1];
        if (found === undefined) return;
        this.stream.removeListener('data', look);
        resolve(found);
      };
      this.stream.on('data', look);
      look();
    });
  }

  /** Decoded as a whole: a character may be split over two packets. */
  text(): string {
    const bytes = Buffer.concat(this.#chunks);
    if (this.#dropped === 0) return bytes.toString('utf8');
    return `${new StringDecoder('utf8').write(bytes)}\n[${this.#dropped} more bytes were left out]\n`;
  }
}
