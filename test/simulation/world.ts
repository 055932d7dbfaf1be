/**
 * The simulated world: droplets, a balancer, and what is on every disk. Plain data and an agenda of what is still to
 * come. Nothing happens between two looks at it, so the agenda is worked off when somebody looks.
 */

import { EFFECT_LAG_MS } from '../../src/deploy/drain/balancer-timing.js';
import type { StoredRelease } from '../../src/deploy/release/stored-release.js';
import type { HealthCheck } from '../../src/ports.js';
import { VirtualClock } from '../support/virtual-clock.js';
import { type Container, isFine, look } from './containers.js';
import { newPlanes, type Plane } from './data-plane.js';
import type { Deployer } from './deployer.js';
import type { LeaseProcess } from './lock.js';
import { Monitor } from './monitor.js';
import type { OneOff } from './one-off.js';
import { APP, CHECKSUMS, digestOf, earlierRelease, imageIdOf, servicesOf } from './project.js';
import { type Random, random } from './random.js';
import { BEFORE, type Scenario } from './scenario.js';

export interface Disk {
  /** ~/do-deploy/shop is there. */
  made: boolean;
  /** Whole releases, by id, with the text of release.json. */
  releases: Map<string, { record: StoredRelease; text: string; checksums: string }>;
  /** Releases under way, by id. */
  partial: Set<string>;
  incoming: Set<string>;
  /** What the link `current` points to. */
  current?: string;
  /** The texts of state.json and out.json. */
  state?: string;
  /** When state.json was written, by the droplet's clock. */
  stateWrittenAt: number;
  out?: string;
  /** Services that layers have stopped. */
  handled: Set<string>;
  history: string[];
  /** What was done last, by name: a line each. */
  done: Map<string, string>;
  /** Images that have been pulled, by id. */
  images: Set<string>;
  /** Nothing more can be written before this time. */
  fullUntil: number;
}

export interface Droplet {
  readonly id: number;
  readonly name: string;
  status: 'active' | 'off';
  destroyed: boolean;
  tags: Set<string>;
  /** Its clock minus the world's, in ms. */
  readonly skewMs: number;
  disk: Disk;
  containers: Container[];
  /** One for each node of the balancer. */
  planes: Plane[];
  /** Connections to its public address, as `arrivedBy` sums them up. */
  strangers: number[];
  /** `holder` is the text of the lock's file; `holders` are the deployers that have held it, in order. */
  lock: { process?: LeaseProcess; holder?: string; holders: string[] };
  sshRefusedUntil: number;
  dockerDownUntil: number;
  /** Services whose containers were removed on purpose. */
  without: ReadonlySet<string>;
  /** Containers that run once, in the order in which they were started. */
  oneOffs: OneOff[];
  /** Somebody outside the story changed it: what then becomes of it is not do-deploy's doing. */
  disturbed: boolean;
  /** Somebody else has put it behind the balancer. */
  joined?: boolean;
  /** What the monitor remembers of it; in the world's own sequence. */
  seen: Observed;
}

export interface Observed {
  /** The last change of its containers. */
  changed: number;
  changedBy?: string;
  /** The last time it left the balancer. */
  left: number;
  /** A request that nobody could recall has taken it from the ledger, after somebody else had written it there. */
  untaggedLate?: boolean;
  leftAt: number;
  putBackBy?: string;
  /** Something listened at the balancer's port then. */
  listened: boolean;
  /** The last time its containers were looked at and all was well; and its balancer's check passed. */
  healthy: number;
  probed: number;
  /** The last time the app answered do-deploy's request. */
  asked: number;
}

export interface Balancer {
  readonly id: string;
  readonly name: string;
  readonly tag?: string;
  readonly check: HealthCheck & { answerMs: number };
  /** Membership as accepted by the API (by ids; by tag the droplets' tags say so), and as GET shows it. */
  accepted: Set<number>;
  shown: Set<number>;
  /** Until the last change shows: further ones are refused as busy until then. */
  settledAt: number;
}

interface Coming {
  at: number;
  order: number;
  happens(): void;
}

export const START = Date.UTC(2026, 10, 21, 7, 45);
const DAY = 86_400_000;

/** The tag of droplets without a balancer. */
export const BY_HAND = 'do-deploy:by-hand:';

export const WORKERS = 'workers';

export class World {
  readonly clock = new VirtualClock({ start: START, promisesOnly: true });
  readonly monitor: Monitor;
  readonly droplets = new Map<number, Droplet>();
  readonly balancer: Balancer | undefined;
  /** Ids of the droplets that the project lists. */
  readonly listed = new Set<number>();
  /** Tags that exist in the account. */
  readonly tags = new Set<string>();
  readonly chance: Random;
  /** What is said and done, when somebody wants to read it. */
  trace: string[] | undefined;
  /** In the order in which they start. */
  readonly deployers: Deployer[] = [];
  /** The hash of the release that the last run has left held as a canary. */
  held: string | undefined;
  /** The tag of a release that droplets have got from a deploy that did not finish the bake. */
  bakeOwed: string | undefined;
  /** The release whose post_deploy was finished after the last change of a droplet. */
  postDeployed: string | undefined;
  #coming: Coming[] = [];
  #order = 0;
  #time = START;
  #sequence = 0;
  #containers = 0;

