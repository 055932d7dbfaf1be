/** What `run`, `exec`, `console` and `ssh` share: a program on droplets, with the user's streams, terminal and signals. */
import type { CommandContext, CommandEnd } from '../../cli/define-command.js';
import { EXIT } from '../../cli/exit-codes.js';
import { OutputGone, type ProgramIO } from '../../cli/screen.js';
import type { LoadedSettings } from '../../config/load.js';
import type { Member } from '../../deploy/droplet/member.js';
import type { DropletChoice } from '../../deploy/operate/choose-droplets.js';
import type { PlacedProgram } from '../../deploy/operate/program-commands.js';
import type { UserTerminal, Wishes } from '../../deploy/operate/run-program.js';
import { asDeployError, DeployError } from '../../errors.js';
import type { Clock, ProgramStreams } from '../../ports.js';

/** As if SIGPIPE had ended it. */
const OUTPUT_GONE = 128 + 13;

type Context = Pick<CommandContext, 'ports' | 'signals' | 'programIO' | 'env'> & { settings: LoadedSettings };

/** Runs what it is given on one droplet. Resolves to the exit code. */
export type OnDroplet = (
  member: Member,
  how: { clock: Clock; streams: ProgramStreams; wishes: Wishes; terminal?: UserTerminal },
) => Promise<number>;

/**
 * On the chosen droplets: on one with the user's input, on several at once without it. Errors of do-deploy's own become exit
 * code 255: all others are the program's.
 * @param options.terminal the program gets the user's terminal, with every key
 */
export async function runOnDroplets(
  context: Context,
  choice: DropletChoice,
  { terminal = false }: { terminal?: boolean },
  onDroplet: OnDroplet,
): Promise<CommandEnd> {
  const io = context.programIO();
  const { interrupted, aborted } = context.signals();
  const begun = new AbortController();
  let restore: ReturnType<ProgramIO['takeKeys']> | undefined;
  let wasCut = true;
  try {
    const [{ withDroplets }, { inParallel }, { onAbort }, ports] = await Promise.all([
      import('../../deploy/operate/choose-droplets.js'),
      import('../../deploy/core/parallel.js'),
      import('../../deploy/core/on-abort.js'),
      context.ports(context.settings),
    ]);
    const { clock } = ports;
    const wishes: Wishes = { interrupted, aborted, begin: () => begun.abort() };
    const running = withDroplets(ports, context.settings, choice, async ({ members, unreachable }) => {
      if (choice.all) {
        const ends = await inParallel(members, (member) => onOneOfSeveral(member, { clock, wishes, io }, onDroplet));
        const errors = [...unreachable.map(({ error }) => error), ...ends.flatMap(({ error }) => error ?? [])];
        const failed = ends.find(({ code }) => code !== EXIT.ok);
        return { exit: errors.length > 0 ? EXIT.notRun : (failed?.code ?? EXIT.ok), errors };
      }
      const [member] = members;
      if (member === undefined) throw new DeployError('no-droplets', 'There is no droplet.', { source: 'user' });
      const begin = () => {
        begun.abort();
        if (terminal) restore = io.takeKeys();
      };
      const streams = { stdin: io.stdin, stdout: io.stdout, stderr: io.stderr };
      const keys = terminal ? { terminal: terminalOf(io, context.env.TERM) } : {};
      const exit = await onDroplet(member, { clock, streams, wishes: { ...wishes, begin }, ...keys });
      wasCut = false;
      return { exit };
    });
    // Before the program has begun, there is nothing to end.
    const early = new Promise<CommandEnd>((resolve) => {
      onAbort(interrupted, () => resolve({ exit: EXIT.interrupted }), begun.signal);
    });
    return await Promise.race([running, early]);
  } catch (error) {
    if (error instanceof OutputGone) return { exit: OUTPUT_GONE };
    return { exit: EXIT.notRun, errors: [asDeployError(error)] };
  } finally {
    restore?.({ wasCut });
  }
}

