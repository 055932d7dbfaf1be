import { type ChildProcess, spawn } from 'node:child_process';
import type { ServerChannel, Session } from 'ssh2';

/** How commands run on a droplet. */
export interface ExecSettings {
  cwd: string;
  env: Record<string, string>;
  /** Read when a command starts, or loses its connection. */
  faults: { readonly execDelayMs: number; readonly diskFull: boolean; readonly hangUpOnDisconnect: boolean };
}

/**
 * Lets every file stop growing, as on a full disk: SIGXFSZ ignored, a write fails with "File too large". The kernel
 * offers nothing nearer to ENOSPC to an ordinary user.
 */
const FULL_DISK = "trap '' XFSZ; ulimit -f 0\n";

/**
 * Runs the commands of SSH sessions for real, with `sh -c`, each in a process group of its own, and ends what is left
 * when the droplet stops.
 */
export class Executor {
  readonly #settings: ExecSettings;
  readonly #running = new Set<ChildProcess>();

  constructor(settings: ExecSettings) {
    this.#settings = settings;
  }

  /** Serves `exec`, and `shell` without a terminal; there are no terminals. `lost` aborts with the connection. */
  serve(session: Session, lost: AbortSignal): void {
    session.on('exec', (accept, _reject, { command }) =>
      this.#start(session, lost, accept(), ['-c', this.#onThisDisk(command)]),
    );
    session.on('shell', (accept) => this.#start(session, lost, accept(), []));
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

  #onThisDisk(command: string): string {
    return this.#settings.faults.diskFull ? `${FULL_DISK}${command}` : command;
  }

  #start(session: Session, lost: AbortSignal, channel: ServerChannel, args: string[]): void {
    channel.on('error', () => {});
    channel.stderr.on('error', () => {});
    setTimeout(() => {
      if (!lost.aborted) this.#run(session, lost, channel, args);
    }, this.#settings.faults.execDelayMs);
  }

  #run(session: Session, lost: AbortSignal, channel: ServerChannel, args: string[]): void {
    const { cwd, env } = this.#settings;
    const child = spawn('/bin/sh', args, { cwd, env, detached: true, stdio: 'pipe' });
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
    // `close` and not `exit`: like sshd, wait for whoever still holds the command's output.
    child.on('close', (code, signal) => {
      this.#running.delete(child);
      lost.removeEventListener('abort', abandon);
      if (!channel.writable) return;
      if (signal !== null) channel.exit(signal.slice(3));
      else channel.exit(code ?? 255);
      channel.end();
    });
  }

  /** The connection is gone: the command reads the end of its input, and writes to nobody. */
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
    // Gone already, or a signal that this system does not have.
  }
}
