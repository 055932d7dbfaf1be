/** `do-deploy logs`: the logs of an app's containers on all droplets, merged by time. */
import type { Settings } from '../../../config/settings.js';
import { asDeployError, DeployError, ShellError } from '../../../errors.js';
import type { Clock, Connection, Droplet } from '../../../ports.js';
import type { DeployPorts } from '../../core/deploy-ports.js';
import { errorLine } from '../../core/output-lines.js';
import { inParallel, waitForAll } from '../../core/parallel.js';
import { closeAll } from '../../droplet/connect.js';
import { dockerRemedy } from '../../droplet/docker-remedy.js';
import { hideSecretsOn } from '../../droplet/hide-secrets.js';
import type { Member } from '../../droplet/member.js';
import { findFleets } from '../../fleet/find-fleet.js';
import { chooseDroplets, connectQuietly, type DropletChoice } from '../choose-droplets.js';
import { checkService, readRelease } from '../services.js';
import { type LoggedContainer, type LogStart, listLoggedCommand, readLogCommand, readLogged } from './log-commands.js';
import { LogReader } from './log-reader.js';
import { Merge } from './merge.js';

/** How often a droplet is asked for new containers, in ms. */
const LOOK_MS = 2_000;
/** How often DigitalOcean is asked for new droplets, in ms. */
const FLEET_MS = 15_000;
/** sshd allows 10 sessions per connection (MaxSessions); some are for other commands. */
const LOGS_PER_CONNECTION = 6;

export interface LogWish extends Pick<DropletChoice, 'droplet' | 'role'> {
  service?: string;
  follow: boolean;
  /** Of containers that exist at the beginning. */
  from: LogStart;
  /** Only these lines. */
  grep?: RegExp;
}

export interface ShownLine {
  time: string;
  droplet: string;
  service: string;
  container: string;
  stream: 'stdout' | 'stderr';
  text: string;
}

interface LogUser {
  /** Awaited: lines come only as fast as they are shown. */
  show(line: ShownLine): Promise<void> | void;
  /** What goes wrong on the way; each once until it changes. */
  tell(error: DeployError): void;
}

/** Ends when all is shown, or, following, when `until` aborts. Throws DeployError, CloudError or what `show` throws. */
export async function readLogs(
  ports: DeployPorts,
  settings: Settings,
  wish: LogWish,
  user: LogUser,
  until: AbortSignal,
): Promise<void> {
  const merge = new Merge<ShownLine>(ports.clock, { finite: !wish.follow });
  const over = new AbortController();
  const end = () => over.abort();
  until.addEventListener('abort', end);
  if (until.aborted) end();
  const fleet = new LoggedFleet(ports, settings, wish, merge, user, over.signal);
  const reading = fleet.read().finally(() => merge.close());
  // What it throws is thrown below.
  reading.catch(end);
  try {
    for await (const line of merge.lines()) {
      if (over.signal.aborted && !wish.follow) break;
      await user.show(line);
    }
    merge.cancel();
    await reading;
  } finally {
    merge.cancel();
    until.removeEventListener('abort', end);
    end();
    await fleet.close();
  }
}

class LoggedFleet {
  readonly #ports: DeployPorts;
  readonly #settings: Settings;
  readonly #wish: LogWish;
  readonly #merge: Merge<ShownLine>;
  readonly #user: LogUser;
  readonly #over: AbortSignal;
  readonly #startedAt: number;
  readonly #droplets = new Map<number, LoggedDroplet>();
  #told = '';

  constructor(
    ports: DeployPorts,
    settings: Settings,
    wish: LogWish,
    merge: Merge<ShownLine>,
    user: LogUser,
    over: AbortSignal,
  ) {
    this.#ports = ports;
    this.#settings = settings;
    this.#wish = wish;
    this.#merge = merge;
    this.#user = user;
    this.#over = over;
    this.#startedAt = ports.clock.now();
  }

