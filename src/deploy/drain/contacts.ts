/** The balancer's contact with each droplet of a run, and how the run listens to it over the droplets' connections. */
import pLimit from 'p-limit';
import type { Clock, HealthResponse, RemoteCommand } from '../../ports.js';
import type { ContainerView } from '../../rollout/health.js';
import type { Target } from '../../targets/target.js';
import { AT_ONCE } from '../core/parallel.js';
import { refreshContainers } from '../droplet/containers.js';
import type { Member } from '../droplet/member.js';
import { BalancerContact } from './balancer-contact.js';
import { checkWindow } from './balancer-timing.js';
import type { Checks } from './let-go.js';
import { parseTraffic, trafficCommand, type WatchedPort, watchedPorts } from './traffic-command.js';

/**
 * Droplets that leave next are listened to every 400 ms, or four times in a check's interval where that is less often:
 * single checks can be told apart.
 */
const LISTEN_EVERY_MS = 400;

const LISTENS_PER_INTERVAL = 4;

/** Droplets to compare with: of those only the sum counts. */
const COMPARE_EVERY_MS = 3_000;

/** Added for each droplet that is listened to, in ms. */
const PER_DROPLET_MS = 25;

export class Contacts {
  readonly #contacts = new Map<number, BalancerContact>();
  readonly #underWay = new Map<number, Promise<void>>();
  /** How to read each list of containers: several times a second, until they are inspected again. */
  readonly #readings = new WeakMap<readonly ContainerView[], { ports: WatchedPort[]; command: RemoteCommand }>();
  readonly #target: Target;
  readonly #clock: Clock;
  readonly #app: string;

  constructor(target: Target, clock: Clock, app: string) {
    this.#target = target;
    this.#clock = clock;
    this.#app = app;
  }

  of({ droplet }: Pick<Member, 'droplet'>): BalancerContact {
    const known = this.#contacts.get(droplet.id);
    if (known !== undefined) return known;
    const contact = new BalancerContact();
    this.#contacts.set(droplet.id, contact);
    return contact;
  }

  /** How the balancer checks the droplet; undefined without a balancer. */
  checksOf(member: Pick<Member, 'droplet'>): Checks | undefined {
    const { healthCheck, nodes } = this.#target;
    if (healthCheck === undefined) return undefined;
    const intervalMs = healthCheck.intervalSeconds * 1_000;
    return { intervalMs, windowMs: checkWindow(intervalMs, this.of(member).answerMs), nodes: Math.max(1, nodes) };
  }

  /** By when the balancer must send traffic to a droplet that passes its checks from now on. */
  servesBy(member: Pick<Member, 'droplet'>): number {
    const checks = (this.#target.healthCheck?.healthyThreshold ?? 0) + 1;
    return this.#clock.now() + checks * (this.checksOf(member)?.windowMs ?? 0);
  }

  /** Takes a reading of the containers that were inspected last, or waits for the one that is under way. */
  listen(member: Member): Promise<void> {
    const { id } = member.droplet;
    const underWay = this.#underWay.get(id);
    if (underWay !== undefined) return underWay;
    // Two readings at a time could be answered in the wrong order.
    const reading = this.#read(member).finally(() => this.#underWay.delete(id));
    this.#underWay.set(id, reading);
    return reading;
  }

  async #read(member: Member): Promise<void> {
    const { traffic } = this.of(member);
    const { ports, command } = this.#readingOf(member);
    const asked = this.#clock.now();
    const { stdout } = await member.connection.run(command);
    traffic.add(parseTraffic(stdout, ports, this.#target.healthCheck?.port ?? 0), asked, this.#clock.now());
  }

  #readingOf({ containers }: Member): { ports: WatchedPort[]; command: RemoteCommand } {
    const known = this.#readings.get(containers);
    if (known !== undefined) return known;
    const ports = watchedPorts(containers, this.#target.ports);
    const reading = { ports, command: trafficCommand(ports, this.#target.overVpc) };
    this.#readings.set(containers, reading);
    return reading;
  }

  /** Listens to droplets as long as `work` takes. */
  async listenDuring<T>(
    next: () => readonly Member[],
    others: () => readonly Member[],
    work: () => Promise<T>,
  ): Promise<T> {
    const listening = this.startListening(next, others);
    return await work().finally(() => listening.stop());
  }

  /**
   * Listens from time to time to the droplets that leave next, and to others to compare them with, until it is stopped.
   * That one cannot be read fails nothing yet.
   */
  startListening(next: () => readonly Member[], others: () => readonly Member[]): { stop(): Promise<void> } {
    const stopped = new AbortController();
    const intervalMs = (this.#target.healthCheck?.intervalSeconds ?? 0) * 1_000;
    const often = Math.max(LISTEN_EVERY_MS, intervalMs / LISTENS_PER_INTERVAL);
    const listening = [
      this.#listenAgain(next, often, stopped.signal),
      this.#listenAgain(others, COMPARE_EVERY_MS, stopped.signal),
    ];
    const stop = async () => {
      stopped.abort();
      await Promise.all(listening);
    };
    return { stop };
  }

  async #listenAgain(members: () => readonly Member[], everyMs: number, until: AbortSignal): Promise<void> {
    if (this.#target.healthCheck === undefined) return;
    const limit = pLimit(AT_ONCE);
    while (!until.aborted) {
      const now = members();
      await Promise.allSettled(now.map((member) => limit(() => this.#listenFirst(member))));
      await this.#clock.sleep(Math.max(everyMs, now.length * PER_DROPLET_MS), until);
    }
  }

  /** Also before the survey has found its containers. */
  async #listenFirst(member: Member): Promise<void> {
    if (member.containers.length === 0) await refreshContainers(member, this.#app);
    await this.listen(member);
  }

  /** Makes a request of do-deploy's own, which must not pass for traffic. */
  async ownRequest<T>(member: Member, request: () => Promise<T>): Promise<T> {
    return await this.of(member).traffic.ownCheck(() => this.#clock.now(), request);
  }

  /** Makes a health check of do-deploy's own, which must not pass for the balancer's. */
  async ownCheck(
    member: Member,
    check: () => Promise<HealthResponse | undefined>,
  ): Promise<HealthResponse | undefined> {
    const contact = this.of(member);
    const response = await this.ownRequest(member, check);
    // A failed check counts, too: the balancer checks a sick droplet at the same interval.
    contact.answerMs = Math.max(contact.answerMs, response?.ms ?? 0);
    return response;
  }
}