async function onOneOfSeveral(
  member: Member,
  { clock, wishes, io }: { clock: Clock; wishes: Wishes; io: ProgramIO },
  onDroplet: OnDroplet,
): Promise<{ code: number; error?: DeployError }> {
  const out = prefixed(member.host.name, io.stdout);
  const err = prefixed(member.host.name, io.stderr);
  try {
    const code = await onDroplet(member, { clock, wishes, streams: { stdout: out.take, stderr: err.take } });
    out.end();
    err.end();
    return { code };
  } catch (error) {
    if (error instanceof OutputGone) return { code: OUTPUT_GONE };
    return { code: EXIT.notRun, error: asDeployError(error).at({ droplet: member.host.name }) };
  }
}

function terminalOf(io: ProgramIO, type = 'xterm-256color'): UserTerminal {
  return { type, size: () => io.size(), onResize: (listener) => io.onResize(listener) };
}

/** A longer line is printed in pieces, so that a program without line feeds needs no memory. In bytes. */
const MAX_LINE = 64 * 1024;

/** Whole lines with a name before each, as the programs of several droplets print at the same time. */
export function prefixed(
  name: string,
  write: ProgramStreams['stdout'],
): { take: ProgramStreams['stdout']; end(): void } {
  const prefix = Buffer.from(`${name} | `);
  const feed = Buffer.from('\n');
  let rest = Buffer.alloc(0);
  return {
    async take(chunk) {
      let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      const lines: Buffer[] = [];
      for (;;) {
        const at = bytes.indexOf(10);
        const end = at < 0 ? (bytes.length >= MAX_LINE ? MAX_LINE : -1) : at;
        if (end < 0) break;
        lines.push(prefix, bytes.subarray(0, end), feed);
        bytes = bytes.subarray(at < 0 ? end : end + 1);
      }
      rest = Buffer.from(bytes);
      if (lines.length > 0) await write(Buffer.concat(lines));
    },
    end() {
      if (rest.length > 0) void write(Buffer.concat([prefix, rest, feed]));
      rest = Buffer.alloc(0);
    },
  };
}

/** Node has replaced what is no UTF-8 in the arguments: such a word would reach the program as another one. */
export function checkWords(words: readonly string[]): void {
  const wrong = words.find((word) => word.includes('\ufffd'));
  if (wrong === undefined) return;
  throw new DeployError('usage', `This word is not valid UTF-8, so it cannot be passed on: ${wrong}`, {
    source: 'user',
    hint: 'Pass such bytes by standard input.',
  });
}

/** The program of a container, watched. */
export function placedOn(place: (member: Member) => Promise<PlacedProgram>): OnDroplet {
  return async (member, { clock, streams, wishes, terminal }) => {
    const { runProgram } = await import('../../deploy/operate/run-program.js');
    return await runProgram(clock, member, await place(member), streams, wishes, terminal);
  };
}

/** The login shell, or a command as it would run it. It ends with its connection: nobody watches it. */
export function loggedIn(words: readonly string[]): OnDroplet {
  return async ({ connection }, { clock, streams, wishes, terminal }) => {
    const [{ signalOf, untilEnd }, { onAbort }, { quote }] = await Promise.all([
      import('../../deploy/operate/run-program.js'),
      import('../../deploy/core/on-abort.js'),
      import('../../deploy/core/shell.js'),
    ]);
    const over = new AbortController();
    const own = terminal && { type: terminal.type, size: terminal.size() };
    // biome-ignore lint/suspicious/noTemplateCurlyInString: of the shell
    const line = words.length === 0 ? '"${SHELL:-/bin/sh}"' : words.map(quote).join(' ');
    wishes.begin();
    const program =
      own !== undefined && words.length === 0
        ? await connection.logIn(own, streams)
        : await connection.start(
            { name: 'ssh', args: { words }, script: `exec ${line}`, ...(own && { terminal: own }) },
            streams,
          );
    const send = (signal: string) => void program.signal(signal);
    onAbort(wishes.interrupted, () => send(signalOf(wishes.interrupted.reason)), over.signal);
    try {
      return await untilEnd(program, { clock, wishes, terminal, over: over.signal, kill: () => send('KILL') });
    } finally {
      over.abort();
    }
  };
}

/** Throws DeployError usage. */
export function needTerminal({ isTerminal }: ProgramIO): void {
  if (isTerminal.stdin && isTerminal.stdout) return;
  throw new DeployError('usage', 'A console needs a terminal for its input and output.', {
    source: 'user',
    hint: 'Without one, run the command: do-deploy run ENVIRONMENT SERVICE -- COMMAND',
  });
}
