/** Waits until the balancer has let go of the droplet and the last connection has ended. */

import { wholeSeconds } from '../../durations.js';
import { restartedSince } from '../../rollout/health.js';
import { pollPause } from '../core/polling.js';
import { reportTo } from '../core/report.js';
import type { BalancerContact, Leaving } from '../drain/balancer-contact.js';
import { effectLag } from '../drain/balancer-timing.js';
import { type Checks, checkDueBy, isBusy, isShareMissing } from '../drain/let-go.js';
import { countBusy, openConnectionsCommand, parseOpenConnections } from '../drain/open-connections.js';
import { watchedPorts } from '../drain/traffic-command.js';
import type { TrafficRecord } from '../drain/traffic-record.js';
import { refreshContainers } from '../droplet/containers.js';
import type { Member } from '../droplet/member.js';
import { balancerCheckUnderLease } from './balancer-check.js';
import type { StepContext, StepResult } from './run.js';

/** How often readings are taken, in ms; at most `READS_PER_WINDOW` in the longest time between two checks. */
const READ_EVERY_MS = 200;

const READS_PER_WINDOW = 12;

/** An idle connection counts as such after this, where the balancer keeps its connections, and where it should not. */
const QUIET_MS = 2_000;

const QUIET_UNKEPT_MS = 5_000;

/**
 * The default drain timeout. Where it was raised, and the balancer keeps no connections of its own, those that are quiet
 * may be WebSockets, for which it was raised.
 */
const LONG_LIVED_MS = 30_000;

/** What has proven that the balancer has let go, as people read it. */
const CHECK_MISSING = 'health checks have stopped';
export const SHARE_MISSING = 'requests have stopped';
export const PROOFS = [CHECK_MISSING, SHARE_MISSING];

const KNOWN_BEFORE = 'the balancer had let go before';

const BY_TIME = 'the balancer cannot be heard here, so it was given time to let go';

export async function drain(member: Member, run: StepContext): Promise<StepResult> {
  const checks = run.contacts.checksOf(member);
  if (checks === undefined) return {};
  const contact = run.contacts.of(member);
  const now = run.ports.clock.now();
  contact.leaving ??= { askedAt: now, at: now, shown: false, unsettled: true, letGo: false };
  const wasWell = await isStillWell(member, run);

  if (watchedPorts(member.containers, run.target.ports).length === 0) {
    // Another project's proxy may hold the port and forward what arrives: that cannot be heard, but it can be cut.
    const forwards = await answersTheBalancer(member, run);
    // Where nothing listens, nothing can be cut. Had it just come back, the balancer may still be about to take it in.
    if (!forwards && contact.leaving.shown && !contact.leaving.unsettled) return { detail: 'nothing to drain' };
    return { detail: await waitUnheard(contact.leaving, checks, run, forwards ? drainTimeoutOf(run) : 0) };
  }
  const proof = await untilLetGo(member, run, contact.leaving, checks, wasWell);
  contact.leaving.letGo = proof !== undefined;
  const connections = await connectionsEnd(member, run, contact);
  const { busy = 0 } = connections;
  // A droplet that returns as it was keeps them.
  if (busy > 0 && !run.signal.aborted) {
    const message = `${busy} ${busy === 1 ? 'connection is' : 'connections are'} still open and will be cut.`;
    reportTo(run.ports)({ type: 'notice', level: 'info', droplet: member.host.name, message });
  }
  return { detail: describe(proof, connections) };
}

function drainTimeoutOf({ settings }: StepContext): number {
  return settings.rollout.drainTimeoutMs;
}

/** To a sick droplet the balancer sends only its checks. */
async function isStillWell(member: Member, run: StepContext): Promise<boolean> {
  const before = member.containers;
  await refreshContainers(member, run.settings.app);
  const isSick = member.containers.some(({ health }) => health === 'unhealthy');
  return !isSick && restartedSince(before, member.containers) === undefined;
}

async function answersTheBalancer(member: Member, run: StepContext): Promise<boolean> {
  if (!member.containers.some(({ state }) => state === 'running')) return false;
  return (await balancerCheckUnderLease(member, run))?.passed === true;
}

/** By when the balancer has let go where that cannot be heard. */
function letGoByTime({ at, shown }: Leaving, { windowMs }: Checks): number {
  return at + effectLag(shown) + windowMs;
}

async function waitUnheard(leaving: Leaving, checks: Checks, run: StepContext, drainMs: number): Promise<string> {
  const { clock } = run.ports;
  const ms = Math.max(0, letGoByTime(leaving, checks) - clock.now()) + drainMs;
  run.progress(`connections cannot be counted here; waiting ${wholeSeconds(ms)}`);
  await clock.sleep(ms, run.signal);
  leaving.letGo = !run.signal.aborted;
  return `waited ${wholeSeconds(ms)}, because connections cannot be counted here`;
}

