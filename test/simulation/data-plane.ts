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
  /** A check that has come in and is not answered yet: when it came, and when it will be. */
  answering?: { at: number; due: number } | undefined;
  /** When requests came: at `rate` a second from `from` on, evenly, in bursts or by chance. */
  periods: { from: number; to: number }[];
  /** What comes by chance, as `arrivedBy` sums it up. */
  sums: number[];
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
    sums: [],
  };
}

/** For so long an ended connection shows in the socket tables. */
const MINUTE = 60_000;

/** Lets the balancer's checks of the droplet happen, up to this time. Before any look at it, or change to it. */
export function advance(world: World, droplet: Droplet, until: number): void {
  const { balancer } = world;
  if (balancer === undefined) return;
  const interval = balancer.check.intervalSeconds * 1_000;
  for (const plane of droplet.planes) {
    while (plane.member) {
      const { answering } = plane;
      if ((answering?.due ?? plane.nextCheck) > until) break;
      if (answering === undefined) {
        const at = plane.nextCheck;
        arrive(droplet, at);
        plane.answering = { at, due: at + answerMs(world, at) };
      } else {
        plane.answering = undefined;
        judgeCheck(world, droplet, plane, balancer, answering);
        plane.nextCheck = answering.due + interval + jitter(answering.due, interval);
      }
    }
  }
}

/** How long a check that comes at this time takes to be answered: from half of what the story says to all of it. */
export function answerMs({ story }: World, at: number): number {
  return Math.ceil((story.check.answerMs * (50 + ((at * 31) % 51))) / 100);
}

/** Some node acts on its membership. */
export function isReached({ planes }: Droplet): boolean {
  return planes.some(({ member }) => member);
}

/** Every node sends it requests. */
export function isServed({ planes }: Droplet): boolean {
  return planes.every(({ up }) => up);
}

/** Checks come late, and never early: by up to nine tenths of what the product allows for. */
function jitter(at: number, interval: number): number {
  return (at * 7_919) % Math.floor(450 + interval * 0.09);
}

function arrive(droplet: Droplet, at: number): void {
  const container = servingContainer(droplet, at);
  if (container) container.checks += 1;
}

