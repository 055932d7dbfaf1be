/** Waits until the balancer has let go of the droplet and the last connection has ended. */

import { EFFECT_LAG_MS, UNSHOWN_LAG_MS, untilChecksStopped } from '../drain/balancer-timing.js';
import { othersKeptReceiving, quietPeriod } from '../drain/quiet-period.js';
import { type Instrument, NO_TRAFFIC, type TrafficWatch, watchedPorts } from '../drain/traffic-watch.js';
import { listen, trafficOfOthers } from '../drain/watch-traffic.js';
import { refreshContainers } from '../droplet/containers.js';
import type { Member } from '../droplet/member.js';
import { balancerCheckUnderLease } from './balancer-check.js';
import type { StepContext } from './run.js';

/** How often the door is read: so often, or as often in the silence that is waited for. */
const READ_EVERY_MS = 120;

const READS = 12;

/** Connections that have been open for long may well stay so: they are looked at less and less often. */
const LATER_BY = 0.05;

export async function drain(member: Member, run: StepContext): Promise<string> {
  const { clock } = run.ports;
  const { drainTimeoutMs } = run.settings.rollout;
  const interval = (run.target.healthCheck?.intervalSeconds ?? 0) * 1_000;
  await refreshContainers(member, run.settings.app);
  // An earlier change may still be about to take effect: then connections begin before they end.
  const lag = member.leaving?.how === 'asked' ? UNSHOWN_LAG_MS : EFFECT_LAG_MS;
  const byTime = async () => {
    const told = await drainByTime(run, Math.max(untilChecksStopped(interval), lag));
    if (!run.signal.aborted) member.leaving = { how: 'let go', at: clock.now() };
    return told;
  };
  if (watchedPorts(member.containers, run.target.ports).length === 0) {
    // A proxy that is not the app's holds the port, and sends on what comes: that cannot be heard, but it can be cut.
    if (await answersTheBalancer(member, run)) return await byTime();
    // Nobody listens: whether the balancer has let go cannot be heard, and nothing can be cut.
    if (member.leaving?.how === 'asked') await clock.sleep(lag, run.signal);
    return 'nothing to drain';
  }

  const watch = await listen(member, run.target, clock);
  // Listened to while the droplet was in rotation, and nothing heard: this instrument does not show the balancer.
  const instrument = member.heard === false ? 'none' : watch.instrument;
  if (instrument === 'none') return await byTime();

  // To a sick droplet the balancer sends no traffic, only its checks: then silence proves less.
  const sick = member.containers.some(({ health }) => health === 'unhealthy');
  const traffic = sick ? NO_TRAFFIC : (member.before ?? NO_TRAFFIC);
  const nodes = Math.max(1, run.target.nodes);
  const proving = () =>
    quietPeriod(instrument, traffic, nodes, interval, othersKeptReceiving(watch, traffic, trafficOfOthers(run), nodes));
  // One of several nodes may send hardly anything, or nothing yet: it is given the time in which it follows.
  const notBefore = nodes > 1 ? (member.leaving?.at ?? clock.now()) + lag : 0;
  const timeout = drainTimeoutMs + interval;
  const letGo = await balancerLetsGo(member, run, watch, { proving, notBefore, lag, timeout });
  if (letGo) member.leaving = { how: 'let go', at: clock.now() };
  // What DigitalOcean showed has not taken effect: when it will is as unknown as before it was shown.
  else if (!run.signal.aborted) member.leaving = { how: 'asked', at: clock.now() };
  const open = await connectionsEnd(member, run, watch, clock.now() + drainTimeoutMs);
  return describe(instrument, letGo, open);
}

async function answersTheBalancer(member: Member, run: StepContext): Promise<boolean> {
  if (!member.containers.some(({ state }) => state === 'running')) return false;
  return (await balancerCheckUnderLease(member, run))?.passed === true;
}

interface LettingGo {
  /** The silence that proves it, in ms. */
  proving(): number;
  /** By when the balancer's other nodes have followed. */
  notBefore: number;
  lag: number;
  timeout: number;
}

async function balancerLetsGo(
  member: Member,
  run: StepContext,
  watch: TrafficWatch,
  { proving, notBefore, lag, timeout }: LettingGo,
): Promise<boolean> {
  const { clock } = run.ports;
  const began = clock.now();
  const silentBefore = watch.silentMs;
  for (;;) {
    const silence = proving();
    const listenMs = silence + lag;
    const silent = watch.arrivals > 0 ? silence - watch.silentMs : listenMs - (watch.silentMs - silentBefore);
    const left = Math.max(silent, notBefore - clock.now());
    if (left <= 0) return true;
    if (run.signal.aborted || clock.now() - began >= Math.max(timeout, listenMs)) return false;
    run.progress(`waiting for ${Math.round(silence / 100) / 10} s without a new connection`);
    await clock.sleep(Math.min(Math.max(READ_EVERY_MS, silence / READS), left), run.signal);
    await listen(member, run.target, clock);
  }
}

/** @returns connections still open at the deadline; undefined when that cannot be read and time had to do */
async function connectionsEnd(
  member: Member,
  run: StepContext,
  watch: TrafficWatch,
  deadline: number,
): Promise<number | undefined> {
  const { clock } = run.ports;
  if (watch.established === undefined) {
    await clock.sleep(deadline - clock.now(), run.signal);
    return undefined;
  }
  const began = clock.now();
  while (watch.established > 0 && clock.now() < deadline && !run.signal.aborted) {
    run.progress(`${watch.established} connections open`);
    await clock.sleep(Math.max(READ_EVERY_MS, (clock.now() - began) * LATER_BY), run.signal);
    await listen(member, run.target, clock);
  }
  return watch.established;
}

/** Without an instrument: the time in which the balancer's checks stop, and the whole drain timeout for the rest. */
async function drainByTime(run: StepContext, letGoMs: number): Promise<string> {
  const ms = letGoMs + run.settings.rollout.drainTimeoutMs;
  run.progress(`connections cannot be counted here; waiting ${Math.round(ms / 1_000)} s`);
  await run.ports.clock.sleep(ms, run.signal);
  return `waited ${Math.round(ms / 1_000)} s, because connections cannot be counted here`;
}

function describe(instrument: Instrument, letGo: boolean, open: number | undefined): string {
  const parts: string[] = [];
  if (!letGo) parts.push('connections kept coming');
  if (open === undefined) parts.push('open connections cannot be counted here, so the drain timeout was waited for');
  else if (open > 0)
    parts.push(`${open} ${open === 1 ? 'connection was' : 'connections were'} still open and will be cut`);
  if (parts.length === 0) return 'no connection left';
  return `${parts.join('; ')}${instrument === 'sockets' ? ' (as far as socket tables show)' : ''}`;
}
