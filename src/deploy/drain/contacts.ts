/** The balancer's contact with each droplet of a run, and how the run listens to it over the droplets' connections. */
import pLimit from 'p-limit';
import type { Clock, HealthResponse } from '../../ports.js';
import type { Target } from '../../targets/target.js';
import { AT_ONCE } from '../core/parallel.js';
import { refreshContainers } from '../droplet/containers.js';
import type { Member } from '../droplet/member.js';
import { BalancerContact } from './balancer-contact.js';
import { checkWindow } from './balancer-timing.js';
import type { Checks } from './let-go.js';
import { parseTraffic, trafficCommand, watchedPorts } from './traffic-command.js';
import type { TrafficRecord } from './traffic-record.js';

/** Droplets are listened to this often, in ms, or `LISTENS_PER_INTERVAL` times in a check's interval. */
const LISTEN_EVERY_MS = 250;

const LISTENS_PER_INTERVAL = 24;

/** Added for each droplet that is listened to, in ms. */
const PER_DROPLET_MS = 25;

/** Share of the time elapsed by which listening slows down. */
const BACKOFF = 0.05;

export class Contacts {
  readonly #contacts = new Map<number, BalancerContact>();
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

  /** Takes a reading of the containers that were inspected last. */
  async listen(member: Member): Promise<TrafficRecord> {
    const { overVpc, healthCheck } = this.#target;
    const { traffic } = this.of(member);
    const ports = watchedPorts(member.containers, this.#target.ports);
    const asked = this.#clock.now();
    const { stdout } = await member.connection.run(trafficCommand(ports, overVpc));
    traffic.add(parseTraffic(stdout, ports, healthCheck?.port ?? 0), asked, this.#clock.now());
    return traffic;
  }

  /** Listens from time to time until there is nobody to listen to. A droplet that cannot be read fails nothing yet. */
  async listenTo(members: () => readonly Member[], until: AbortSignal): Promise<void> {
    if (this.#target.healthCheck === undefined) return;
    const limit = pLimit(AT_ONCE);
    const often = Math.max(LISTEN_EVERY_MS, (this.#target.healthCheck.intervalSeconds * 1_000) / LISTENS_PER_INTERVAL);
    const began = this.#clock.now();
    for (let now = members(); now.length > 0 && !until.aborted; now = members()) {
      await Promise.allSettled(now.map((member) => limit(() => this.#listenFirst(member))));
      const elapsed = this.#clock.now() - began;
      await this.#clock.sleep(Math.max(often, now.length * PER_DROPLET_MS, elapsed * BACKOFF), until);
    }
  }

  /** Listens to `members` as long as `work` takes. */
  async listenDuring<T>(members: readonly Member[], work: () => Promise<T>): Promise<T> {
    const done = new AbortController();
    const listening = this.listenTo(() => members, done.signal);
    return await work().finally(async () => {
      done.abort();
      await listening;
    });
  }

  /** Also before the survey has found its containers. */
  async #listenFirst(member: Member): Promise<void> {
    if (member.containers.length === 0) await refreshContainers(member, this.#app);
    await this.listen(member);
  }

  /** Makes a health check of do-deploy's own, which must not pass for the balancer's. */
  async ownCheck(
    member: Member,
    check: () => Promise<HealthResponse | undefined>,
  ): Promise<HealthResponse | undefined> {
    const contact = this.of(member);
    const response = await contact.traffic.ownCheck(() => this.#clock.now(), check);
    if (response?.passed) contact.answerMs = Math.max(contact.answerMs, response.ms);
    return response;
  }
}
