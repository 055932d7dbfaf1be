/** The connections that arrived at one droplet, from readings of its counters taken one after the other. */
import type { Counted, TrafficReading } from './traffic-command.js';

/** Readings kept, at the usual 4 per second about a minute's. */
const MAX_READINGS = 240;

/** Arrivals kept, of which three in a row tell when a check came. */
const MAX_ARRIVALS = 8;

/** DigitalOcean's largest healthy_threshold. */
const MAX_CHECKS = 10;

/** How long an ended connection shows in the socket tables, in ms: TCP_TIMEWAIT_LEN of Linux. */
const STRANGERS_SHOW_MS = 60_000;

/** When something arrived, as far as readings show: not before `after`, and by `at`. */
export interface Arrival {
  after: number;
  at: number;
}

interface Reading {
  /** The counters were read between these two times. */
  asked: number;
  at: number;
  /** Arrivals since the record began, at most. */
  atMost: number;
  /** Those that are surely neither a stranger's nor a check of do-deploy's own. */
  atLeast: number;
}

export class TrafficRecord {
  #previous: TrafficReading | undefined;
  #readings: Reading[] = [];
  #arrivals: (Arrival & { single: boolean })[] = [];
  readonly #all = new Tally();
  readonly #onCheckPort = new Tally();
  /** When do-deploy made health checks of its own. */
  #ownChecks: { from: number; to: number }[] = [];
  #lastArrivalAt = 0;
  #checks: Arrival[] = [];
  #lastHeardAt: number | undefined;

  /**
   * Adds a reading that was asked for at `asked` and answered at `at`. After one that could not be read, or that shows
   * the counters of a new container, nothing is known of the time before: the record begins again.
   */
  add(reading: TrafficReading, asked: number, at: number): void {
    const previous = this.#previous;
    this.#previous = reading;
    const last = this.#readings.at(-1);
    const after = last?.asked ?? asked;
    const hasOwn = this.#ownChecks.some(({ from, to }) => from <= at && to >= after);
    this.#ownChecks = this.#ownChecks.filter(({ to }) => to >= asked);
    // Strangers of an earlier time no longer show.
    const isMixed = hasOwn || at - after > STRANGERS_SHOW_MS;
    const arrived = this.#all.add(previous?.all, reading.all, isMixed);
    const checks = this.#onCheckPort.add(previous?.checks, reading.checks, isMixed)?.atLeast ?? 0;
    if (arrived === undefined) {
      this.#readings = reading.all === undefined ? [] : [{ asked, at, atMost: 0, atLeast: 0 }];
      this.#arrivals = [];
      this.#lastArrivalAt = at;
      return;
    }
    if (arrived.atMost > 0) {
      this.#lastArrivalAt = at;
      const single = arrived.atMost === 1 && arrived.isClear;
      this.#arrivals = [...this.#arrivals, { after, at, single }].slice(-MAX_ARRIVALS);
    }
    if (checks > 0) this.#lastHeardAt = at;
    for (let count = 0; count < checks && this.#checks.length < MAX_CHECKS; count += 1)
      this.#checks.push({ after, at });
    this.#readings.push({
      asked,
      at,
      atMost: (last?.atMost ?? 0) + arrived.atMost,
      atLeast: (last?.atLeast ?? 0) + arrived.atLeast,
    });
    if (this.#readings.length > MAX_READINGS) this.#readings.shift();
  }

  /** Makes a health check of do-deploy's own: what arrives meanwhile proves nothing of the balancer. */
  async ownCheck<T>(now: () => number, check: () => Promise<T>): Promise<T> {
    const made = { from: now(), to: Number.POSITIVE_INFINITY };
    this.#ownChecks.push(made);
    try {
      return await check();
    } finally {
      made.to = now();
    }
  }

  /** The counters could be read the last time. */
  get isCounting(): boolean {
    return this.#readings.length > 0;
  }

  /** Open connections at the last reading; undefined when they could not be read. */
  get open(): number | undefined {
    return this.#previous?.open;
  }

  /** The earliest time that is known of. */
  get from(): number {
    return this.#readings[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  /** Until when all arrivals are known. */
  get until(): number {
    return this.#readings.at(-1)?.asked ?? 0;
  }

  /** No later arrival is known; nor is anything known of the time before. Own checks count. */
  get lastArrivalAt(): number {
    return this.#lastArrivalAt;
  }

  /** The first arrivals on the health check's port, own checks not counted. */
  get checks(): readonly Arrival[] {
    return this.#checks;
  }

  /** When the last of those was heard. */
  get lastHeardAt(): number | undefined {
    return this.#lastHeardAt;
  }

  /**
   * The last arrival that was certainly a check, and of the only node that checks: of three single arrivals the second
   * comes where a check of each node was due, and the third is alone until the next one was.
   * @param windowMs the longest time between two checks
   */
  lastCheck(windowMs: number): Arrival | undefined {
    const arrivals = this.#arrivals;
    for (let index = arrivals.length - 1; index >= 2; index -= 1) {
      const [first, second, third] = arrivals.slice(index - 2);
      if (!first?.single || !second?.single || !third?.single) continue;
      const aloneUntil = arrivals[index + 1]?.after ?? this.until;
      if (third.after - first.at >= windowMs && aloneUntil >= second.at + windowMs) return third;
    }
    return undefined;
  }

  /** Surely arrived in that time, own checks not counted: perhaps more. */
  atLeast(from: number, to: number): number {
    const first = this.#readings.find(({ asked }) => asked >= from);
    const last = this.#readings.findLast(({ at }) => at <= to);
    return first && last ? Math.max(0, last.atLeast - first.atLeast) : 0;
  }

  /** Arrived in that time at most; undefined when that is not known. */
  atMost(from: number, to: number): number | undefined {
    const first = this.#readings.findLast(({ at }) => at <= from);
    const last = this.#readings.find(({ asked }) => asked >= to);
    return first && last && last.atMost - first.atMost;
  }
}

/**
 * How many connections two readings have between them that may be the balancer's. The counters are read first and the
 * strangers a moment later, so one who connects in that moment is seen in this reading and counted in the next.
 */
class Tally {
  /** Strangers that were seen in the last reading and not counted yet. */
  #uncounted = 0;
  #wasClear = true;
  /** Strangers show in the first reading, and when those were counted is not known. */
  #startsUnclear = false;

  /**
   * @param isMixed others may have connected meanwhile without showing, such as do-deploy for a check of its own
   * @returns undefined when nothing is known of the time between them
   */
  add(
    before: Counted | undefined,
    now: Counted | undefined,
    isMixed: boolean,
  ): { atMost: number; atLeast: number; isClear: boolean } | undefined {
    if (before === undefined || now === undefined || now.count < before.count) {
      this.#startsUnclear = now !== undefined && now.strangers.size > 0;
      this.#uncounted = 0;
      this.#wasClear = true;
      return undefined;
    }
    const passed = now.count - before.count;
    const strangers = [...now.strangers].filter((peer) => !before.strangers.has(peer)).length;
    const notBalancer = isMixed || this.#startsUnclear ? passed : strangers + this.#uncounted;
    const isClear = notBalancer === 0;
    const arrived = {
      atMost: Math.max(0, passed - strangers),
      atLeast: Math.max(0, passed - notBalancer),
      isClear: isClear && this.#wasClear,
    };
    // Only one seen in this reading may not be counted in it.
    const missing = this.#startsUnclear ? strangers : Math.max(0, this.#uncounted + strangers - passed);
    this.#uncounted = Math.min(strangers, missing);
    this.#startsUnclear = false;
    this.#wasClear = isClear;
    return arrived;
  }
}
