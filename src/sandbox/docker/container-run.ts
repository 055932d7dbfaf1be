import { readFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { ContainerProcess, Image } from './image.js';
import { withProxyProtocol } from './proxy-protocol.js';

/** What a run needs of its surroundings. */
export interface RunContext {
  env: Record<string, string>;
  command: readonly string[] | undefined;
  /** Container path → path on this machine. */
  mounts: ReadonlyMap<string, string>;
  log(line: string, stream: 'stdout' | 'stderr'): void;
  locate(service: string, containerPort: number): { host: string; port: number } | undefined;
  resolves(service: string): boolean;
  notImplemented(what: string): void;
  exited(code: number, oomKilled: boolean): void;
}

/**
 * One start of a container: its program, its listening ports, its timers. Runs inside the sandbox's own process. When
 * it ends, open connections are cut, as they are when an app without a graceful stop is killed.
 */
export class ContainerRun implements ContainerProcess {
  readonly env: Readonly<Record<string, string>>;
  readonly command: readonly string[] | undefined;
  readonly startedAt = Date.now();
  readonly #context: RunContext;
  readonly #servers = new Map<number, { port: number; cut: () => void }>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #ended = false;

  constructor(context: RunContext) {
    this.#context = context;
    this.env = context.env;
    this.command = context.command;
  }

  async execute(image: Image): Promise<void> {
    try {
      await image.program(this);
    } catch (error) {
      this.log(error instanceof Error ? error.message : String(error), 'stderr');
      this.exit(1);
    }
  }

  /** Where the container's port really is on 127.0.0.1; undefined when nothing listens. */
  portOf(containerPort: number): number | undefined {
    return this.#servers.get(containerPort)?.port;
  }

  log(line: string, stream: 'stdout' | 'stderr' = 'stdout'): void {
    this.#context.log(line, stream);
  }

  async listen(
    containerPort: number,
    handler: RequestListener,
    options: { proxyProtocol?: boolean } = {},
  ): Promise<void> {
    const http = createServer(handler);
    // A client that goes away is no news to a server.
    http.on('clientError', (_error, socket) => socket.destroy());
    const server = options.proxyProtocol ? withProxyProtocol(http) : http;
    const sockets = new Set<Socket>();
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port: 0, host: '127.0.0.1' }, resolve);
    });
    server.on('error', (error) => this.log(error.message, 'stderr'));
    if (this.#ended) {
      server.close();
      return;
    }
    const cut = () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    };
    this.#servers.set(containerPort, { port: (server.address() as AddressInfo).port, cut });
  }

  locate(service: string, containerPort: number): { host: string; port: number } | undefined {
    return this.#context.locate(service, containerPort);
  }

  resolves(service: string): boolean {
    return this.#context.resolves(service);
  }

  readMounted(path: string): string | undefined {
    const source = this.#context.mounts.get(path);
    return source === undefined ? undefined : readFileSync(source, 'utf8');
  }

  after(ms: number, task: () => void): void {
    if (this.#ended) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      task();
    }, ms);
    this.#timers.add(timer);
  }

  notImplemented(what: string): void {
    this.#context.notImplemented(what);
  }

  exit(code: number, how: { oomKilled?: boolean } = {}): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    for (const { cut } of this.#servers.values()) cut();
    this.#servers.clear();
    this.#context.exited(code, how.oomKilled ?? false);
  }
}
