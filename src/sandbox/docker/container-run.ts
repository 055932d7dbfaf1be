import { readFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ContainerProcess, Image } from './image.js';

/** What a run needs from its container and engine. */
export interface RunContext {
  env: Record<string, string>;
  /** Container path → path on this machine. */
  mounts: ReadonlyMap<string, string>;
  log(line: string, stream: 'stdout' | 'stderr'): void;
  locate(service: string, containerPort: number): { host: string; port: number } | undefined;
  resolves(service: string): boolean;
  notImplemented(what: string): void;
  exited(code: number, oomKilled: boolean): void;
}

/**
 * One start of a container: its program, listening ports and timers, in the sandbox's own process. When it ends, it cuts
 * open connections, like an app that is killed without a graceful stop.
 */
export class ContainerRun implements ContainerProcess {
  readonly env: Readonly<Record<string, string>>;
  readonly locate: RunContext['locate'];
  readonly resolves: RunContext['resolves'];
  readonly notImplemented: RunContext['notImplemented'];
  readonly startedAt = Date.now();
  readonly #context: RunContext;
  readonly #servers = new Map<number, Server>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #ended = false;

  constructor(context: RunContext) {
    this.#context = context;
    this.env = context.env;
    this.locate = context.locate;
    this.resolves = context.resolves;
    this.notImplemented = context.notImplemented;
  }

  async execute(image: Image): Promise<void> {
    try {
      await image.program(this);
    } catch (error) {
      this.log(error instanceof Error ? error.message : String(error), 'stderr');
      this.exit(1);
    }
  }

  /** The port on 127.0.0.1 that serves the container's port; undefined if nothing listens. */
  portOf(containerPort: number): number | undefined {
    return (this.#servers.get(containerPort)?.address() as AddressInfo | undefined)?.port;
  }

  log(line: string, stream: 'stdout' | 'stderr' = 'stdout'): void {
    this.#context.log(line, stream);
  }

  async listen(containerPort: number, handler: RequestListener): Promise<void> {
    const server = createServer(handler);
    server.on('clientError', (_error, socket) => socket.destroy());
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port: 0, host: '127.0.0.1' }, resolve);
    });
    server.on('error', (error) => this.log(error.message, 'stderr'));
    if (this.#ended) server.close();
    else this.#servers.set(containerPort, server);
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

  exit(code: number, how: { oomKilled?: boolean } = {}): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    for (const server of this.#servers.values()) {
      server.close();
      server.closeAllConnections();
    }
    this.#servers.clear();
    this.#context.exited(code, how.oomKilled ?? false);
  }
}
