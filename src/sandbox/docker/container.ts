import { EventEmitter, once } from 'node:events';
import { statSync } from 'node:fs';
import { ContainerRun, type RunContext } from './container-run.js';
import { daemonError } from './failure.js';
import { HealthMonitor, type HealthSettings } from './health-monitor.js';
import type { Image } from './image.js';

export interface RestartPolicy {
  name: 'no' | 'always' | 'unless-stopped' | 'on-failure';
  /** For on-failure; 0: no limit. */
  maximumRetryCount: number;
}

export interface PublishedPort {
  containerPort: number;
  hostPort: number;
  /** '': every address. */
  hostIp: string;
}

export interface Mount {
  type: 'bind' | 'volume';
  /** The volume's name. */
  name?: string;
  /** Path on this machine. */
  source: string;
  target: string;
  readOnly: boolean;
}

/** A container's configuration: fixed for its whole life. */
export interface ContainerSpec {
  image: Image;
  /** As written in the compose file: Config.Image. */
  imageName: string;
  env: Record<string, string>;
  labels: Record<string, string>;
  ports: PublishedPort[];
  mounts: Mount[];
  restart: RestartPolicy;
  health: HealthSettings | undefined;
  network: string;
}

export type ContainerStatus = 'created' | 'running' | 'restarting' | 'exited';

/** What a container needs from its engine. */
export interface ContainerHost {
  locate(container: Container, service: string, containerPort: number): { host: string; port: number } | undefined;
  resolves(container: Container, service: string): boolean;
  /** Opens the published ports; throws if one is taken. */
  publish(container: Container): void;
  unpublish(container: Container): void;
  notImplemented(what: string): void;
}

export interface LogLine {
  /** Milliseconds since the epoch. */
  at: number;
  stream: 'stdout' | 'stderr';
  text: string;
}

/** Docker's restart delay: 100 ms, doubled each time up to a minute, reset after a run of ten seconds. */
const FIRST_BACKOFF_MS = 100;
const LONGEST_BACKOFF_MS = 60_000;
const LONG_RUN_MS = 10_000;
const MAX_LOG_LINES = 5_000;

/** A container with Docker's states and restart policy. Emits `change` when its status or health changes. */
export class Container extends EventEmitter<{ change: []; log: [] }> {
  readonly id: string;
  name: string;
  readonly spec: ContainerSpec;
  readonly address: string;
  readonly log: LogLine[] = [];
  /** Lines so far; `log` keeps the last ones. */
  logged = 0;
  status: ContainerStatus = 'created';
  exitCode = 0;
  oomKilled = false;
  error = '';
  startedAt: number | undefined;
  finishedAt: number | undefined;
  restartCount = 0;
  health: HealthMonitor | undefined;
  readonly #host: ContainerHost;
  #run: ContainerRun | undefined;
  #stopping = false;
  #backoffMs = FIRST_BACKOFF_MS;
  #restartTimer: NodeJS.Timeout | undefined;
  /** Process of this machine that is its program. */
  #pid: number | undefined;

  constructor(id: string, name: string, address: string, spec: ContainerSpec, host: ContainerHost) {
    super();
    this.setMaxListeners(0);
    this.id = id;
    this.name = name;
    this.address = address;
    this.spec = spec;
    this.#host = host;
  }

  get service(): string {
    return this.spec.labels['com.docker.compose.service'] ?? '';
  }

  get project(): string {
    return this.spec.labels['com.docker.compose.project'] ?? '';
  }

  /** Docker counts a container that waits for its restart as running. */
  get running(): boolean {
    return this.status === 'running' || this.status === 'restarting';
  }

  /** The port on 127.0.0.1 that serves the container's port; undefined if nothing listens. */
  portOf(containerPort: number): number | undefined {
    return this.#run?.portOf(containerPort);
  }

  /** Throws if a published port is taken or a mount is impossible; the reason is kept in `error`. */
  start(): void {
    if (this.running) return;
    this.restartCount = 0;
    this.#backoffMs = FIRST_BACKOFF_MS;
    this.#stopping = false;
    this.#launch();
  }

  /** Its program is a process of this machine, which has started already. */
  startAs(pid: number): void {
    this.#pid = pid;
    this.start();
  }

