import { StringDecoder } from 'node:string_decoder';
import type { ClientChannel } from 'ssh2';
import { ShellError } from '../../errors.js';
import type { Clock, CommandResult, RemoteCommand, RemoteHost } from '../../ports.js';
import { abandon, lost, openChannel } from './channel.js';
import type { Link } from './link.js';
import { shellCommand } from './quote.js';
import { type Interruption, within } from './within.js';

/** Bytes kept of each of stdout and stderr. */
export const MOST_OUTPUT = 4 * 1024 * 1024;

/** Runs one command on a link to its exit code. Throws ShellError lost, timeout, signal or unreachable. */
export function runCommand(
  link: Link,
  host: RemoteHost,
  command: RemoteCommand,
  clock: Clock,
  signal?: AbortSignal,
): Promise<CommandResult> {
  const fail = (how: Interruption, reason: string) => interrupted(host, command, how, reason);
  return within(link, clock, { timeoutMs: command.timeoutMs, signal, fail }, async (stop) => {
    const channel = await openChannel(link, shellCommand(command.script), host);
    if (stop.aborted) abandon(link.client, channel);
    stop.addEventListener('abort', () => abandon(link.client, channel));
    const stdout = new Output(channel);
    const stderr = new Output(channel.stderr);
    channel.end(command.stdin);
    const [code, killedBy] = await ended(channel);
    if (code !== undefined) return { code, stdout: stdout.text(), stderr: stderr.text() };
    if (killedBy === undefined) throw lost(host, 'unknown', `"${command.name}" ended without an exit code`);
    throw new ShellError('signal', 'unknown', `"${command.name}" was killed on ${host.name} (${killedBy}).`, {
      droplet: host.name,
      hint: killedBy === 'SIGKILL' ? 'It may have run out of memory: dmesg | grep -i oom' : 'Run it again.',
    });
  });
}

/**
 * Both absent when the channel closed without a word on the process, as it does when the connection is lost.
 */
function ended(channel: ClientChannel): Promise<[code: number | undefined, signal: string | undefined]> {
  return new Promise((resolve) => {
    let code: number | undefined;
    let signal: string | undefined;
    channel.on('exit', (status: number | null, name?: string) => {
      code = status ?? undefined;
      signal = name;
    });
    channel.on('close', () => resolve([code, signal]));
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
  return new ShellError('timeout', 'unknown', `"${command.name}" did not end on ${host.name} within ${seconds} s.`, {
    droplet: host.name,
    hint: `See what it waits for: ssh ${host.address} ps -ef`,
  });
}

/** What a stream said, up to a bound; the rest is counted only, so that a chatty command can't fill the memory. */
class Output {
  readonly #chunks: Buffer[] = [];
  #kept = 0;
  #dropped = 0;

  constructor(stream: NodeJS.ReadableStream) {
    stream.on('data', (chunk: Buffer) => {
      const part = chunk.subarray(0, MOST_OUTPUT - this.#kept);
      this.#kept += part.length;
      this.#dropped += chunk.length - part.length;
      if (part.length > 0) this.#chunks.push(part);
    });
  }

  /** Decoded as a whole: a character may be split over two packets. */
  text(): string {
    const bytes = Buffer.concat(this.#chunks);
    if (this.#dropped === 0) return bytes.toString('utf8');
    return `${new StringDecoder('utf8').write(bytes)}\n[${this.#dropped} more bytes were left out]\n`;
  }
}
