/**
 * Watches the balancer at a droplet's own door. DigitalOcean answers 204 before a change takes effect, by an unknown
 * time, and shows the new membership before its data plane follows; so what counts is what arrives at the droplet.
 *
 * The balancer has let go when no new connection has come for longer than one health check interval: then even its own
 * checks have stopped. Under load much less proves as much: where connections came at a rate λ, a silence of 20/λ (and
 * at least a second) has a chance of e⁻²⁰ of being an accident. Where they come in bursts it proves nothing, and so the
 * silence has to be much longer than any that was heard before, too; or others, that stay, are heard to go on getting theirs.
 */
import type { ContainerView } from '../rollout/health.js';
import type { DoorPort, DoorReading } from './remote/door.js';

/** `counters` see every connection; `sockets` those that a sample meets; `none`: nothing can be read, time must do. */
export type Instrument = 'counters' | 'sockets' | 'none';

/** Which published ports the balancer reaches the droplet by. */
export function doorPorts(containers: readonly ContainerView[], balancerPorts: readonly number[]): DoorPort[] {
  const ports: DoorPort[] = [];
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
const SURE = 20;

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
function rateOf(count: number, ms: number): Rate {
  if (ms <= 0) return { lowest: 0, highest: 0 };
  const silence = ms * Math.expm1(SURE / (count + 1));
  return { lowest: (SURE * 1_000) / silence, highest: ((count + 2 * Math.sqrt(count)) * 1_000) / ms };
}

/** Arrivals at the door, from readings taken one after the other. */
export class DoorWatch {
  readonly #startedAt: number;
  #previous: DoorReading;
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
  #instrument: Instrument;

  constructor(first: DoorReading, now: number) {
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
  add(reading: DoorReading, now: number, asked = now): void {
    // Nothing could be read just now: that is not silence.
    if (reading.counted === undefined && reading.established === undefined) return;
    const came = this.#instrument === 'counters' ? this.#counted(reading) : this.#newPeers(reading);
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

  #counted(reading: DoorReading): number {
    const before = this.#previous.counted ?? 0;
    const after = reading.counted ?? before;
    // Docker makes the rule anew with the container: then the counter starts again at zero.
    const arrived = after >= before ? after - before : after;
    // The counters can't tell who came. Somebody who scans the public address must not look like the balancer.
    const strangers = [...reading.strangers].filter((peer) => !this.#previous.strangers.has(peer)).length;
    return Math.max(this.#newPeers(reading), arrived - strangers);
  }

  #newPeers(reading: DoorReading): number {
    let count = 0;
    for (const peer of reading.peers) if (!this.#previous.peers.has(peer)) count += 1;
    return count;
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

/** How much later than DigitalOcean shows a change its data plane may follow, where nothing can be heard of it; in ms. */
export const EFFECT_LAG_MS = 5_000;

/** How late a change may take effect that DigitalOcean was asked for and has not shown, in ms. */
export const UNSHOWN_LAG_MS = 30_000;

/** How late a balancer's check may come beyond its interval, in ms. */
export function lateness(intervalMs: number): number {
  return 500 + intervalMs * 0.1;
}

/** After so long without a check the balancer makes none any more, in ms. */
export function untilChecksStopped(intervalMs: number): number {
  return intervalMs + lateness(intervalMs);
}

/** How long a number of the balancer's checks may take, one after the other: each a little late, and the last one too. */
export function checksWithin(count: number, intervalMs: number): number {
  return count * (intervalMs + Math.max(200, intervalMs * 0.05)) + 500;
}

/** So many times longer than any pause before; and readings show a pause up to this much too short, in ms. */
const BEYOND_PAUSES = 3;
const UNHEARD_MS = 1_000;
/** Bursts up to so long are told from steady traffic, in ms. */
const LISTEN_AT_LEAST_MS = 6_000;

/**
 * The silence that proves that the balancer has let go, in ms.
 * @param nodes of the balancer: each lets go by itself, and brings its part of the connections
 */
export function provingSilence(instrument: Instrument, traffic: Traffic, nodes: number, intervalMs: number): number {
  const checksStopped = untilChecksStopped(intervalMs);
  if (instrument === 'none') return checksStopped;
  // Samples can miss a short connection, two intervals of checks less likely.
  if (instrument === 'sockets') return checksStopped + intervalMs;
  const silence = trafficStopped(traffic, nodes);
  return traffic.listenedMs < listenedEnough(silence, intervalMs) ? checksStopped : Math.min(checksStopped, silence);
}

/** What has not been listened to for so long may have pauses that nobody has heard yet, in ms. */
function listenedEnough(silence: number, intervalMs: number): number {
  return Math.max(LISTEN_AT_LEAST_MS, silence, intervalMs - silence);
}

/** The silence that proves as much where traffic comes, once that has been listened to for long enough. */
function trafficStopped({ rate, longestSilence }: Traffic, nodes: number): number {
  if (rate <= 0) return Number.POSITIVE_INFINITY;
  const beyondChance = ((SURE * 1_000) / rate) * nodes;
  const beyondPauses = longestSilence > 0 ? BEYOND_PAUSES * nodes * longestSilence + UNHEARD_MS : 0;
  return Math.max(1_000, beyondChance, beyondPauses);
}

/** How long a droplet is listened to that others are compared with, in ms. */
const LISTEN_BESIDE_OTHERS_MS = 1_500;

/**
 * For how long to listen on before a droplet leaves, in ms: the longer traffic has been listened to, the shorter the silence
 * that proves that it has stopped, and until then the droplet serves. 0 where that would take longer in all.
 * @param others others are listened to that stay meanwhile: then bursts are told by what comes to those
 */
export function worthListening(
  instrument: Instrument,
  traffic: Traffic,
  nodes: number,
  intervalMs: number,
  others: boolean,
): number {
  if (instrument !== 'counters') return 0;
  const atLeast = others ? LISTEN_BESIDE_OTHERS_MS : LISTEN_AT_LEAST_MS;
  const silence = trafficStopped(goingOn(traffic, Math.max(0, atLeast - traffic.listenedMs)), nodes);
  const enough = others ? atLeast : listenedEnough(silence, intervalMs);
  const missing = enough - traffic.listenedMs;
  return missing > 0 && missing + silence <= untilChecksStopped(intervalMs) ? missing : 0;
}

/** What will be known when it has been listened to for so much longer and has gone on as until now. */
function goingOn(traffic: Traffic, ms: number): Traffic {
  if (traffic.watchedMs <= 0) return traffic;
  const watchedMs = traffic.watchedMs + ms;
  const arrivals = (traffic.arrivals * watchedMs) / traffic.watchedMs;
  return { ...traffic, rate: Math.max(traffic.rate, rateOf(arrivals, watchedMs).lowest) };
}

/**
 * The silence that proves that the balancer has let go where others that stay went on getting their part meanwhile
 * (`othersWentOn`), in ms.
 */
export function silenceBesideOthers(instrument: Instrument, traffic: Traffic, nodes: number): number {
  return instrument === 'counters' ? trafficStopped(traffic, nodes) : Number.POSITIVE_INFINITY;
}

/**
 * Whether in the silence at one droplet so much has come to others that its part of it cannot have failed to come by
 * chance: traffic that pauses, pauses at all of them. It is the reckoning of `rateOf` with the others' arrivals for a clock.
 * @param traffic what came to the one before it left, while the others were listened to as well
 */
export function othersWentOn(watch: DoorWatch, traffic: Traffic, others: readonly DoorWatch[], nodes: number): boolean {
  let heard = 0;
  let before = 0;
  let since = 0;
  for (const other of others) {
    const came = other.instrument === 'counters' ? other.arrivedBy(traffic.until) : undefined;
    if (came === undefined || other.startedAt >= traffic.until) continue;
    heard += 1;
    // One that was listened to for a shorter time got its part of the rest unheard.
    before += came * Math.max(1, (traffic.until - watch.startedAt) / (traffic.until - other.startedAt));
    since += other.arrivedBetween(watch.lastArrivalAt, watch.until);
  }
  const enough = Math.max(SURE * heard, before * Math.expm1(SURE / (traffic.arrivals + 1)));
  return heard > 0 && since >= enough * nodes;
}
