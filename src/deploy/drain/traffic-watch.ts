/**
 * Watches the balancer at a droplet's own door. DigitalOcean answers 204 before a change takes effect, by an unknown
 * time, and shows the new membership before its data plane follows; so what counts is what arrives at the droplet.
 * What a silence there proves is in letting-go.ts.
 */
import type { ContainerView } from '../../rollout/health.js';
import type { TrafficReading, WatchedPort } from './traffic-command.js';
/** `counters` see every connection; `sockets` those that a sample meets; `none`: nothing can be read, time must do. */
export type Instrument = 'counters' | 'sockets' | 'none';

/** Which published ports the balancer reaches the droplet by. */
export function watchedPorts(containers: readonly ContainerView[], balancerPorts: readonly number[]): WatchedPort[] {
  const ports: WatchedPort[] = [];
  for (const container of containers) {
    if (container.state !== 'running' || container.pid <= 0) continue;
    if (container.hostNetwork) {
      ports.push(...balancerPorts.map((port) => ({ host: port, container: port, pid: container.pid })));
    }
    for (const { host, container: inside } of container.ports) {
      if (balancerPorts.includes(host)) ports.push({ host, container: inside, pid: container.pid });
    }
  }
  return ports;
}

/** More than any number of checks that a balancer may want. */
const MOST_HEARD = 100;

/** Of the latest readings so many are remembered. */
const MOST_READINGS = 40;

/** Readings that are further apart tell a rate, but not of pauses, in ms. */
const CLOSELY_MS = 1_500;

/** What came to a droplet while it was in rotation. */
export interface Traffic {
  /** Connections a second that surely came; 0 when unknown. */
  rate: number;
  /** The longest silence that was heard, in ms. */
  longestSilence: number;
  /** How long the door was read often enough to hear silences, in ms. */
  listenedMs: number;
  /** How many came, in how many ms, and until when that was. */
  arrivals: number;
  watchedMs: number;
  until: number;
}

export const NO_TRAFFIC: Traffic = {
  rate: 0,
  longestSilence: 0,
  listenedMs: 0,
  arrivals: 0,
  watchedMs: 0,
  until: 0,
};

/** A silence is no accident when its chance is e to the power of minus this: 2 in a thousand million. */
export const SURE = 20;

/** Connections a second: the lowest and the highest rate that a count speaks for. */
export interface Rate {
  /** Next to 0 for a few connections, which may be anybody's luck. */
  lowest: number;
  /** 0 where nothing has come. */
  highest: number;
}

/**
 * Of a count n in a time T any rate is known only so well: what follows is silent for the time s by chance with the
 * probability (T / (T + s))^(n + 1). The lowest rate is the one of which that silence would prove as much as it does of a
 * rate that is known. The highest is two standard deviations above the count.
 */
export function rateOf(count: number, ms: number): Rate {
  if (ms <= 0) return { lowest: 0, highest: 0 };
  const silence = ms * Math.expm1(SURE / (count + 1));
  return { lowest: (SURE * 1_000) / silence, highest: ((count + 2 * Math.sqrt(count)) * 1_000) / ms };
}

/** Arrivals at the door, from readings taken one after the other. */
export class TrafficWatch {
  readonly #startedAt: number;
  #previous: TrafficReading;
  #lastArrivalAt: number;
  /** When it was heard, and how many had come by then; the reading before was asked for at `after`. */
  readonly #heard: { at: number; after: number; total: number }[] = [];
  /** When the latest readings were asked for and came, and how much had arrived by then. */
  readonly #readings: { asked: number; at: number; total: number }[];
  #arrivals = 0;
  #at: number;
  #longestSilence = 0;
  #listenedMs = 0;
  #own = 0;
  /** Connections that were seen in the socket tables before a counter has shown them. */
  #ahead = 0;
  #instrument: Instrument;

  constructor(first: TrafficReading, now: number) {
    this.#startedAt = now;
    this.#at = now;
    this.#lastArrivalAt = now;
    this.#previous = first;
    this.#readings = [{ asked: now, at: now, total: 0 }];
    this.#instrument = first.counted !== undefined ? 'counters' : first.established !== undefined ? 'sockets' : 'none';
  }

