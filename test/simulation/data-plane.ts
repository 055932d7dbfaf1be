/**
 * What really happens between the balancer and a droplet: when each of its nodes acts on a changed membership, their
 * health checks, and the requests they send. Counted by arithmetic, not one by one.
 */
import { look } from './containers.js';
import type { Scenario } from './scenario.js';
import type { Balancer, Droplet, World } from './world.js';

/** Between one node of the balancer and a droplet. */
export interface Plane {
  /** Of the balancer's nodes, from 0. */
  readonly node: number;
  /** The node's part of all requests. */
  readonly share: number;
  /** The node acts on this membership: it checks the droplet. */
  member: boolean;
  /** It has seen it healthy often enough: it sends it requests. */
  up: boolean;
  /** When it has last begun to send it requests. */
  upAt: number;
  /** Checks in a row. */
  good: number;
  bad: number;
  nextCheck: number;
  /** Effects come in the order of their changes. */
  lastEffectAt: number;
  /** When requests came: at `rate` a second from `from` on, evenly or in bursts. */
  periods: { from: number; to: number }[];
  /** When checks came in, the last minute's. */
  recentChecks: number[];
}

/** What each node gets of the requests: where few clients make most of them, one node may get hardly any. */
const SHARES = [[1], [0.99, 0.01], [0.75, 0.24, 0.01]] as const;

export function newPlanes(nodes: number): Plane[] {
  return (SHARES[nodes - 1] ?? []).map((share, node) => newPlane(node, share));
}

function newPlane(node: number, share: number): Plane {
  return {
    node,
    share,
    member: false,
    up: false,
    upAt: 0,
    good: 0,
    bad: 0,
    nextCheck: 0,
    lastEffectAt: 0,
    periods: [],
    recentChecks: [],
  };
}

const MINUTE = 60_000;

/** Lets the balancer's checks of the droplet happen, up to this time. Before any look at it, or change to it. */
export function advance(world: World, droplet: Droplet, until: number): void {
  const { balancer } = world;
  if (balancer === undefined) return;
  const interval = balancer.check.intervalSeconds * 1_000;
  for (const plane of droplet.planes) {
    while (plane.member && plane.nextCheck <= until) {
      const at = plane.nextCheck;
      checkOnce(world, droplet, plane, balancer, at);
      plane.nextCheck = at + interval + jitter(at, interval);
    }
  }
}

/** Some node acts on its membership. */
export function isReached({ planes }: Droplet): boolean {
  return planes.some(({ member }) => member);
}

/** Every node sends it requests. */
export function isServed({ planes }: Droplet): boolean {
  return planes.every(({ up }) => up);
}

/** Checks come a little late, and never early: below what the product allows for. */
function jitter(at: number, interval: number): number {
  return (at * 7_919) % Math.floor(200 + interval * 0.05);
}

function checkOnce(world: World, droplet: Droplet, plane: Plane, { check }: Balancer, at: number): void {
  const door = servingContainer(droplet, at);
  if (door) {
    door.checks += 1;
    plane.recentChecks.push(at);
    if (plane.recentChecks.length > 64) plane.recentChecks.splice(0, 32);
  }
  if (world.answers(droplet, at)) {
    plane.good += 1;
    plane.bad = 0;
    if (!plane.up && plane.good >= check.healthyThreshold) {
      plane.up = true;
      plane.upAt = at;
      plane.periods.push({ from: at, to: Number.POSITIVE_INFINITY });
      if (plane.periods.length > 8) plane.periods.shift();
    }
  } else {
    plane.bad += 1;
    plane.good = 0;
    if (plane.up && plane.bad >= check.unhealthyThreshold) stopSending(plane, at);
  }
}

function stopSending(plane: Plane, at: number): void {
  plane.up = false;
  const last = plane.periods.at(-1);
  if (last && last.to > at) last.to = at;
}

/** The container that holds the balancer's port, while it runs. */
export function servingContainer(droplet: Droplet, at: number) {
  return droplet.containers.find((container) => container.published && look(container, at).state === 'running');
}

/**
 * The API has accepted a change: it shows later, and takes effect later still, or a little earlier than it shows.
 * By whom: `undefined` is somebody outside.
 */
export function changeMembership(world: World, droplet: Droplet, wanted: 'in' | 'out'): void {
  const { balancer, story, chance, time } = world;
  if (balancer === undefined) return;
  const { showMs, effectMs } = story.delays;
  if (wanted === 'in') balancer.accepted.add(droplet.id);
  else balancer.accepted.delete(droplet.id);
  const shownAt = Math.max(balancer.settledAt, time + Math.floor(chance() * showMs));
  balancer.settledAt = shownAt;
  const soonest = chance() < 0.2 ? time : shownAt;
  world.at(shownAt, () => {
    if (wanted === 'in') balancer.shown.add(droplet.id);
    else balancer.shown.delete(droplet.id);
  });
  for (const plane of droplet.planes) {
    plane.lastEffectAt = Math.max(plane.lastEffectAt, soonest + Math.floor(chance() * effectMs));
    world.at(plane.lastEffectAt, () => takeEffect(world, droplet, plane, balancer, wanted));
  }
}

