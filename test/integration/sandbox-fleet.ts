/** A region with a project, the real command as a process, and load on the balancer: for tests of the whole. */
import { type ChildProcess, spawn } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { DeployEvent, DeployResult } from '../../src/rollout/model.js';
import { Load } from '../../src/sandbox/load.js';
import { openProject } from '../../src/sandbox/project.js';
import { Region, type RegionOptions } from '../../src/sandbox/region.js';

const MAIN = resolve('dist/main.js');

/** Checks five times a second: everything that waits for the balancer is quick. */
const QUICK = { intervalSeconds: 0.2, healthyThreshold: 2, unhealthyThreshold: 2, timeoutSeconds: 10 };

export interface CommandEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** With --json: what it told. */
  events: DeployEvent[];
  result?: DeployResult;
}

export interface RunningCommand {
  child: ChildProcess;
  events: DeployEvent[];
  /** Called for each event as it comes, --json only. */
  onEvent(listener: (event: DeployEvent) => void): void;
  ended: Promise<CommandEnd>;
}

export interface RunOptions {
  /** Default: the project's folder. */
  cwd?: string;
  env?: Record<string, string>;
}

export class SandboxFleet {
  readonly region: Region;
  /** The project's folder, where the command runs. */
  readonly folder: string;
  readonly #root: string;
  readonly #firstConfig: string;
  readonly #children = new Set<ChildProcess>();

  private constructor(region: Region, folder: string, root: string, firstConfig: string) {
    this.region = region;
    this.folder = folder;
    this.#root = root;
    this.#firstConfig = firstConfig;
  }

  static async start(options: Partial<RegionOptions> = {}): Promise<SandboxFleet> {
    const root = await mkdtemp(join(tmpdir(), 'do-deploy-test-'));
    const region = await Region.start({
      droplets: 3,
      effectDelayMs: 200,
      healthCheck: QUICK,
      ...options,
      folder: join(root, 'sandbox'),
    });
    const project = await openProject(region);
    return new SandboxFleet(region, project.folder, root, project.firstConfig);
  }

  /** All droplets at once, because nothing serves yet. */
  async deployFirst(release = 'v1'): Promise<void> {
    const end = await this.run(['deploy', 'sandbox', release, '--yes', '--json', '--config', this.#firstConfig]);
    if (end.code !== 0) {
      const { error, evidence } = end.result ?? {};
      throw new Error(`the first deploy failed (${end.code}):\n${JSON.stringify({ error, evidence })}\n${end.stderr}`);
    }
  }

  /** A copy of the project with no state: what a fresh CI runner would have checked out. */
  async freshCheckout(): Promise<string> {
    const folder = await mkdtemp(join(this.#root, 'checkout-'));
    await cp(this.folder, folder, { recursive: true });
    return folder;
  }

  /** Runs the command in the project's folder (or in `cwd`). Ctrl-C works on it as in a terminal. */
  start(args: string[], options: RunOptions = {}): RunningCommand {
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd: options.cwd ?? this.folder,
      env: { PATH: process.env.PATH ?? '', HOME: this.#root, CI: 'true', NO_COLOR: '1', ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#children.add(child);
    const events: DeployEvent[] = [];
    const listeners: ((event: DeployEvent) => void)[] = [];
    let stdout = '';
    let stderr = '';
    let unread = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      stdout += chunk;
      if (!args.includes('--json')) return;
      const lines = (unread + chunk).split('\n');
      unread = lines.pop() ?? '';
      for (const line of lines.filter(Boolean)) {
        const event = JSON.parse(line) as DeployEvent;
        events.push(event);
        for (const listener of listeners) listener(event);
      }
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      stderr += chunk;
    });
    const ended = new Promise<CommandEnd>((settle) => {
      child.on('close', (code, signal) => {
        this.#children.delete(child);
        const finished = events.find((event) => event.type === 'rollout-finished');
        settle({ code, signal, stdout, stderr, events, ...(finished && { result: finished.result }) });
      });
    });
    return { child, events, onEvent: (listener) => listeners.push(listener), ended };
  }

  run(args: string[], options: RunOptions = {}): Promise<CommandEnd> {
    return this.start(args, options).ended;
  }

  /** An answer that is late because this machine is busy is no failure, so the bound is far off. */
  load(requestsPerSecond = 40): Load {
    const { balancerUrl: url } = this.region;
    return Load.start({ url, requestsPerSecond, slowEvery: 20, slowMs: 800, timeoutMs: 120_000 });
  }

  async stop(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    await this.region.stop();
    await rm(this.#root, { recursive: true, force: true });
  }
}
