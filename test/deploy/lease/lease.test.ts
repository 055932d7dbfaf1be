/** The deployer's end of the lease; the whole of it is tried in the simulation and with real processes. */
import { beforeEach, describe, expect, it } from 'vitest';
import { type Member, NOTHING_KNOWN } from '../../../src/deploy/droplet/member.js';
import { Lease } from '../../../src/deploy/lease/lease.js';
import { BEAT, FAREWELL, type Holder, LEASE_SILENCE_SECONDS } from '../../../src/deploy/lease/lease-commands.js';
import { ShellError } from '../../../src/errors.js';
import type { Connection, HeldProcess, RemoteCommand } from '../../../src/ports.js';
import { aDroplet } from '../../support/fake-cloud.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const HOLDER = { run: 'r1', who: 'ann@ci', release: 'v1', since: '2026-11-21T07:45:00Z' };
const OTHER: Holder = { run: 'r2', who: String.raw`CORP\ann`, release: 'v2', since: '2026-11-21T07:50:00Z' };

interface Script {
  lines: string[];
  /** How long each line takes, in ms. */
  afterMs?: number;
  /** After its lines: it ends with this code. Absent: it stays silent. */
  code?: number;
  /** It answers every heartbeat. */
  answers?: boolean;
}

class ScriptedProcess implements HeldProcess {
  readonly said: { line: string; at: number }[] = [];
  readonly ended: Promise<{ code?: number; reason: string }>;
  readonly #lines: string[];
  closed = false;

  constructor(
    readonly clock: VirtualClock,
    readonly script: Script,
  ) {
    this.#lines = [...script.lines];
    const { code } = script;
    const reason = `it ended with exit code ${code}: cannot create: No space left on device`;
    this.ended = code === undefined ? new Promise<never>(() => {}) : Promise.resolve({ code, reason });
  }

  write(line: string): void {
    this.said.push({ line, at: this.clock.now() });
    if (this.script.answers && line === BEAT) this.#lines.push('heard');
  }

