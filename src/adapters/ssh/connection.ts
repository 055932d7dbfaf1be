import type { Duplex } from 'node:stream';
import pLimit from 'p-limit';
import { ShellError } from '../../errors.js';
import type {
  Clock,
  CommandResult,
  Connection,
  HealthRequest,
  HealthResponse,
  HeldProcess,
  OnTrace,
  ProgramCommand,
  ProgramStreams,
  RemoteCommand,
  RemoteHost,
  RunningProgram,
  RunOptions,
  Upload,
} from '../../ports.js';
import { lost } from './channel.js';
import { forwardTo } from './forward.js';
import { requestHealth } from './health-request.js';
import { holdProcess } from './held-process.js';
import type { Link } from './link.js';
import { startProgram } from './program.js';
import { runCommand } from './run-command.js';
import { uploadFile } from './upload-file.js';

/** sshd allows 10 sessions per connection by default (MaxSessions): two are left for held processes. */
const MAX_SESSIONS = 8;

export interface ConnectionOptions {
  host: RemoteHost;
  login: string;
  clock: Clock;
  /** Makes a new link, within its own bounds. Throws ShellError. */
  reconnect(): Promise<Link>;
  onTrace?: OnTrace | undefined;
}

/** A connection that outlives its links: when one is lost, the next command makes another. */
export class SshConnection implements Connection {
  readonly host: RemoteHost;
  readonly login: string;
  readonly #slots = pLimit(MAX_SESSIONS);
  #link: Link;
  #reconnecting: Promise<Link> | undefined;
  #closed = false;

  constructor(
    link: Link,
    readonly options: ConnectionOptions,
  ) {
    this.#link = link;
    this.host = options.host;
    this.login = options.login;
  }

  get fingerprint(): string {
    return this.#link.fingerprint();
  }

  run(command: RemoteCommand, options: RunOptions = {}): Promise<CommandResult> {
    const { host, clock } = this.options;
    return this.#traced(
      `run ${command.name}`,
      (result) => ({ end: `exit code ${result.code}`, detail: traffic(command, result) }),
      () =>
        this.#slots(() => this.#attempt(command.repeatable, (link) => runCommand(link, host, command, clock, options))),
    );
  }

  upload(file: Upload): Promise<void> {
    const { host, clock } = this.options;
    return this.#traced(
      `upload ${file.path}`,
      () => ({ end: `${file.content.length} bytes` }),
      () => this.#slots(() => this.#attempt(true, (link) => uploadFile(link, host, file, clock))),
    );
  }

  hold(command: RemoteCommand): Promise<HeldProcess> {
    const { host, clock } = this.options;
    return this.#traced(
      `hold ${command.name}`,
      () => ({ end: 'started' }),
      () => this.#attempt(command.repeatable, (link) => holdProcess(link, host, command, clock)),
    );
  }

  start(command: ProgramCommand, streams: ProgramStreams): Promise<RunningProgram> {
    return this.#startProgram(command.name, command.script, command.terminal, streams);
  }

  logIn(terminal: NonNullable<ProgramCommand['terminal']>, streams: ProgramStreams): Promise<RunningProgram> {
    return this.#startProgram('login', undefined, terminal, streams);
  }

  forward(address: string, port: number): Promise<Duplex> {
    const { host, clock } = this.options;
    return this.#attempt(true, (link) => forwardTo(link, host, { address, port }, clock));
  }

  #startProgram(
    name: string,
    script: string | undefined,
    terminal: ProgramCommand['terminal'],
    streams: ProgramStreams,
  ): Promise<RunningProgram> {
    const { host, clock } = this.options;
    return this.#traced(
      `start ${name}`,
      () => ({ end: 'started' }),
      () => this.#attempt(false, (link) => startProgram(link, host, { name, script, terminal }, streams, clock)),
    );
  }

  checkHealth(request: HealthRequest): Promise<HealthResponse> {
    const { host, clock } = this.options;
    return this.#traced(
      `health check ${request.protocol} ${request.port}`,
      ({ detail }) => ({ end: detail }),
      () =>
        this.#attempt(true, (link) =>
          requestHealth(link, host, request, clock, (command) =>
            this.#slots(() => runCommand(link, host, command, clock)),
          ),
        ),
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#link.close();
  }

  /**
   * Does the work, and once more on a new link if the first one was lost, provided that the work is repeatable or certainly
   * was not done.
   */
  async #attempt<T>(repeatable: boolean, work: (link: Link) => Promise<T>): Promise<T> {
    const link = await this.#liveLink();
    try {
      return await work(link);
    } catch (error) {
      if (!(error instanceof ShellError) || error.kind !== 'lost' || this.#closed) throw error;
      if (!repeatable && error.outcome === 'unknown') throw error;
      return await work(await this.#liveLink().catch((failure) => Promise.reject(unresolved(error, failure))));
    }
  }

  /** Any command may wait for a new link here, because nothing has been sent yet. */
  #liveLink(): Promise<Link> {
    if (this.#closed) return Promise.reject(lost(this.host, 'not-applied', 'it was closed on this side'));
    if (this.#link.lostBecause === undefined) return Promise.resolve(this.#link);
    this.#reconnecting ??= this.#reconnect().finally(() => {
      this.#reconnecting = undefined;
    });
    return this.#reconnecting;
  }

  async #reconnect(): Promise<Link> {
    const link = await this.options.reconnect();
    if (this.#closed) {
      await link.close();
      throw lost(this.host, 'not-applied', 'it was closed on this side');
    }
    this.#link = link;
    return link;
  }

  async #traced<T>(what: string, describe: (result: T) => Ended, work: () => Promise<T>): Promise<T> {
    const { clock, host, onTrace } = this.options;
    const began = clock.now();
    const trace = ({ end, ...more }: Ended) =>
      onTrace?.({ kind: 'command', what: `ssh ${host.name}: ${what}: ${end}`, ms: clock.now() - began, ...more });
    try {
      const result = await work();
      trace(describe(result));
      return result;
    } catch (error) {
      trace({ end: error instanceof ShellError ? error.code : 'failed' });
      throw error;
    }
  }
}

/** How a traced work ended; `detail` is for --debug. */
interface Ended {
  end: string;
  detail?: string;
}

/** Bounds what is shown of a command's arguments, in characters. */
const MAX_SHOWN_ARGS = 500;

/** What went over the wire, without the input, which may be secret. */
function traffic({ args, stdin }: RemoteCommand, { stdout, stderr }: CommandResult): string {
  const sent = stdin === undefined || typeof stdin === 'function' ? [] : [`${Buffer.byteLength(stdin)} bytes in`];
  const received = [`${Buffer.byteLength(stdout)} bytes out`, `${Buffer.byteLength(stderr)} bytes of errors`];
  const given = JSON.stringify(args);
  const shown = given.length > MAX_SHOWN_ARGS ? `${given.slice(0, MAX_SHOWN_ARGS)}…` : given;
  return [...sent, ...received, ...(given === '{}' ? [] : [shown])].join(', ');
}

/** The connection was lost and could not be restored: the outcome is that of the first failure. */
function unresolved(first: ShellError, second: unknown): unknown {
  if (!(second instanceof ShellError)) return second;
  return new ShellError(
    second.kind === 'unreachable' ? 'lost' : second.kind,
    first.outcome,
    `${first.message} Reconnecting failed: ${second.message}`,
    {
      droplet: second.droplet,
      hint: second.hint,
      cause: second,
    },
  );
}
