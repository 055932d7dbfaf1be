import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ServerChannel, Session } from 'ssh2';

/** How commands run on a droplet. */
export interface ExecSettings {
  cwd: string;
  env: Record<string, string>;
  /** For files of its own; absolute. */
  folder: string;
  /** Read when a command starts or loses its connection. */
  faults: { readonly execDelayMs: number; readonly diskFull: boolean; readonly hangUpOnDisconnect: boolean };
}

/**
 * Imitates a full disk: no file can grow. With SIGXFSZ ignored, a write fails with "File too large", the closest to
 * ENOSPC that an ordinary user can get.
 */
const FULL_DISK = "trap '' XFSZ; ulimit -f 0\n";

/** util-linux's `script` gives a program a terminal. Without it, there are none here (macOS has another one). */
const SCRIPT = process.platform === 'linux' && existsSync('/usr/bin/script') ? '/usr/bin/script' : undefined;

interface Size {
  cols: number;
  rows: number;
}

/** The terminal of a session. */
interface Terminal extends Size {
  term: string;
  /** Holds the path of its device, once the program runs. */
  file: string;
}

/**
 * Runs the commands of SSH sessions with `sh -c`, each in its own process group, and ends those that are left when the
 * droplet stops.
 */
export class Executor {
  readonly #settings: ExecSettings;
  readonly #running = new Set<ChildProcess>();
  #terminals = 0;

  constructor(settings: ExecSettings) {
    this.#settings = settings;
  }

  /** Serves `exec` and `shell`, with terminals where this machine can. `lost` aborts with the connection. */
  serve(session: Session, lost: AbortSignal): void {
    let terminal: Terminal | undefined;
    session.on('pty', (accept, reject, { term, cols, rows }) => {
      if (SCRIPT === undefined) return reject?.();
      this.#terminals += 1;
      terminal = { term, cols, rows, file: join(this.#settings.folder, `terminal-${this.#terminals}`) };
      accept?.();
    });
    session.on('window-change', (accept, _reject, size) => {
      accept?.();
      if (terminal !== undefined) resize(terminal, size);
    });
    session.on('exec', (accept, _reject, { command }) => this.#start(session, lost, accept(), command, terminal));
    session.on('shell', (accept) => this.#start(session, lost, accept(), 'exec "$SHELL"', terminal));
  }

  /** Resolves when all processes are gone. */
  async stop(): Promise<void> {
    const ends = [...this.#running].map((child) => new Promise((resolve) => child.once('close', resolve)));
    for (const child of this.#running) {
      signalGroup(child, 'SIGKILL');
      child.stdin?.destroy();
      child.stdout?.destroy();
      child.stderr?.destroy();
    }
    await Promise.all(ends);
  }

  #start(
    session: Session,
    lost: AbortSignal,
    channel: ServerChannel,
    command: string,
    terminal: Terminal | undefined,
  ): void {
    channel.on('error', () => {});
    channel.stderr.on('error', () => {});
    setTimeout(() => {
      if (!lost.aborted) this.#run(session, lost, channel, command, terminal);
    }, this.#settings.faults.execDelayMs);
  }

  #run(
    session: Session,
    lost: AbortSignal,
    channel: ServerChannel,
    command: string,
    terminal: Terminal | undefined,
  ): void {
    const { cwd, env, faults } = this.#settings;
    const script = faults.diskFull ? `${FULL_DISK}${command}` : command;
    const [program, args] = terminal === undefined ? ['/bin/sh', ['-c', script]] : inTerminal(terminal, script);
    const own = terminal === undefined ? env : { ...env, TERM: terminal.term };
    const child = spawn(program, args, { cwd, env: own, detached: true, stdio: 'pipe' });
    this.#running.add(child);
    for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe.on('error', () => {});

    channel.pipe(child.stdin);
    child.stdout.pipe(channel, { end: false });
    child.stderr.pipe(channel.stderr, { end: false });
    session.on('signal', (accept, _reject, { name }) => {
      accept?.();
      signalGroup(child, `SIG${name}` as NodeJS.Signals);
    });

    let abandoned = false;
    const abandon = () => {
      if (!abandoned) this.#abandon(child);
      abandoned = true;
    };
    channel.once('close', abandon);
    lost.addEventListener('abort', abandon);
    child.on('error', () => {
      this.#running.delete(child);
      channel.exit(255);
      channel.end();
    });
    // Like sshd, wait for `close`: background processes may still hold the command's output.
    child.on('close', (code, signal) => {
      this.#running.delete(child);
      lost.removeEventListener('abort', abandon);
      if (terminal !== undefined) rmSync(terminal.file, { force: true });
      if (!channel.writable) return;
      if (signal !== null) channel.exit(signal.slice(3));
      else channel.exit(code ?? 255);
      channel.end();
    });
  }

  /** The connection is lost: the command reads the end of its input, and its output is discarded. */
  #abandon(child: ChildProcess): void {
    if (!this.#running.has(child)) return;
    if (this.#settings.faults.hangUpOnDisconnect) signalGroup(child, 'SIGHUP');
    child.stdin?.destroy();
    child.stdout?.destroy();
    child.stderr?.destroy();
  }
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It has ended, or this system lacks the signal.
  }
}

function inTerminal({ cols, rows, file }: Terminal, script: string): [string, string[]] {
  const line = `stty cols ${cols} rows ${rows}; tty >'${file.replaceAll("'", "'\\''")}'\n${script}`;
  return [SCRIPT ?? '', ['--quiet', '--flush', '--return', '--command', line, '/dev/null']];
}

/** The kernel tells the program. */
function resize({ file }: Terminal, { cols, rows }: Size): void {
  if (!existsSync(file)) return;
  const device = readFileSync(file, 'utf8').trim();
  spawn('stty', ['-F', device, 'cols', String(cols), 'rows', String(rows)], { stdio: 'ignore' }).on('error', () => {});
}