function takeEffect(world: World, droplet: Droplet, plane: Plane, balancer: Balancer, wanted: 'in' | 'out'): void {
  advance(world, droplet, world.time);
  if (droplet.destroyed || plane.member === (wanted === 'in')) return;
  plane.member = wanted === 'in';
  plane.good = 0;
  plane.bad = 0;
  if (plane.member) {
    plane.nextCheck = world.time + Math.floor(world.chance() * balancer.check.intervalSeconds * 1_000);
    world.monitor.becameMember(droplet);
  } else stopSending(plane, world.time);
}

/** Connections that came to the door's container since it was started: the counter of its DNAT rule. */
export function counted(world: World, droplet: Droplet, startedAt: number, checks: number, at: number): number {
  return checks + requests(world, droplet, startedAt, at);
}

/** Requests that arrived in (after, at]. */
function requests(world: World, { planes }: Droplet, after: number, at: number): number {
  let sum = 0;
  for (const plane of planes) {
    const load = loadOf(world, plane);
    if (load.rate > 0) for (const period of plane.periods) sum += arrivals(period, load, after, at);
  }
  return sum;
}

function loadOf({ story }: World, { share }: Plane): Load {
  return { ...story.load, rate: story.load.rate * share };
}

/** Requests that arrived in (after, at] of a period. */
function arrivals(period: { from: number; to: number }, load: Load, after: number, at: number): number {
  const by = (time: number) => arrivedBy(load, Math.max(period.from, Math.min(time, period.to)));
  return by(at) - by(after);
}

type Load = Scenario['load'];

/** In a tenth of the time all of a burst's requests come, and in the rest none. */
const BURST_SHARE = 0.1;

/**
 * How many requests each droplet behind the balancer gets, or would get, up to this time: one every 1/rate seconds, from
 * half of that on. The balancer spreads a burst: all get their part at the same time.
 */
function arrivedBy({ rate, burst = 1 }: Load, ms: number): number {
  if (burst === 1) return Math.floor((ms * rate) / 1_000 + 0.5);
  const cycleMs = (burst * 1_000) / rate;
  const bursts = Math.floor(ms / cycleMs);
  const inLast = Math.floor(((ms - bursts * cycleMs) / (cycleMs * BURST_SHARE)) * burst + 0.5);
  return bursts * burst + Math.min(burst, inLast);
}

/** When a request comes; they are numbered from 0. */
function arrivesAt({ rate, burst = 1 }: Load, index: number): number {
  if (burst === 1) return ((index + 0.5) * 1_000) / rate;
  const cycleMs = (burst * 1_000) / rate;
  return Math.floor(index / burst) * cycleMs + (((index % burst) + 0.5) / burst) * cycleMs * BURST_SHARE;
}

/** Requests under way at the droplet. */
export function openConnections(world: World, droplet: Droplet, at: number): number {
  const { load } = world.story;
  const door = servingContainer(droplet, at);
  if (load.rate === 0 || door === undefined) return 0;
  return requests(world, droplet, Math.max(at - load.requestMs, door.startedAt), at);
}

/** Who can be seen in the socket tables: open connections, and for a minute those that have ended. */
export function recentPeers(
  world: World,
  droplet: Droplet,
  startedAt: number,
  at: number,
): { peer: string; open: boolean }[] {
  const peers: { peer: string; open: boolean }[] = [];
  for (const plane of droplet.planes) {
    const load = loadOf(world, plane);
    const name = (serial: number) => `0${plane.node}000A0A:${(serial % 0xfffffff).toString(16).toUpperCase()}`;
    for (const check of plane.recentChecks) {
      if (check >= startedAt && check <= at && check > at - MINUTE) peers.push({ peer: name(check), open: false });
    }
    if (load.rate === 0) continue;
    for (const period of plane.periods) {
      const first = arrivedBy(load, period.from);
      const last = arrivedBy(load, Math.min(at, period.to));
      // The last ones are enough: a new one is new by not having been among them.
      for (let index = Math.max(first, last - 40); index < last; index += 1) {
        const arrived = arrivesAt(load, index);
        if (arrived < startedAt || arrived <= at - MINUTE) continue;
        peers.push({ peer: name(Math.floor(arrived * 64) + 1), open: arrived > at - load.requestMs });
      }
    }
  }
  return peers;
}