  async read(): Promise<void> {
    await this.#join(await this.#find(), this.#wish.from);
    const first = [...this.#droplets.values()];
    await this.#check(first);
    // Lines of the first droplet wait for those of the others.
    const others = this.#merge.open();
    await Promise.all(first.map((droplet) => droplet.begin()));
    others.close();
    const { clock } = this.#ports;
    while (this.#wish.follow && !this.#over.aborted) {
      await clock.sleep(FLEET_MS, this.#over);
      if (!this.#over.aborted) await this.#lookForDroplets();
    }
    await Promise.all([...this.#droplets.values()].map(({ ended }) => ended));
  }

  async close(): Promise<void> {
    await closeAll([...this.#droplets.values()].map(({ member }) => member));
  }

  async #find(): Promise<Droplet[]> {
    const { droplet, role } = this.#wish;
    return chooseDroplets(await findFleets(this.#ports, this.#settings, { overlap: 'first' }), {
      droplet,
      role,
      all: true,
    });
  }

  async #join(droplets: readonly Droplet[], from: LogStart): Promise<LoggedDroplet[]> {
    const strangers = droplets.filter(({ id }) => !this.#droplets.has(id));
    const { members, unreachable } = await connectQuietly(this.#ports, this.#settings, strangers);
    for (const { error } of unreachable) this.#tell(error);
    if (unreachable.length === 0) this.#told = '';
    if (members.length === 0 && this.#droplets.size === 0 && unreachable[0] !== undefined) throw unreachable[0].error;
    return members.map((member) => {
      const common = { ports: this.#ports, settings: this.#settings, wish: this.#wish, merge: this.#merge };
      const joined = new LoggedDroplet({ ...common, user: this.#user, over: this.#over, member, from });
      this.#droplets.set(member.droplet.id, joined);
      return joined;
    });
  }

  /** The service and the release must exist where there are no containers that show it; secrets on the droplets are masked. */
  async #check(droplets: readonly LoggedDroplet[]): Promise<void> {
    const { service } = this.#wish;
    const found = await inParallel(droplets, async (droplet) => {
      const containers = await droplet.list();
      const release = await readRelease(droplet.member, this.#settings).catch((error) => asDeployError(error));
      await hideSecretsOn(this.#ports, this.#settings.app, droplet.member);
      return { droplet, containers, release };
    });
    if (found.some(({ containers }) => containers.some((one) => service === undefined || one.service === service)))
      return;
    const [first] = found;
    if (first === undefined) return;
    if (first.release instanceof DeployError) throw first.release;
    if (service !== undefined) await checkService(first.droplet.member, first.release, service);
  }

  async #lookForDroplets(): Promise<void> {
    try {
      const seconds = Math.ceil((this.#ports.clock.now() - this.#startedAt) / 1_000) + 1;
      const joined = await this.#join(await this.#find(), { seconds });
      for (const droplet of joined) {
        await hideSecretsOn(this.#ports, this.#settings.app, droplet.member);
        void droplet.begin();
      }
    } catch (error) {
      this.#tell(asDeployError(error));
    }
  }

  #tell(error: DeployError): void {
    if (error.message === this.#told) return;
    this.#told = error.message;
    this.#user.tell(error);
  }
}

interface LoggedDropletOptions {
  ports: DeployPorts;
  settings: Settings;
  wish: LogWish;
  merge: Merge<ShownLine>;
  user: LogUser;
  over: AbortSignal;
  member: Member;
  from: LogStart;
}

/** How far the log of a container has been read. */
interface Progress {
  /** Until its first line. */
  from: LogStart;
  stdout: LogReader;
  stderr: LogReader;
  isRead: boolean;
  /** `finishedAt` when the last reading began. */
  finishedAt: string | undefined;
}

class LoggedDroplet {
  readonly member: Member;
  /** Settles when everything is read. */
  ended: Promise<void> = Promise.resolve();
  readonly #options: LoggedDropletOptions;
  readonly #clock: Clock;
  readonly #progress = new Map<string, Progress>();
  readonly #reading = new Set<Promise<void>>();
  /** Further connections, each for as many logs. */
  readonly #connections: { connection: Connection; logs: number }[];
  readonly #told = new Set<string>();
  #isFirstLook = true;

  constructor(options: LoggedDropletOptions) {
    this.#options = options;
    this.member = options.member;
    this.#clock = options.ports.clock;
    this.#connections = [{ connection: options.member.connection, logs: 0 }];
  }

  async list(): Promise<LoggedContainer[]> {
    const { code, stdout, stderr } = await this.member.connection.run(listLoggedCommand(this.#options.settings.app));
    if (code === 0) return readLogged(stdout);
    const { name } = this.member.host;
    const reason = errorLine(stderr, `exit code ${code}`);
    throw new DeployError('docker-missing', `Docker does not answer on ${name}: ${reason}`, {
      droplet: name,
      hint: dockerRemedy(this.member, reason),
    });
  }

  /** Resolves after the first look. */
  async begin(): Promise<void> {
    await this.#look();
    this.ended = this.#options.wish.follow ? this.#keepLooking() : waitForAll([...this.#reading]).then(() => {});
    if (!this.#options.wish.follow) this.ended = this.ended.finally(() => this.#closeOthers());
  }

  async #keepLooking(): Promise<void> {
    const { over } = this.#options;
    while (!over.aborted) {
      await this.#clock.sleep(LOOK_MS, over);
      if (!over.aborted) await this.#look();
    }
    await this.#closeOthers();
  }

  async #closeOthers(): Promise<void> {
    await Promise.allSettled(this.#connections.slice(1).map(({ connection }) => connection.close()));
  }

  /** Resolves when every new log has been begun. */
  async #look(): Promise<void> {
    const { wish, from } = this.#options;
    const begun: Promise<void>[] = [];
    try {
      const containers = await this.list();
      this.#forget(containers);
      for (const container of containers) {
        if (wish.service !== undefined && container.service !== wish.service) continue;
        const known = this.#progress.get(container.id);
        if (known === undefined) {
          // One that came meanwhile is read from its beginning.
          const progress = newProgress(this.#isFirstLook ? from : 'beginning');
          this.#progress.set(container.id, progress);
          begun.push(this.#start(container, progress));
        } else if (!known.isRead && (container.running || container.finishedAt !== known.finishedAt)) {
          begun.push(this.#start(container, known));
        }
      }
      this.#isFirstLook = false;
      await Promise.all(begun);
    } catch (error) {
      this.#tell(asDeployError(error));
    }
  }

  /** Those that were removed and are read to their end. */
  #forget(containers: readonly LoggedContainer[]): void {
    const ids = new Set(containers.map(({ id }) => id));
    for (const [id, { isRead }] of this.#progress) if (!isRead && !ids.has(id)) this.#progress.delete(id);
  }

  /** Resolves when its lines are waited for. */
  async #start(container: LoggedContainer, progress: Progress): Promise<void> {
    progress.isRead = true;
    progress.finishedAt = container.finishedAt;
    let begin = () => {};
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const reading = this.#read(container, progress, begin)
      .catch((error) => this.#tell(asDeployError(error)))
      .finally(() => {
        progress.isRead = false;
        this.#reading.delete(reading);
        begin();
      });
    this.#reading.add(reading);
    await begun;
  }

  async #read(container: LoggedContainer, progress: Progress, begin: () => void): Promise<void> {
    const { merge, wish, over } = this.#options;
    const place = await this.#connect();
    // Opened before anything is read, so that others wait for its first lines.
    const sources = { stdout: merge.open(), stderr: merge.open() };
    begin();
    const { host } = this.member;
    const aside = (text: string) => this.#tellDocker(text);
    const taker = (stream: 'stdout' | 'stderr') => {
      const reader = progress[stream];
      reader.restart();
      const add = async (lines: ReturnType<LogReader['read']>) => {
        for (const { time, text } of lines) {
          if (wish.grep !== undefined && !wish.grep.test(text)) continue;
          const { id, service } = container;
          await sources[stream].add({ time, droplet: host.name, service, container: id, stream, text });
        }
      };
      return { take: (chunk: Buffer) => add(reader.read(chunk, aside)), end: () => add(reader.end(aside)) };
    };
    const [out, err] = [taker('stdout'), taker('stderr')];
    try {
      const command = readLogCommand(container.id, positionOf(progress), wish.follow);
      const program = await place.connection.start(command, { stdout: out.take, stderr: err.take });
      const abandon = () => program.abandon();
      over.addEventListener('abort', abandon);
      if (over.aborted) abandon();
      try {
        await program.ended;
        await Promise.all([out.end(), err.end()]);
      } catch (error) {
        // It is read on once the connection is back.
        if (!over.aborted && !(wish.follow && error instanceof ShellError && error.kind === 'lost')) throw error;
      } finally {
        over.removeEventListener('abort', abandon);
      }
    } finally {
      place.logs -= 1;
      sources.stdout.close();
      sources.stderr.close();
    }
  }

  /** A connection with room for one more log. */
  async #connect(): Promise<{ connection: Connection; logs: number }> {
    const free = this.#connections.find(({ logs }) => logs < LOGS_PER_CONNECTION);
    if (free !== undefined) {
      free.logs += 1;
      return free;
    }
    const connection = this.#options.ports.shell.connect(this.member.host);
    const added = { connection: await connection, logs: 1 };
    this.#connections.push(added);
    return added;
  }

  #tellDocker(text: string): void {
    // The container was removed meanwhile.
    if (/no such container/i.test(text)) return;
    const { name } = this.member.host;
    this.#tell(new DeployError('docker-answer', `Docker on ${name}: ${errorLine(text)}`, { droplet: name }));
  }

  #tell(error: DeployError): void {
    if (this.#options.over.aborted || this.#told.has(error.message)) return;
    // Bounded: what a droplet says may be new each time.
    if (this.#told.size >= 20) return;
    this.#told.add(error.message);
    this.#options.user.tell(error);
  }
}

function newProgress(from: LogStart): Progress {
  return { from, stdout: new LogReader(), stderr: new LogReader(), isRead: false, finishedAt: undefined };
}

/** The earlier one of both outputs. */
function positionOf({ from, stdout, stderr }: Progress): LogStart {
  const times = [stdout.position, stderr.position].filter((time) => time !== undefined).sort();
  const [time] = times;
  return time === undefined ? from : { time };
}