  /** Takes effect immediately: the stand-in's programs do not handle SIGTERM. */
  stop(): void {
    this.#stopping = true;
    this.#signalProcess('SIGTERM');
    clearTimeout(this.#restartTimer);
    if (this.#run !== undefined) this.#run.exit(this.spec.image.stopExitCode);
    else if (this.status === 'restarting') this.#become('exited');
  }

  /** TSTP and the like are only noted in the log; KILL and TERM end the program. */
  emitSignal(signal: string): void {
    if (this.#pid !== undefined) this.#signalProcess(`SIG${signal}`);
    else if (signal === 'KILL' || signal === 'TERM') this.stop();
    else this.#note({ at: Date.now(), stream: 'stdout', text: `received SIG${signal}` });
  }

  #note(line: LogLine): void {
    this.log.push(line);
    if (this.log.length > MAX_LOG_LINES) this.log.shift();
    this.logged += 1;
    this.emit('log');
  }

  #signalProcess(signal: string): void {
    if (this.#pid === undefined) return;
    try {
      process.kill(this.#pid, signal as NodeJS.Signals);
    } catch {
      // It has ended, or this system lacks the signal.
    }
  }

  /** Resolves when `condition` holds; rejects when the signal aborts. */
  async until(condition: (container: this) => boolean, signal: AbortSignal): Promise<void> {
    while (!condition(this)) await once(this, 'change', { signal });
  }

  #launch(): void {
    try {
      this.#checkMounts();
      this.#host.publish(this);
    } catch (error) {
      this.error = error instanceof Error ? error.message : String(error);
      throw error;
    }
    this.error = '';
    this.exitCode = 0;
    this.oomKilled = false;
    this.startedAt = Date.now();
    const run = new ContainerRun(this.#contextOf());
    this.#run = run;
    if (this.spec.health !== undefined) {
      this.health = new HealthMonitor(
        this.spec.health,
        (port) => run.portOf(port),
        () => this.emit('change'),
      );
    }
    this.#become('running');
    void run.execute(this.spec.image);
  }

  #checkMounts(): void {
    const { files } = this.spec.image;
    const wrong = this.spec.mounts.find(
      ({ source, target }) => files.includes(target) && statSync(source, { throwIfNoEntry: false })?.isDirectory(),
    );
    if (wrong === undefined) return;
    throw daemonError(
      `failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: error mounting "${wrong.source}" to rootfs at "${wrong.target}": not a directory: unknown: Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type`,
    );
  }

  #contextOf(): RunContext {
    return {
      env: this.spec.env,
      mounts: new Map(this.spec.mounts.map(({ target, source }) => [target, source])),
      log: (text, stream) => this.#note({ at: Date.now(), stream, text }),
      locate: (service, containerPort) => this.#host.locate(this, service, containerPort),
      resolves: (service) => this.#host.resolves(this, service),
      notImplemented: (what) => this.#host.notImplemented(what),
      exited: (code, oomKilled) => this.#exited(code, oomKilled),
    };
  }

  #exited(code: number, oomKilled: boolean): void {
    this.#run = undefined;
    this.health?.stop();
    this.#host.unpublish(this);
    this.exitCode = code;
    this.oomKilled = oomKilled;
    this.finishedAt = Date.now();
    if (!this.#shouldRestart(code)) {
      this.#become('exited');
      return;
    }

    if (this.finishedAt - (this.startedAt ?? 0) >= LONG_RUN_MS) this.#backoffMs = FIRST_BACKOFF_MS;
    const wait = this.#backoffMs;
    this.#backoffMs = Math.min(wait * 2, LONGEST_BACKOFF_MS);
    this.restartCount += 1;
    this.#restartTimer = setTimeout(() => this.#relaunch(), wait);
    this.#become('restarting');
  }

  #relaunch(): void {
    try {
      this.#launch();
    } catch {
      // The port was taken in the meantime. Docker gives up and keeps the reason in State.Error.
      this.#become('exited');
    }
  }

  #shouldRestart(code: number): boolean {
    if (this.#stopping) return false;
    const { name, maximumRetryCount } = this.spec.restart;
    if (name === 'on-failure') return code !== 0 && (maximumRetryCount === 0 || this.restartCount < maximumRetryCount);
    return name !== 'no';
  }

  #become(status: ContainerStatus): void {
    this.status = status;
    this.emit('change');
  }
}
