import pLimit from 'p-limit';
import { ShellError } from '../../errors.js';
import type {
  Clock,
  CommandResult,
  Connection,
  HealthRequest,
  HealthResponse,
  HeldProcess,
  RemoteCommand,
  RemoteHost,
} from '../../ports.js';
import { lost } from './channel.js';
import { probe } from './health-request.js';
import { holdProcess } from './held-process.js';
import type { Link } from './link.js';
import { runCommand } from './run-command.js';
import { type Upload, uploadFile } from './upload-file.js';

/** sshd allows 10 sessions on one connection (MaxSessions): two are left for held processes. */
const SESSIONS = 8;

export interface ConnectionOptions {
  host: RemoteHost;
  login: string;
  clock: Clock;
  /** Makes the connection again, with its own bounds. Throws ShellError. */
  reconnect(): Promise<Link>;
  onTrace?: ((what: string, ms: number) => void) | undefined;
}

/** A connection that outlives its links. */
export class SshConnection implements Connection {
  readonly host: RemoteHost;
  readonly login: string;
  readonly #slots = pLimit(SESSIONS);
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

  run(command: RemoteCommand, { signal }: { signal?: AbortSignal } = {}): Promise<CommandResult> {
    const { host, clock } = this.options;
    return this.#traced(
      `run ${command.name}`,
      (result) => `exit code ${result.code}`,
      () =>
        this.#slots(() => this.#attempt(command.repeatable, (link) => runCommand(link, host, command, clock, signal))),
    );
  }

  upload(file: Upload): Promise<void> {
    const { host, clock } = this.options;
    return this.#traced(
      `upload ${file.path}`,
      () => `${file.content.length} bytes`,
      () => this.#slots(() => this.#attempt(true, (link) => uploadFile(link, host, file, clock))),
    );
  }

  hold(command: RemoteCommand): Promise<HeldProcess> {
    const { host, clock } = this.options;
    return this.#traced(
      `hold ${command.name}`,
      () => 'started',
      () => this.#attempt(command.repeatable, (link) => holdProcess(link, host, command, clock)),
    );
  }

  probe(request: HealthRequest): Promise<HealthResponse> {
    const { host, clock } = this.options;
    return this.#traced(
      `probe ${request.protocol} ${request.port}`,
      ({ detail }) => detail,
      () =>
        this.#attempt(true, (link) =>
          probe(link, host, request, clock, (command) => this.#slots(() => runCommand(link, host, command, clock))),
        ),
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#link.close();
  }

  /**
   * Once, and once more on a new link when the first was lost and doing it twice does no harm, or it certainly was not done.
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

  /** Nothing has been sent over it yet: so when the link is dead, any command may wait for a new one. */
  #liveLink(): Promise<Link> {
    if (this.#closed) return Promise.reject(lost(this.host, 'not-applied', 'this end closed it'));
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
      throw lost(this.host, 'not-applied', 'this end closed it');
    }
    this.#link = link;
    return link;
  }

  async #traced<T>(what: string, told: (result: T) => string, work: () => Promise<T>): Promise<T> {
    const { clock, host, onTrace } = this.options;
    const began = clock.now();
    const trace = (end: string) => onTrace?.(`ssh ${host.name}: ${what}: ${end}`, clock.now() - began);
    try {
      const result = await work();
      trace(told(result));
      return result;
    } catch (error) {
      trace(error instanceof ShellError ? error.code : 'failed');
      throw error;
    }
  }
}

/** The connection was lost and could not be made again: whether the command ran stays as open as it was. */
function unresolved(first: ShellError, second: unknown): unknown {
  if (!(second instanceof ShellError)) return second;
  return new ShellError(
    second.kind === 'unreachable' ? 'lost' : second.kind,
    first.outcome,
    `${first.message} It could not be made again: ${second.message}`,
    {
      droplet: second.droplet,
      hint: second.hint,
      cause: second,
    },
  );
}