function judgeCheck(
  world: World,
  droplet: Droplet,
  plane: Plane,
  { check }: Balancer,
  { at, due }: { at: number; due: number },
): void {
  if (world.answers(droplet, at) && world.answers(droplet, due)) {
    plane.good += 1;
    plane.bad = 0;
    if (!plane.up && plane.good >= check.healthyThreshold) {
      plane.up = true;
      plane.upAt = due;
      plane.periods.push({ from: due, to: Number.POSITIVE_INFINITY });
      if (plane.periods.length > 8) plane.periods.shift();
    }
  } else {
    plane.bad += 1;
    plane.good = 0;
    if (plane.up && plane.bad >= check.unhealthyThreshold) stopSending(plane, due);
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
    if (wanted === 'in' && !droplet.destroyed) balancer.shown.add(droplet.id);
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
  plane.answering = undefined;
  plane.good = 0;
  plane.bad = 0;
  if (plane.member) {
    plane.nextCheck = world.time + Math.floor(world.chance() * balancer.check.intervalSeconds * 1_000);
    world.monitor.becameMember(droplet);
  } else stopSending(plane, world.time);
}

/** Requests that arrived in (after, at]. */
export function requests(world: World, droplet: Droplet, after: number, at: number): number {
  const { load, sticky } = world.story;
  if (load.rate === 0) return 0;
  const part = droplet.id % 2 === 1 ? (load.part ?? 1) : 1;
  let sum = 0;
  for (const plane of droplet.planes) {
    const flow: Flow = {
      ...load,
      rate: load.rate * plane.share,
      part,
      shiftMs: sticky ? droplet.id * 7_919 : 0,
      sums: plane.sums,
      salt: droplet.id * 4 + plane.node,
    };
    for (const { from, to } of plane.periods) {
      const by = (time: number) => arrivedBy(flow, Math.max(from, Math.min(time, to)));
      sum += by(at) - by(after);
    }
  }
  return sum;
}

/** Connections to the droplet's public address since then. */
export function strangersSince(world: World, droplet: Droplet, since: number): number {
  return strangersBy(world, droplet, world.time) - strangersBy(world, droplet, since);
}

/** Those that show in the socket tables, by number. */
export function recentStrangers(world: World, droplet: Droplet, since: number): string[] {
  const first = strangersBy(world, droplet, Math.max(since, world.time - MINUTE));
  const count = strangersBy(world, droplet, world.time) - first;
  return Array.from({ length: count }, (_, index) => (first + index).toString(16).toUpperCase());
}

function strangersBy({ story }: World, droplet: Droplet, time: number): number {
  if (story.strangers === 0) return 0;
  const flow = {
    rate: story.strangers,
    spread: 'chance',
    shiftMs: 0,
    sums: droplet.strangers,
    salt: droplet.id,
  } as const;
  return arrivedBy(flow, Math.max(time, FIRST));
}

interface Flow {
  rate: number;
  /** Of a burst, or of the rate: what others get comes at the same times. */
  part?: number;
  burst?: number;
  spread: Scenario['load']['spread'];
  shiftMs: number;
  sums: number[];
  salt: number;
}

/** In a tenth of the time all of a burst's requests come, and in the rest none. */
const BURST_SHARE = 0.1;

/**
 * How many requests each droplet behind the balancer gets, or would get, up to this time: one every 1/rate seconds, from
 * half of that on. The balancer spreads a burst: all get their part at the same time, unless it is sticky.
 */
function arrivedBy(flow: Flow, time: number): number {
  const { burst = 1, part = 1, shiftMs } = flow;
  if (burst === 1) {
    const rate = flow.rate * part;
    if (flow.spread === 'chance') return cameByChance({ ...flow, rate }, time);
    return Math.floor((time * rate) / 1_000 + 0.5);
  }
  const ms = time + shiftMs;
  const cycleMs = (burst * 1_000) / flow.rate;
  const bursts = Math.floor(ms / cycleMs);
  const size = Math.max(1, Math.round(burst * part));
  const inLast = Math.floor(((ms - bursts * cycleMs) / (cycleMs * BURST_SHARE)) * size + 0.5);
  return bursts * size + Math.min(size, inLast);
}

/** Nothing is asked about an earlier time: a little before the story begins. */
const FIRST = Date.UTC(2026, 10, 21, 7, 43);

/** In slots in which one comes on average: how many do is chance. `sums[n]` is how many came before slot n. */
function cameByChance({ rate, sums, salt }: Flow, time: number): number {
  const slots = ((time - FIRST) * rate) / 1_000;
  const slot = Math.floor(slots);
  if (sums.length === 0) sums.push(0);
  for (let next = sums.length; next <= slot + 1; next += 1) sums.push((sums[next - 1] ?? 0) + luck(next, salt));
  const before = sums[slot] ?? 0;
  return before + Math.floor((slots - slot) * ((sums[slot + 1] ?? 0) - before) + 0.5);
}

/** How many come where one does on average (Poisson). */
function luck(slot: number, salt: number): number {
  let hash = Math.imul(slot ^ (salt << 20), 0x9e3779b1) ^ salt;
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  const lot = ((hash ^ (hash >>> 16)) >>> 0) / 4_294_967_296;
  let count = 0;
  for (let chance = Math.exp(-1), sum = chance; lot > sum && count < 12; sum += chance) {
    count += 1;
    chance /= count;
  }
  return count;
}

/** Requests under way at the droplet. */
export function openConnections(world: World, droplet: Droplet, at: number): number {
  const { load } = world.story;
  const container = servingContainer(droplet, at);
  if (load.rate === 0 || container === undefined) return 0;
  return requests(world, droplet, Math.max(at - load.requestMs, container.startedAt), at);
}
