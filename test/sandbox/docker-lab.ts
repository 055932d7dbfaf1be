import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { CallResult } from '../../src/sandbox/docker/cli/call.js';
import { runStandIn } from '../../src/sandbox/docker/cli/run.js';
import type { Container } from '../../src/sandbox/docker/container.js';
import { Engine } from '../../src/sandbox/docker/engine.js';
import { exampleRegistry } from '../../src/sandbox/docker/images/example-registry.js';
import type { Registry } from '../../src/sandbox/docker/registry.js';
import { type DropletFaults, NO_FAULTS } from '../../src/sandbox/droplets/faults.js';
import { eventually } from './eventually.js';

/** A stand-in Docker in a temporary folder, without a droplet; removed after the test. */
export class DockerLab {
  readonly folder = mkdtempSync(join(tmpdir(), 'docker-lab-'));
  readonly registry: Registry;
  readonly faults: DropletFaults = { ...NO_FAULTS };
  readonly engine: Engine;
  readonly unimplemented: string[] = [];

  constructor(options: { registry?: Registry } = {}) {
    this.registry = options.registry ?? exampleRegistry();
    this.engine = new Engine({
      registry: this.registry,
      folder: join(this.folder, 'docker'),
      boundary: this.folder,
      faults: this.faults,
      notImplemented: (what) => this.unimplemented.push(what),
    });
    onTestFinished(() => {
      this.engine.stop();
      rmSync(this.folder, { recursive: true, force: true });
    });
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.folder, path)), { recursive: true });
    writeFileSync(join(this.folder, path), text);
  }

  read(path: string): string {
    return readFileSync(join(this.folder, path), 'utf8');
  }

  docker(
    args: string[],
    more: { env?: Record<string, string>; stdin?: string; signal?: AbortSignal } = {},
  ): Promise<CallResult> {
    return runStandIn(this.engine, {
      tool: 'docker',
      args,
      cwd: this.folder,
      env: { HOME: this.folder, ...more.env },
      pid: 0,
      stdin: more.stdin ?? '',
      signal: more.signal ?? new AbortController().signal,
    });
  }

  /** `docker compose` with the lab's compose.yml. */
  compose(args: string[], more: Parameters<DockerLab['docker']>[1] = {}): Promise<CallResult> {
    return this.docker(['compose', '-p', 'lab', '-f', 'compose.yml', ...args], more);
  }

  async config(more: Parameters<DockerLab['docker']>[1] = {}) {
    const { code, stdout, stderr } = await this.compose(['config', '--format', 'json'], more);
    if (code !== 0) throw new Error(stderr);
    return JSON.parse(stdout);
  }

  async pull(...images: string[]): Promise<void> {
    for (const image of images) await this.engine.pull(image, () => undefined, new AbortController().signal);
  }

  /** Writes compose.yml, pulls its images, brings it up. */
  async up(compose: string, more: Parameters<DockerLab['docker']>[1] = {}): Promise<CallResult> {
    this.write('compose.yml', compose);
    const pulled = await this.compose(['pull', '--quiet'], more);
    return pulled.code === 0 ? this.compose(UP, more) : pulled;
  }

  container(service: string, number = 1): Container {
    const found = this.engine.findContainer(`lab-${service}-${number}`);
    if (found === undefined) throw new Error(`no container of ${service}`);
    return found;
  }

  /** Resolves when the condition holds for the service's container. */
  until(service: string, condition: (container: Container) => boolean): Promise<void> {
    return this.container(service).until(condition, AbortSignal.timeout(30_000));
  }

  /** Sends a request to the container itself, not to a published port. */
  async get(
    service: string,
    containerPort: number,
    path: string,
  ): Promise<{ status: number; body: string; headers: Headers }> {
    // A container is running before its program listens.
    await eventually(() => this.container(service).portOf(containerPort)).toBeDefined();
    const port = this.container(service).portOf(containerPort);
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: 'close' } });
    return { status: response.status, body: await response.text(), headers: response.headers };
  }
}

export const UP = ['up', '--detach', '--no-build', '--pull', 'never', '--remove-orphans'];

/** A healthcheck with a short interval. */
export function checked(test: string, more = ''): string {
  return `healthcheck: { test: ${test}, interval: 50ms, timeout: 5s${more} }`;
}

export const SHOP_CHECK = checked('[CMD, wget, -q, -O, /dev/null, "http://127.0.0.1:3000/healthz"]');