  /**
   * @param asked when the reading was asked for: what it shows was so between then and `now`. On a slow connection the
   *   time of the answer must not pass for silence that nobody has listened to.
   */
  add(reading: TrafficReading, now: number, asked = now): void {
    // Nothing could be read just now: that is not silence.
    if (reading.counted === undefined && reading.established === undefined) return;
    const came = this.#instrument === 'counters' ? this.#counted(reading) : fresh(reading.peers, this.#previous.peers);
    const arrived = Math.max(0, came - this.#own);
    this.#own = 0;
    if (arrived > 0) {
      this.#arrivals += arrived;
      if (this.#heard.length < MOST_HEARD) this.#heard.push({ at: now, after: this.#at, total: this.#arrivals });
      this.#lastArrivalAt = now;
    }
    if (this.#instrument === 'counters' && reading.counted === undefined) {
      // The rules are gone with the container; what sockets show is less, but true.
      this.#instrument = 'sockets';
    }
    this.#previous = reading;
    const last = this.#readings.at(-1)?.at ?? this.#startedAt;
    if (asked - last <= CLOSELY_MS) this.#listenedMs += asked - last;
    this.#at = asked;
    this.#longestSilence = Math.max(this.#longestSilence, this.silentMs);
    this.#readings.push({ asked, at: now, total: this.#arrivals });
    if (this.#readings.length > MOST_READINGS) this.#readings.shift();
  }

  /**
   * The counters are read first: what comes before the socket tables are read shows there, and in the counters only the
   * next time. It must not count twice: a check of the balancer would pass for two.
   */
  #counted(reading: TrafficReading): number {
    const before = this.#previous.counted ?? 0;
    const after = reading.counted ?? before;
    // Docker makes the rule anew with the container: then the counter starts again at zero.
    const passed = after >= before ? Math.max(0, after - before - this.#ahead) : after;
    const peers = fresh(reading.peers, this.#previous.peers);
    // The counters can't tell who came. Somebody who scans the public address must not look like the balancer.
    const strangers = fresh(reading.strangers, this.#previous.strangers);
    this.#ahead = Math.max(0, peers + strangers - passed);
    return Math.max(peers, passed - strangers);
  }

  /** do-deploy itself has connected to the private address: at the door that looks like the balancer. */
  ownRequest(): void {
    this.#own += 1;
  }

  get instrument(): Instrument {
    return this.#instrument;
  }

  get startedAt(): number {
    return this.#startedAt;
  }

  get arrivals(): number {
    return this.#arrivals;
  }

  /**
   * When an arrival was heard: the first, the second, …; undefined when so many have not come, or too many to remember.
   * `after`: not before this time, by the reading before.
   */
  arrival(number: number): { at: number; after: number } | undefined {
    return this.#heard.find(({ total }) => total >= number);
  }

  /**
   * How many came in the time up to the last reading, in connections a second: the latest time that is long enough.
   * Undefined when no reading is so old, or only older ones than `atMostMs`.
   */
  lately(atLeastMs: number, atMostMs: number): Rate | undefined {
    const start = this.#readings.findLast(({ at }) => this.#at - at >= atLeastMs);
    if (start === undefined || this.#at - start.at > atMostMs) return undefined;
    return rateOf(this.#arrivals - start.total, this.#at - start.at);
  }

  /** The same since the watch began. */
  get rate(): Rate {
    return rateOf(this.#arrivals, this.watchedMs);
  }

  /** Of those between two arrivals, and of the one that goes on; as far as readings show, so rather too short. In ms. */
  get longestSilence(): number {
    return this.#longestSilence;
  }

  /** For how long readings came in quick succession, in ms. */
  get listenedMs(): number {
    return this.#listenedMs;
  }

  get watchedMs(): number {
    return this.#at - this.#startedAt;
  }

  /** Until when what has come is known. */
  get until(): number {
    return this.#at;
  }

  get lastArrivalAt(): number {
    return this.#lastArrivalAt;
  }

  /** How many had come at that time, or a little later; undefined where no reading was asked for since. */
  arrivedBy(time: number): number | undefined {
    return this.#readings.find(({ asked }) => asked >= time)?.total;
  }

  /** How many surely came in that time; perhaps more. */
  arrivedBetween(from: number, to: number): number {
    const first = this.#readings.find(({ asked }) => asked >= from);
    const last = this.#readings.findLast(({ at }) => at <= to);
    return first && last ? Math.max(0, last.total - first.total) : 0;
  }

  /** How long nothing has arrived. */
  get silentMs(): number {
    return Math.max(0, this.#at - this.#lastArrivalAt);
  }

  /** Connections open at the last reading; undefined when that cannot be read. */
  get established(): number | undefined {
    return this.#previous.established;
  }
}

/** How many are there that were not there before. */
function fresh(now: ReadonlySet<string>, before: ReadonlySet<string>): number {
  let count = 0;
  for (const peer of now) if (!before.has(peer)) count += 1;
  return count;
}