  constructor(readonly story: Scenario) {
    this.chance = random(story.seed);
    this.monitor = new Monitor(this);
    if (story.target === 'ids' || story.target === 'tag' || story.target === 'roles')
      this.balancer = this.#makeBalancer();
    for (let index = 0; index < story.fleet; index += 1) this.addDroplet(story.start, true);
  }

  #makeBalancer(): Balancer {
    const { check, target } = this.story;
    const tag = target === 'tag' ? 'web' : undefined;
    if (tag !== undefined) this.tags.add(tag);
    return {
      id: '4de7ac8b-495b-4884-9a69-1050c6793cd6',
      name: 'web',
      tag,
      check: { protocol: 'http', path: '/', timeoutSeconds: 5, ...check },
      accepted: new Set(),
      shown: new Set(),
      settledAt: 0,
    };
  }

  /** @param member it is behind the balancer already, and has been for long */
  addDroplet(start: Scenario['start'], member: boolean): Droplet {
    const id = 1_000 + this.droplets.size + 1;
    const droplet: Droplet = {
      id,
      name: `web-${this.droplets.size + 1}`,
      status: 'active',
      destroyed: false,
      tags: new Set(),
      skewMs: Math.floor((this.chance() - 0.5) * 7_200_000),
      disk: {
        made: start === 'managed',
        releases: new Map(),
        partial: new Set(),
        stateWrittenAt: 0,
        incoming: new Set(),
        handled: new Set(),
        history: [],
        done: new Map(),
        images: new Set(),
        fullUntil: 0,
      },
      containers: [],
      planes: newPlanes(this.story.nodes),
      strangers: [],
      lock: { holders: [] },
      sshRefusedUntil: 0,
      dockerDownUntil: 0,
      without: new Set(),
      oneOffs: [],
      disturbed: false,
      seen: { changed: 0, left: 0, leftAt: 0, listened: false, healthy: 0, probed: 0, asked: 0 },
    };
    this.droplets.set(id, droplet);
    this.#install(droplet, start);
    if (member && this.balancer && this.isBalanced(droplet)) this.#enrol(droplet, this.balancer);
    if (member && (this.story.target === 'tagged' || this.roleOf(droplet) === 'worker')) droplet.tags.add(WORKERS);
    if (member && this.story.target === 'listed') this.listed.add(id);
    return droplet;
  }

  /** What an earlier deploy, or somebody else, has left on it. */
  #install(droplet: Droplet, start: Scenario['start']): void {
    if (start === 'empty') return;
    const { app } = this.story;
    for (const service of servicesOf(app, BEFORE[1])) {
      for (let replica = 0; replica < service.replicas; replica += 1) {
        droplet.containers.push(this.newContainer(service, droplet, START - DAY));
      }
    }
    if (start === 'legacy') return;
    const [older, current] = BEFORE.map((tag, index) => earlierRelease(app, tag, START - (2 - index) * DAY));
    for (const record of [older, current]) {
      if (record === undefined) continue;
      droplet.disk.releases.set(record.id, { record, text: JSON.stringify(record), checksums: CHECKSUMS });
      for (const image of Object.values(record.images)) droplet.disk.images.add(image.imageId);
    }
    if (older === undefined || current === undefined) return;
    droplet.disk.current = current.id;
    const since = new Date(START - DAY).toISOString();
    droplet.disk.stateWrittenAt = START - DAY + droplet.skewMs;
    droplet.disk.state = JSON.stringify({
      release: current.id,
      phase: 'verified',
      previous: older.id,
      run: 'before',
      since,
    });
  }

  #enrol(droplet: Droplet, balancer: Balancer): void {
    if (balancer.tag !== undefined) droplet.tags.add(balancer.tag);
    balancer.accepted.add(droplet.id);
    balancer.shown.add(droplet.id);
    const answers = this.answers(droplet, START);
    for (const plane of droplet.planes) {
      plane.member = true;
      plane.up = answers;
      plane.good = answers ? 100 : 0;
      plane.nextCheck = START + Math.floor(this.chance() * balancer.check.intervalSeconds * 1_000);
      // Requests have been coming for long; only the last minute of them can matter.
      if (answers) plane.periods.push({ from: START - 60_000 - this.chance() * 1_000, to: Number.POSITIVE_INFINITY });
    }
  }

  newContainer(
    service: { name: string; image: string; checked: boolean; published: boolean; oneShot: boolean; main: boolean },
    droplet: Droplet,
    startedAt: number,
  ): Container {
    this.#containers += 1;
    const serial = this.#containers.toString(16).padStart(8, '0');
    return {
      id: serial.repeat(8),
      service: service.name,
      imageId: imageIdOf(service.image),
      reference: digestOf(service.image),
      behaviour: service.oneShot ? { kind: 'one-shot', afterMs: 1_500, code: 0 } : this.#behaviourOf(service, droplet),
      checked: service.checked,
      published: service.published,
      pid: 1_000 + this.#containers,
      startedAt,
      restart: service.checked || service.published ? 'unless-stopped' : 'no',
      illFrom: Number.POSITIVE_INFINITY,
      illUntil: Number.POSITIVE_INFINITY,
      checks: 0,
      ownChecks: 0,
    };
  }

  #behaviourOf(service: { image: string; main: boolean }, droplet: Droplet): Container['behaviour'] {
    const { image, onlyOn } = this.story;
    const here = onlyOn === undefined || droplet.id === 1_001 + onlyOn;
    if (service.main && service.image.endsWith(':v2') && here) return image;
    return { kind: 'good', answersMs: 300, readyMs: 1_200 };
  }

  // --- time ---

  /** The time of what happens now: while the agenda is worked off, the time of its entry. */
  get time(): number {
    return this.#time;
  }

  /** A number that grows with every event: what came after what, also within a millisecond. */
  next(): number {
    this.#sequence += 1;
    return this.#sequence;
  }

  at(time: number, happens: () => void): void {
    this.#order += 1;
    const entry = { at: Math.max(time, this.#time), order: this.#order, happens };
    let index = this.#coming.length;
    while (index > 0 && (this.#coming[index - 1]?.at ?? 0) > entry.at) index -= 1;
    this.#coming.splice(index, 0, entry);
  }

  /** Lets everything happen that is due. To be called before anybody looks or does something. */
  catchUp(): void {
    const now = this.clock.now();
    for (let next = this.#coming[0]; next !== undefined && next.at <= now; next = this.#coming[0]) {
      this.#coming.shift();
      this.#time = next.at;
      next.happens();
    }
    this.#time = now;
  }

  // --- the truth ---

  /** The balancer may follow a change later than the product allows for. */
  get isLate(): boolean {
    return this.story.delays.effectMs > EFFECT_LAG_MS;
  }

  /** Whether droplets do the same work: there is a floor, and a ledger. */
  get isFleet(): boolean {
    return this.story.target !== 'droplet';
  }

  roleOf({ id }: Droplet): 'web' | 'worker' | undefined {
    if (this.story.target !== 'roles') return undefined;
    return id - 1_000 <= Math.ceil(this.story.fleet / 2) ? 'web' : 'worker';
  }

  /** Whether a balancer sends it requests, while it is in rotation. */
  isBalanced(droplet: Droplet): boolean {
    return this.balancer !== undefined && this.roleOf(droplet) !== 'worker';
  }

  /** Whether DigitalOcean, or the project's list, says that it belongs to the fleet. */
  isMember(droplet: Droplet): boolean {
    const { balancer, story } = this;
    if (droplet.destroyed) return false;
    if (story.target === 'tagged' || this.roleOf(droplet) === 'worker') return droplet.tags.has(WORKERS);
    if (story.target === 'listed') return this.listed.has(droplet.id);
    if (balancer === undefined) return false;
    return balancer.tag === undefined ? balancer.accepted.has(droplet.id) : droplet.tags.has(balancer.tag);
  }

  /** Whether the balancer's check would pass: the container at the door runs, and the app behind it answers. */
  answers(droplet: Droplet, at: number): boolean {
    if (droplet.destroyed || droplet.status !== 'active') return false;
    const door = droplet.containers.find((container) => container.published);
    if (door === undefined || !look(door, at).answers) return false;
    const apps = droplet.containers.filter((container) => container.service === 'app');
    return apps.length === 0 || apps.some((app) => look(app, at).answers);
  }

  /** Whether it does its work: without a balancer by its containers alone. */
  works(droplet: Droplet, at: number): boolean {
    if (this.isBalanced(droplet)) return this.answers(droplet, at);
    const { state } = droplet.disk;
    const isHalfDone = state !== undefined && JSON.parse(state).phase !== 'verified';
    if (this.story.http && !this.answers(droplet, at)) return false;
    return droplet.status === 'active' && !droplet.destroyed && !isHalfDone && this.isFine(droplet, at);
  }

  /** Whether all its containers are as they should be. */
  isFine(droplet: Droplet, at: number): boolean {
    const { containers, without } = droplet;
    const services = servicesOf(this.story.app, '').filter(({ name }) => !without.has(name));
    const wanted = services.reduce((sum, service) => sum + service.replicas, 0);
    return containers.length >= wanted && containers.every((container) => isFine(container, at));
  }

  note(text: string): void {
    this.trace?.push(`${((this.#time - START) / 1_000).toFixed(3).padStart(9)} ${text}`);
  }

  /** Somebody has taken it out by hand. */
  isByHand(droplet: Droplet): boolean {
    return !droplet.destroyed && !this.isMember(droplet) && this.isMarkedByHand(droplet);
  }

  isMarkedByHand({ tags }: Droplet): boolean {
    return [...tags].some((tag) => tag.startsWith(BY_HAND));
  }

  /** By which it is marked out. */
  ledgerTag(droplet: Droplet): string {
    const role = this.roleOf(droplet);
    return `do-deploy:out:${APP}:production${role === undefined ? '' : `:${role}`}`;
  }
}
