/**
 * The droplets' remote shell. A connection outlives its links as the real adapter's does: what was lost is done once
 * more on a new link, where that does no harm or it certainly was not done.
 */
import { ShellError } from '../../src/errors.js';
import type {
  CommandResult,
  Connection,
  HealthRequest,
  HealthResponse,
  HeldProcess,
  RemoteCommand,
  RemoteHost,
  RemoteShell,
  Upload,
} from '../../src/ports.js';
import { advance, answerMs, servingContainer } from './data-plane.js';
import { type Deployer, never, type Trouble } from './deployer.js';
import { execute } from './droplet-commands.js';
import { Link } from './link.js';
import { startLease } from './lock.js';
import type { Droplet, World } from './world.js';

/** How long the adapter tries to connect, the first time and again. */
const CONNECT_MS = 20_000;
const RECONNECT_MS = 30_000;

export class SimShell implements RemoteShell {
  constructor(readonly deployer: Deployer) {}

  async connect(host: RemoteHost): Promise<Connection> {
    const { deployer } = this;
    const { world } = deployer;
    if (deployer.dead) return await never();
    const trouble = deployer.begin('connect');
    await deployer.travel();
    if (trouble?.kind === 'crash') {
      deployer.die();
      return await never();
    }
    if (trouble?.kind === 'slow' || trouble?.kind === 'drop')
      await deployer.wait(Math.floor(trouble.roll * CONNECT_MS));
    const droplet = world.droplets.get(host.id);
    const failed = trouble?.kind === 'no' || trouble?.kind === 'maybe' || trouble?.kind === 'fails';
    if (failed || droplet === undefined || !isReachable(deployer, droplet)) {
      await deployer.wait(CONNECT_MS);
      throw new ShellError('unreachable', 'not-applied', `${host.name} does not answer.`);
    }
    deployer.knowledge.fleet.add(droplet.id);
    return new SimConnection(deployer, host, droplet);
  }
}

function isReachable(deployer: Deployer, droplet: Droplet): boolean {
  const { time } = deployer.world;
  return (
    !droplet.destroyed &&
    droplet.status === 'active' &&
    time >= droplet.sshRefusedUntil &&
    time >= deployer.sshAwayUntil
  );
}

interface Work<T> {
  call: string;
  timeoutMs: number;
  repeatable: boolean;
  /** Does it on the droplet, now; `last` is done at its end. */
  does(half: boolean): { value: T; ms: number; last?: () => T };
  /** Does it, and answers that it failed. */
  fails?(): T;
}

class SimConnection implements Connection {
  readonly fingerprint = 'SHA256:simulated';
  readonly #world: World;
  #link: Link;
  #closed = false;

  constructor(
    readonly deployer: Deployer,
    readonly host: RemoteHost,
    readonly droplet: Droplet,
  ) {
    this.#world = deployer.world;
    this.#link = new Link(this.#world, deployer, droplet);
  }

