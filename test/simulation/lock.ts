/** The lease's lock on a droplet, and the process that holds it for as long as it is spoken to. */

import {
  FAREWELL,
  HEARD,
  LEASE_SILENCE_SECONDS,
  LOCK_BUSY,
  NOT_HOLDER,
} from '../../src/deploy/lease/lease-commands.js';
import { ShellError } from '../../src/errors.js';
import type { HeldProcess } from '../../src/ports.js';
import { type Deployer, never } from './deployer.js';
import type { Link, OnLink } from './link.js';
import type { Droplet, World } from './world.js';

/** At the droplet's end. */
export interface LeaseProcess {
  readonly deployer: Deployer;
  /** When the last line came in. */
  heardAt: number;
  over: boolean;
  /** Killed there: its connection tells this end. */
  kill(): void;
}

/** Who holds the lock now: nobody, once the silence has lasted too long. */
export function lockProcess(world: World, droplet: Droplet): LeaseProcess | undefined {
  const { process } = droplet.lock;
  if (process === undefined) return undefined;
  if (!process.over && process.heardAt + LEASE_SILENCE_SECONDS * 1_000 >= world.time) return process;
  process.over = true;
  delete droplet.lock.process;
  return undefined;
}

/** As the script of holdLeaseCommand does it. */
export function startLease(link: Link, { holder, again }: Readonly<Record<string, unknown>>): HeldProcess {
  const { world, droplet, deployer } = link;
  const { lock, disk } = droplet;
  if (lockProcess(world, droplet)) return new EndedProcess(`busy ${lock.holder ?? ''}`, LOCK_BUSY);
  const run = String((holder as { run: string }).run);
  if (again === true && !namesRun(lock.holder, run)) return new EndedProcess(`lost ${lock.holder ?? ''}`, NOT_HOLDER);
  // The record below the home directory is written only where it names another run.
  if (world.time < disk.fullUntil && !namesRun(lock.holder, run)) return new EndedProcess(undefined, 1);
  disk.made = true;
  lock.holder = JSON.stringify(holder);
  lock.holders.push(deployer.name);
  const process = new SimHeldProcess(link, ['held']);
  lock.process = process.remote;
  return process;
}

/** What the line `asHolder` finds out on a droplet: whether the record names exactly this run. */
export function namesRun(record: string | undefined, run: string): boolean {
  return record?.startsWith(`{"run":${JSON.stringify(run)},`) === true;
}

class SimHeldProcess implements HeldProcess, OnLink {
  readonly ended: Promise<{ code?: number; reason: string }>;
  readonly remote: LeaseProcess;
  #end: (how: { code?: number; reason: string }) => void = () => {};
  #over = false;
  #greeted = false;
  #wake: () => void = () => {};

  constructor(
    readonly link: Link,
    readonly lines: string[],
  ) {
    const { world, deployer } = link;
    this.remote = { deployer, heardAt: world.time, over: false, kill: () => this.#finish('it was killed (SIGTERM)') };
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    link.users.add(this);
  }

  #finish(reason: string, code?: number): void {
    this.remote.over = true;
    this.link.users.delete(this);
    this.#endHere(reason, code);
  }

  #endHere(reason: string, code?: number): void {
    if (this.#over) return;
    this.#over = true;
    this.#wake();
    this.#end({ reason, code });
  }

  droppedThere(): void {
    this.remote.over = true;
  }

  droppedHere(): void {
    this.#endHere('the connection was lost');
  }

  write(line: string): void {
    const { world, deployer, dead } = this.link;
    if (deployer.dead) return;
    world.catchUp();
    if (dead || this.#over || this.remote.over) return;
    if (line === FAREWELL) this.#finish('it ended with exit code 0', 0);
    else {
      this.remote.heardAt = world.time;
      this.lines.push(HEARD);
      this.#wake();
    }
  }

  async nextLine(timeoutMs: number): Promise<string | undefined> {
    const { deployer } = this.link;
    if (this.#greeted) return await this.#nextAnswer(timeoutMs);
    const trouble = deployer.begin('held');
    if (trouble?.kind === 'crash') {
      deployer.die();
      await deployer.wait(0);
    }
    if (trouble?.kind === 'slow') await deployer.wait(Math.floor(trouble.roll * 15_000));
    else await deployer.travel();
    if (trouble?.kind === 'drop') this.link.cut(trouble.roll < 0.5 ? 'openly' : 'silently');
    if (this.link.dead) {
      await this.#wokenWithin(timeoutMs);
      if (this.#over) return undefined;
      throw silent();
    }
    if (trouble?.kind === 'no' || trouble?.kind === 'maybe') {
      await deployer.wait(timeoutMs);
      throw silent();
    }
    const line = this.lines.shift();
    this.#greeted ||= line === 'held';
    return line;
  }

  /** Beats are answered one by one; nothing goes wrong with an answer but with its connection. */
  async #nextAnswer(timeoutMs: number): Promise<string | undefined> {
    if (this.lines.length === 0 && !this.#over) await this.#wokenWithin(timeoutMs);
    if (this.lines.length === 0 && !this.#over) throw silent();
    return this.lines.shift();
  }

  async close(): Promise<void> {
    const { deployer, dead } = this.link;
    if (deployer.dead) return await deployer.wait(0);
    if (dead && !this.#over) await this.#wokenWithin(1_000);
    if (!dead) this.#finish('its input was closed', 0);
  }

  /** Whether something has come, or the end, before the time is over; a dead process waits for ever. */
  async #wokenWithin(ms: number): Promise<boolean> {
    const { world, deployer } = this.link;
    if (deployer.dead) return await never();
    const nap = world.clock.nap(ms);
    let woken = false;
    this.#wake = () => {
      woken = true;
      nap.wake();
    };
    await nap.over;
    if (deployer.dead) await never();
    return woken;
  }
}

function silent(): ShellError {
  return new ShellError('timeout', 'unknown', '"lease" was silent.');
}

/** A process that printed a line, or nothing, and ended. */
class EndedProcess implements HeldProcess {
  readonly ended: Promise<{ code?: number; reason: string }>;
  readonly #lines: string[];

  constructor(line: string | undefined, code: number) {
    this.#lines = line === undefined ? [] : [line];
    this.ended = Promise.resolve({ code, reason: `it ended with exit code ${code}` });
  }

  write(): void {}

  async nextLine(): Promise<string | undefined> {
    return this.#lines.shift();
  }

  async close(): Promise<void> {}
}
