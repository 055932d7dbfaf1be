/** The lease's commands in real shells: the droplet is a folder, with a lock folder and a home for each user. */
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { FAREWELL, type Holder, holdLeaseCommand } from '../../../src/deploy/lease/lease-commands.js';

export type Hold = ChildProcessByStdio<Writable, Readable, Readable>;

export interface User {
  home: string;
  uid?: number;
  gid?: number;
}

export function holderOf(run: string, more: Partial<Holder> = {}): Holder {
  return { run, app: 'shop', who: 'ann@laptop', release: 'v1', since: '2026-11-21T07:45:00Z', ...more };
}

export class Droplet {
  readonly folder = mkdtempSync(join(tmpdir(), 'lease-of-do-deploy-'));
  readonly root = this.addUser('root');
  readonly #holds: Hold[] = [];

  /** @param real false: DO_DEPLOY_LOCK_DIR names the lock folder; true: it is found and created as on a droplet */
  constructor(readonly real = false) {
    chmodSync(this.folder, 0o755);
    mkdirSync(join(this.folder, 'run'));
    mkdirSync(join(this.folder, 'run/lock'));
    chmodSync(join(this.folder, 'run/lock'), 0o1777);
    if (!real) mkdirSync(this.locks);
  }

  get locks(): string {
    return join(this.folder, 'run/lock/do-deploy');
  }

  addUser(name: string, ids: { uid?: number; gid?: number } = {}): User {
    const home = join(this.folder, `home-${name}`);
    mkdirSync(home);
    if (ids.uid !== undefined) chownSync(home, ids.uid, ids.gid ?? ids.uid);
    return { home, ...ids };
  }

  /** Stands for Docker's socket: whoever may write to it may deploy. */
  dockerSocket(gid: number, mode = 0o660): void {
    const path = join(this.folder, 'run/docker.sock');
    writeFileSync(path, '');
    chownSync(path, 0, gid);
    chmodSync(path, mode);
  }

  hold(who: Holder, options: { rotation?: boolean; again?: boolean; user?: User; before?: string } = {}): Hold {
    const { rotation = true, again, user, before = '' } = options;
    const { script } = holdLeaseCommand(who.app ?? 'shop', who, { rotation, again });
    return this.start(`${before}${script}`, user);
  }

  /** @param args for `$1` and on; scripts too */
  start(script: string, user: User = this.root, args: string[] = []): Hold {
    const words = [script, 'sh', ...args].map((word) => this.#inside(word));
    const child = spawn('sh', ['-c', ...words], { ...this.#as(user), stdio: 'pipe' });
    // A process that refuses does not read.
    child.stdin.on('error', () => {});
    this.#holds.push(child);
    return child;
  }

  run(script: string, user: User = this.root): { code: number; stdout: string; stderr: string } {
    const options = { ...this.#as(user), encoding: 'utf8' as const };
    const { status, stdout, stderr } = spawnSync('sh', ['-c', this.#inside(script)], options);
    return { code: status ?? -1, stdout, stderr };
  }

  #as({ home, uid, gid }: User) {
    const env: Record<string, string> = { PATH: process.env.PATH ?? '', HOME: home };
    if (!this.real) env.DO_DEPLOY_LOCK_DIR = this.locks;
    return { env, cwd: home, uid, gid };
  }

  /** The machine's own /run must not be touched. */
  #inside(script: string): string {
    return script
      .replaceAll(new RegExp(`(?<!${this.folder})/run/lock`, 'g'), join(this.folder, 'run/lock'))
      .replaceAll('/var/run/docker.sock', join(this.folder, 'run/docker.sock'))
      .replaceAll('/tmp/do-deploy', join(this.folder, 'no-tmp'));
  }

  async stop(): Promise<void> {
    for (const child of this.#holds.splice(0)) await end(child);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The last line that it prints before it holds the lock or ends. */
export async function answer(child: Hold): Promise<string> {
  let last = '';
  for await (const line of createInterface({ input: child.stdout })) {
    last = line;
    if (line === 'held') break;
  }
  return last;
}

/** `busy RUN`, `lost RUN`, or the whole line where there is no record. */
export async function answerOf(child: Hold): Promise<string> {
  const line = await answer(child);
  const start = line.indexOf('{');
  return start < 0 ? line.trim() : `${line.slice(0, start)}${(JSON.parse(line.slice(start)) as Holder).run}`;
}

export async function end(child: Hold): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const exit = once(child, 'exit');
    child.stdin.end(`${FAREWELL}\n`);
    await exit;
  }
  return child.exitCode;
}