  async nextLine(timeoutMs: number): Promise<string | undefined> {
    await this.clock.sleep(this.script.afterMs ?? 0);
    for (let waited = 0; this.#lines.length === 0 && this.script.code === undefined; waited += 1_000) {
      if (this.closed) return undefined;
      if (waited >= timeoutMs) throw new ShellError('timeout', 'unknown', 'silent');
      await this.clock.sleep(1_000);
    }
    return this.#lines.shift();
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

let clock: VirtualClock;
let processes: ScriptedProcess[];
let commands: RemoteCommand[];
beforeEach(() => {
  clock = new VirtualClock();
  processes = [];
  commands = [];
});

/** @param scripts of the processes that it starts, one after the other */
function memberWith(...scripts: Script[]): Member {
  const host = { id: 1, name: 'web-1', address: '203.0.113.1' };
  const hold = async (command: RemoteCommand) => {
    const process = new ScriptedProcess(clock, scripts[processes.length] ?? { lines: [], code: 1 });
    processes.push(process);
    commands.push(command);
    return process;
  };
  const connection = { host, hold, login: 'ssh root@203.0.113.1' } as unknown as Connection;
  return { droplet: aDroplet(1), host, connection, survey: NOTHING_KNOWN, containers: [], services: [] };
}

/** Of a run that has not chosen its release. */
function busy(command: string): Script {
  const since = '2026-11-29T12:32:34.244Z';
  const holder = { ...OTHER, run: `${command} ${since} CORP\\ann`, release: '', since };
  return { lines: [`busy ${JSON.stringify(holder)}`], code: 75 };
}

const acquire = (member: Member) => Lease.acquire([member], 'shop', HOLDER, { clock, waitMs: 0, rotation: true });
const HELD: Script = { lines: ['held'], answers: true };

it('keeps the lock alive from the first moment, however late the droplet’s answer comes', async () => {
  const began = clock.now();
  const lease = await clock.run(acquire(memberWith({ lines: ['held'], afterMs: 19_000 })));
  const beats = (processes[0]?.said ?? []).filter(({ line }) => line === BEAT).map(({ at }) => at - began);
  const gaps = [0, ...beats, 19_000].map((at, index, all) => at - (all[index - 1] ?? 0));
  expect(Math.max(...gaps)).toBeLessThan(LEASE_SILENCE_SECONDS * 1_000 - 5_000);
  await clock.run(lease.release());
  expect(processes[0]?.said.at(-1)?.line).toBe(FAREWELL);
});

describe('a lock that cannot be taken', () => {
  it.each([
    [{ lines: [`busy ${JSON.stringify(OTHER)}`], code: 75 }, 'lease-held', String.raw`: CORP\ann, release v2`],
    [busy('rollback'), 'lease-held', String.raw`Another run is under way: CORP\ann, rollback, since 2026`],
    [busy('droplet out'), 'lease-held', String.raw`: CORP\ann, droplet out, since 2026`],
    [busy('deploy'), 'lease-held', String.raw`Another deploy is under way: CORP\ann, since 2026`],
    [{ lines: ['busy '], code: 75 }, 'lease-held', ': another run that has just started.'],
    [{ lines: ['busy {"run":"r2'], code: 75 }, 'lease-held', ': another run that has just started.'],
    [{ lines: [], code: 69 }, 'lease-failed', 'flock is not installed'],
    [{ lines: [], code: 1 }, 'disk-full', 'its disk is full'],
    [{ lines: ['foreign /run/lock/do-deploy'], code: 70 }, 'lease-failed', 'a user who may not use Docker'],
    [{ lines: ['closed /run/lock/do-deploy'], code: 70 }, 'lease-failed', 'may not write to /run/lock/do-deploy'],
    // A shell's startup file may print anything first.
    [{ lines: ['Welcome!'], code: 1 }, 'disk-full', 'its disk is full'],
  ])('by %j is %s', async (script, code, message) => {
    await expect(clock.run(acquire(memberWith(script)))).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
  });

  it('names the command that removes a stranger’s folder', async () => {
    const error = clock.run(acquire(memberWith({ lines: ['foreign /run/lock/do-deploy'], code: 70 })));
    await expect(error).rejects.toMatchObject({
      hint: 'Move it away: ssh root@203.0.113.1 sudo mv /run/lock/do-deploy /run/lock/do-deploy.$(date +%s)',
    });
  });
});

describe('before a change', () => {
  const lost = (message = '') => ({ code: 'lease-lost', message: expect.stringContaining(message) });

  it('a lock that answers is held', async () => {
    const lease = await clock.run(acquire(memberWith(HELD)));
    await clock.advance(60_000);
    await clock.run(lease.ensure(1));
    expect(processes).toHaveLength(1);
  });

  it.each([
    [{ lines: [`lost ${JSON.stringify(OTHER)}`], code: 76 }, String.raw`to another one: CORP\ann, release v2`],
    [{ lines: [`busy ${JSON.stringify(OTHER)}`], code: 75 }, String.raw`to another one: CORP\ann, release v2`],
    [{ lines: [`lost ${JSON.stringify({ ...OTHER, broke: true })}`], code: 76 }, String.raw`was broken by CORP\ann`],
    [{ lines: ['lost {'], code: 76 }, 'to another run.'],
    [{ lines: ['lost '], code: 76 }, 'to another run.'],
    [{ lines: ['busy '], code: 75 }, 'to another run.'],
  ])('a lock that fell silent and is answered %j is lost', async (again, message) => {
    const lease = await clock.run(acquire(memberWith({ lines: ['held'] }, again)));
    await clock.advance(20_000);
    await expect(clock.run(lease.ensure(1))).rejects.toMatchObject(lost(message));
    expect(commands.map(({ args }) => args.again)).toEqual([false, true]);
  });

  it('a lock that fell silent and was nobody else’s is taken again', async () => {
    const lease = await clock.run(acquire(memberWith({ lines: ['held'] }, HELD)));
    await clock.advance(20_000);
    await clock.run(lease.ensure(1));
    expect(processes).toHaveLength(2);
  });

  it('a lock is not trusted when this machine has slept, before any timer has noticed', async () => {
    const lease = await clock.run(acquire(memberWith(HELD, { lines: [`lost ${JSON.stringify(OTHER)}`], code: 76 })));
    const { now } = clock;
    clock.now = () => now.call(clock) + 16_000;
    await expect(clock.run(lease.ensure(1))).rejects.toMatchObject(lost());
  });

  it('the loss explains a step that failed because this machine has slept, and no other', async () => {
    const lost = { lines: [`lost ${JSON.stringify(OTHER)}`], code: 76 };
    const lease = await clock.run(acquire(memberWith({ lines: ['held'] }, lost)));
    await clock.advance(20_000);
    expect(await clock.run(lease.lossOn(1)), 'only the connection is lost').toBeUndefined();
    const { now } = clock;
    clock.now = () => now.call(clock) + 16_000;
    expect(await clock.run(lease.lossOn(1))).toMatchObject({ code: 'lease-lost' });
  });

  it('its own former process is waited for', async () => {
    const own = { lines: [`busy ${JSON.stringify({ ...HOLDER, app: 'shop' })}`], code: 75 };
    const lease = await clock.run(acquire(memberWith({ lines: ['held'] }, own, own, HELD)));
    await clock.advance(20_000);
    await clock.run(lease.ensure(1));
    expect(processes).toHaveLength(4);
  });

  it('steps that ask at the same moment take it once', async () => {
    const lease = await clock.run(acquire(memberWith({ lines: ['held'] }, HELD)));
    await clock.advance(20_000);
    await clock.run(Promise.all([lease.ensure(1), lease.ensure(1)]));
    expect(processes).toHaveLength(2);
  });

  it('a lease that was released is not taken again', async () => {
    const lease = await clock.run(acquire(memberWith(HELD, HELD)));
    await clock.run(lease.release());
    await expect(clock.run(lease.ensure(1))).rejects.toMatchObject(lost());
    expect(processes).toHaveLength(1);
  });

  it('a droplet without a lease is refused', async () => {
    const lease = await clock.run(acquire(memberWith(HELD)));
    await expect(clock.run(lease.ensure(2))).rejects.toThrow('no lease on droplet 2');
  });
});