/** Undefined when the wait was aborted, or connections kept arriving until the drain timeout. */
async function untilLetGo(
  member: Member,
  run: StepContext,
  leaving: Leaving,
  checks: Checks,
  wasWell: boolean,
): Promise<string | undefined> {
  const contact = run.contacts.of(member);
  if (!leaving.letGo && contact.heard && leaving.shown && !leaving.unsettled) {
    return await untilSilenceProves(member, run, contact, leaving, checks, wasWell);
  }
  const byTime = leaving.letGo ? 0 : letGoByTime(leaving, checks);
  await waitUntil(byTime, 'the balancer cannot be heard here; giving it time to let go', run);
  await run.contacts.listen(member);
  return run.signal.aborted ? undefined : leaving.letGo ? KNOWN_BEFORE : BY_TIME;
}

async function untilSilenceProves(
  member: Member,
  run: StepContext,
  contact: BalancerContact,
  leaving: Leaving,
  checks: Checks,
  wasWell: boolean,
): Promise<string | undefined> {
  const { traffic } = contact;
  const byTime = letGoByTime(leaving, checks);
  const lastChance = Math.max(byTime, leaving.at + drainTimeoutOf(run) + checks.windowMs);
  let compares = wasWell && run.target.evenShares && isBusy(traffic, leaving.askedAt, checks);
  while (!run.signal.aborted) {
    const others = compares ? run.others() : [];
    // The others first: what counts is what arrived there before the end of the silence here.
    await Promise.allSettled(others.map((other) => run.contacts.listen(other)));
    await run.contacts.listen(member);
    const now = run.ports.clock.now();
    const dueBy = checkDueBy(traffic, leaving.at, checks);
    if (traffic.isCounting && traffic.until >= dueBy) return CHECK_MISSING;
    if (compares && now >= followedBy(leaving, checks) && missesShare(run, traffic, others, leaving, checks)) {
      compares = await isStillWell(member, run);
      if (compares) return SHARE_MISSING;
    }
    if (!traffic.isCounting && now >= byTime) return BY_TIME;
    if (now >= lastChance) return undefined;
    const pause = Math.max(READ_EVERY_MS, checks.windowMs / READS_PER_WINDOW);
    await waitUntil(Math.min(now + pause, Math.max(dueBy, now + 1)), 'waiting for the balancer to let go', run);
  }
  return undefined;
}

async function waitUntil(time: number, detail: string, run: StepContext): Promise<void> {
  const ms = time - run.ports.clock.now();
  if (ms <= 0) return;
  run.progress(detail);
  await run.ports.clock.sleep(ms, run.signal);
}

/** Which node a connection came from is not known, and one of several may send few: each is given time to follow. */
function followedBy({ at }: Leaving, { nodes }: Checks): number {
  return nodes > 1 ? at + effectLag(true) : at;
}

function missesShare(
  run: StepContext,
  traffic: TrafficRecord,
  others: readonly Member[],
  leaving: Leaving,
  { nodes }: Checks,
): boolean {
  const beside = others.map((other) => run.contacts.of(other).traffic);
  return isShareMissing(traffic, beside, { leftAt: leaving.askedAt, shownAt: leaving.at, nodes });
}

interface Connections {
  /** Undefined when they cannot be read. */
  open: number | undefined;
  /** Of those, the ones that carry something. */
  busy: number | undefined;
}

/** Waits for connections that carry something, until the drain timeout. */
async function connectionsEnd(member: Member, run: StepContext, { traffic }: BalancerContact): Promise<Connections> {
  const { clock } = run.ports;
  const began = clock.now();
  const deadline = began + drainTimeoutOf(run);
  for (;;) {
    const { open } = traffic;
    const busy = open === undefined || open === 0 ? open : await countBusyNow(member, run, open);
    if (busy === 0 || clock.now() >= deadline || run.signal.aborted) return { open, busy };
    run.progress(busy === undefined ? 'open connections cannot be read' : `${busy} connections open`);
    const pause = pollPause(clock.now() - began, READ_EVERY_MS);
    await clock.sleep(Math.min(pause, deadline - clock.now()), run.signal);
    await run.contacts.listen(member);
  }
}

/** All that are open where their state cannot be read, or where quiet ones may be meant to live long. */
async function countBusyNow(member: Member, run: StepContext, open: number): Promise<number> {
  const { keepsConnections, ports, overVpc } = run.target;
  if (!keepsConnections && drainTimeoutOf(run) > LONG_LIVED_MS) return open;
  const { stdout } = await member.connection.run(openConnectionsCommand(watchedPorts(member.containers, ports)));
  const connections = parseOpenConnections(stdout, overVpc);
  return connections === undefined ? open : countBusy(connections, keepsConnections ? QUIET_MS : QUIET_UNKEPT_MS);
}

function describe(letGo: string | undefined, { open, busy }: Connections): string {
  const ended = letGo ?? 'connections kept arriving';
  if (open === undefined || busy === undefined) {
    return `${ended}; open connections cannot be read here, so the drain timeout was waited for`;
  }
  if (open === 0) return `${ended}; no connection left`;
  if (busy === 0) return `${ended}; only idle connections left (${open})`;
  return `${ended}; ${busy} ${busy === 1 ? 'connection was' : 'connections were'} still open and will be cut`;
}