  run(command: RemoteCommand): Promise<CommandResult> {
    const { deployer, droplet } = this;
    const world = this.#world;
    world.monitor.commandIsSent(command);
    return this.#attempt({
      call: command.name,
      timeoutMs: command.timeoutMs,
      repeatable: command.repeatable,
      does: (half) => {
        const { ms, last, ...value } = execute({ world, droplet, deployer, command, half });
        const atEnd = (): CommandResult => {
          const end = last?.() ?? '';
          return typeof end === 'string' ? { ...value, stdout: value.stdout + end } : { ...value, ...end };
        };
        return { value, ms, ...(last && { last: atEnd }) };
      },
      fails: () =>
        command.name === 'traffic'
          ? { code: 0, stdout: '', stderr: '' }
          : { code: 1, stdout: command.name === 'containers' ? 'now 1763711100\n' : '', stderr: 'it failed' },
    });
  }

  upload(file: Upload): Promise<void> {
    const { droplet } = this;
    const id = /incoming-(.*)\.tgz$/.exec(file.path)?.[1] ?? '';
    return this.#attempt<void>({
      call: 'upload',
      timeoutMs: file.timeoutMs,
      repeatable: true,
      does: () => {
        if (file.mode !== 0o600) this.#world.monitor.violation('h', `${file.path} is uploaded readable for others`);
        if (!droplet.disk.made || this.#world.time < droplet.disk.fullUntil) throw transferFailed(file.path);
        droplet.disk.incoming.add(id);
        return { value: undefined, ms: 100 };
      },
      fails: () => {
        throw transferFailed(file.path);
      },
    });
  }

  hold(command: RemoteCommand): Promise<HeldProcess> {
    this.#world.monitor.commandIsSent(command);
    return this.#attempt<HeldProcess>({
      call: command.name,
      timeoutMs: command.timeoutMs,
      repeatable: command.repeatable,
      does: () => ({ value: startLease(this.#link, command.args), ms: 0 }),
    });
  }

  /** Rollouts start no programs for the user. */
  start(): never {
    throw new Error('the simulation runs no programs');
  }

  logIn(): never {
    throw new Error('the simulation has no login shell');
  }

  forward(): never {
    throw new Error('the simulation forwards no connections');
  }

  checkHealth(request: HealthRequest): Promise<HealthResponse> {
    if (request.address === '127.0.0.1') return this.#askApp(request);
    const { deployer, droplet } = this;
    const world = this.#world;
    const learn = (passed: boolean): HealthResponse => {
      const served = passed && world.monitor.serves(droplet);
      deployer.knowledge.probes.set(droplet.id, { passed, served, at: world.next() });
      if (!passed) deployer.knowledge.failedChecks.set(droplet.id, world.time);
      return { passed, detail: passed ? 'HTTP 200 in 3 ms' : 'HTTP 503 in 3 ms', status: passed ? 200 : 503, ms: 3 };
    };
    deployer.knowledge.probes.set(droplet.id, { passed: undefined, served: false, at: world.next() });
    return this.#attempt<HealthResponse>({
      call: 'balancer-check',
      timeoutMs: request.timeoutMs,
      repeatable: true,
      does: () => {
        advance(world, droplet, world.time);
        // It goes to the private address, and so passes the same rules as the balancer's.
        const door = servingContainer(droplet, world.time);
        if (door) door.checks += 1;
        if (door) door.ownChecks += 1;
        const passed = world.answers(droplet, world.time);
        if (passed) droplet.seen.probed = world.next();
        const ms = answerMs(world, world.time);
        return { value: { ...learn(passed), ms }, ms };
      },
      fails: () => learn(false),
    });
  }

  /** By do-deploy's own request, which the balancer's rules do not see. */
  #askApp(request: HealthRequest): Promise<HealthResponse> {
    const { deployer, droplet } = this;
    const world = this.#world;
    const learn = (passed: boolean): HealthResponse => {
      if (!passed) deployer.knowledge.failedChecks.set(droplet.id, world.time);
      return { passed, detail: passed ? 'HTTP 200 in 3 ms' : 'HTTP 503 in 3 ms', status: passed ? 200 : 503, ms: 3 };
    };
    return this.#attempt<HealthResponse>({
      call: 'app-check',
      timeoutMs: request.timeoutMs,
      repeatable: true,
      does: () => {
        const passed = world.answers(droplet, world.time);
        if (passed) droplet.seen.asked = world.next();
        return { value: learn(passed), ms: 3 };
      },
      fails: () => learn(false),
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (!this.deployer.dead) this.#link.cut('openly');
  }

  /** Once, and once more on a new link. */
  async #attempt<T>(work: Work<T>): Promise<T> {
    const { deployer } = this;
    if (deployer.dead) return await never();
    if (this.#link.dead || this.#closed) await this.#relink();
    const trouble = deployer.begin(work.call);
    if (trouble === undefined && deployer.isNear && !this.#link.dead) return await this.#smoothly(work);
    try {
      return await this.#once(work, trouble);
    } catch (error) {
      if (!(error instanceof ShellError) || error.kind !== 'lost' || this.#closed) throw error;
      if (!work.repeatable && error.outcome === 'unknown') throw error;
      if (trouble?.kind === 'maybe') {
        await deployer.wait(RECONNECT_MS);
        throw error;
      }
      await this.#relink(error.outcome);
      return await this.#once(work, undefined);
    }
  }

  /** Nothing goes wrong with the call itself: most calls, so it takes few turns. */
  async #smoothly<T>(work: Work<T>): Promise<T> {
    const link = this.#link;
    const { value, ms, last } = work.does(false);
    if (ms > 0) await this.deployer.wait(ms);
    if (link.dead) {
      try {
        await this.#failIfDead(link);
      } catch (error) {
        if (!work.repeatable || this.#closed) throw error;
        await this.#relink('unknown');
        return await this.#once(work, undefined);
      }
    }
    return last === undefined ? value : last();
  }

  /** A dead link that this end knows of is replaced, within the adapter's patience. */
  async #relink(outcome: 'not-applied' | 'unknown' = 'not-applied'): Promise<void> {
    const { deployer } = this;
    const world = this.#world;
    if (this.#closed) throw lost('not-applied', 'this end closed it');
    if (!this.#link.dead || world.clock.now() < this.#link.noticedAt) return;
    const until = world.clock.now() + RECONNECT_MS;
    while (!isReachable(deployer, this.droplet)) {
      if (world.clock.now() >= until) throw lost(outcome, 'it could not be made again');
      await deployer.wait(3_000);
    }
    if (this.#closed) throw lost('not-applied', 'this end closed it');
    if (this.#link.dead) this.#link = new Link(world, deployer, this.droplet);
  }

  async #once<T>(work: Work<T>, trouble: Trouble | undefined): Promise<T> {
    const { deployer } = this;
    const link = this.#link;
    await deployer.travel();
    if (trouble?.kind === 'slow' && trouble.roll < 0.5) await deployer.wait(Math.floor(trouble.roll * 30_000));
    if (trouble?.kind === 'no') {
      throw new ShellError('unreachable', 'not-applied', `${this.host.name} refuses another SSH session.`);
    }
    await this.#failIfDead(link);
    if (trouble?.kind === 'fails' && work.fails) return work.fails();
    const breaks = trouble?.kind === 'crash' || trouble?.kind === 'maybe' || trouble?.kind === 'drop';
    const half = breaks && trouble.roll < 0.3;
    const done = !breaks || trouble.applied || half ? work.does(half) : undefined;
    if (trouble?.kind === 'crash') {
      deployer.die();
      return await never();
    }
    if (trouble?.kind === 'maybe' && trouble.roll > 0.7) {
      await deployer.wait(work.timeoutMs);
      throw new ShellError('timeout', 'unknown', `"${work.call}" did not end in time.`);
    }
    if (breaks) link.cut(trouble.roll < 0.6 ? 'openly' : 'silently');
    if (done !== undefined && done.ms > 0) await deployer.wait(done.ms);
    const answer = done && { value: done.last ? done.last() : done.value };
    await deployer.travel();
    if (trouble?.kind === 'slow' && trouble.roll >= 0.5) await deployer.wait(Math.floor(trouble.roll * 12_000));
    await this.#failIfDead(link);
    if (answer === undefined) throw lost('unknown', 'it dropped');
    return answer.value;
  }

  /** On a dead link a command waits until this end notices. */
  async #failIfDead(link: Link): Promise<void> {
    if (!link.dead) return;
    await this.deployer.wait(Math.max(0, link.noticedAt - this.#world.clock.now()));
    throw lost('unknown', 'it dropped');
  }
}

function lost(outcome: 'not-applied' | 'unknown', reason: string): ShellError {
  return new ShellError('lost', outcome, `The SSH connection was lost: ${reason}.`);
}

function transferFailed(path: string): ShellError {
  return new ShellError('transfer', 'unknown', `${path} could not be uploaded.`);
}
