/** Waits until the balancer has let go of the droplet and the last connection has ended. */

import { restartedSince } from '../../rollout/health.js';
import type { BalancerContact, Leaving } from '../drain/balancer-contact.js';
import { effectLag } from '../drain/balancer-timing.js';
import { type Checks, checkDueBy, isShareMissing } from '../drain/let-go.js';
import { watchedPorts } from '../drain/traffic-command.js';
import { refreshContainers } from '../droplet/containers.js';
import type { Member } from '../droplet/member.js';
import { balancerCheckUnderLease } from './balancer-check.js';
import type { StepContext, StepResult } from './run.js';

/** How often readings are taken, in ms; at most `READS_PER_WINDOW` in the longest time between two checks. */
const READ_EVERY_MS = 120;

const READS_PER_WINDOW = 24;

/** Connections that have been open for long are read less often: share of the time elapsed. */
const BACKOFF = 0.05;

/** Why the balancer is taken to have let go: proof, or an assumption (`time`). */
type LetGo = 'missing check' | 'missing share' | 'time' | 'known before';

export async function drain(member: Member, run: StepContext): Promise<StepResult> {
  const checks = run.contacts.checksOf(member);
  if (checks === undefined) return {};
  const contact = run.contacts.of(member);
  const now = run.ports.clock.now();
  contact.leaving ??= { askedAt: now, at: now, shown: false, letGo: false };
  const wasWell = await isStillWell(member, run);

  if (watchedPorts(member.containers, run.target.ports).length === 0) {
    // Another project's proxy may hold the port and forward what arrives: that cannot be heard, but it can be cut.
    const forwards = await answersTheBalancer(member, run);
    // Where nothing listens, nothing can be cut.
    if (!forwards && contact.leaving.shown) return { detail: 'nothing to drain' };
    return { detail: await waitUnheard(contact.leaving, checks, run, forwards ? drainTimeoutOf(run) : 0) };
  }
  const proof = await untilLetGo(member, run, contact.leaving, checks, wasWell);
  contact.leaving.letGo = proof !== undefined;
  return { detail: describe(proof, await connectionsEnd(member, run, contact)) };
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
  run.progress(`connections cannot be counted here; waiting ${Math.round(ms / 1_000)} s`);
  await clock.sleep(ms, run.signal);
  leaving.letGo = !run.signal.aborted;
  return `waited ${Math.round(ms / 1_000)} s, because connections cannot be counted here`;
}

/** Undefined when the wait was aborted, or connections kept arriving until the drain timeout. */
async function untilLetGo(
  member: Member,
  run: StepContext,
  leaving: Leaving,
  checks: Checks,
  wasWell: boolean,
): Promise<LetGo | undefined> {
  const contact = run.contacts.of(member);
  if (!leaving.letGo && contact.heard && leaving.shown) {
    return await untilSilenceProves(member, run, contact, leaving, checks, wasWell);
  }
  const byTime = leaving.letGo ? 0 : letGoByTime(leaving, checks);
  await waitUntil(byTime, 'the balancer cannot be heard here; giving it time to let go', run);
  await run.contacts.listen(member);
  return run.signal.aborted ? undefined : leaving.letGo ? 'known before' : 'time';
}

async function untilSilenceProves(
  member: Member,
  run: StepContext,
  contact: BalancerContact,
  leaving: Leaving,
  checks: Checks,
  wasWell: boolean,
): Promise<LetGo | undefined> {
  const { traffic } = contact;
  const byTime = letGoByTime(leaving, checks);
  const lastChance = Math.max(byTime, leaving.at + drainTimeoutOf(run) + checks.windowMs);
  let mayMissShare = wasWell && run.target.evenShares;
  while (!run.signal.aborted) {
    await run.contacts.listen(member);
    const now = run.ports.clock.now();
    const dueBy = checkDueBy(traffic, leaving.at, checks);
    if (traffic.isCounting && traffic.until >= dueBy) return 'missing check';
    if (mayMissShare && now >= followedBy(leaving, checks) && missesShare(run, contact, leaving, checks)) {
      mayMissShare = await isStillWell(member, run);
      if (mayMissShare) return 'missing share';
    }
    if (!traffic.isCounting && now >= byTime) return 'time';
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

function missesShare(run: StepContext, { traffic }: BalancerContact, leaving: Leaving, { nodes }: Checks): boolean {
  const others = run.others().map((member) => run.contacts.of(member).traffic);
  return isShareMissing(traffic, others, { leftAt: leaving.askedAt, shownAt: leaving.at, nodes });
}

/** @returns connections still open at the end of the drain timeout; undefined when they cannot be read, so it was waited for */
async function connectionsEnd(
  member: Member,
  run: StepContext,
  { traffic }: BalancerContact,
): Promise<number | undefined> {
  const { clock } = run.ports;
  const began = clock.now();
  const deadline = began + drainTimeoutOf(run);
  while (traffic.open !== 0 && clock.now() < deadline && !run.signal.aborted) {
    run.progress(traffic.open === undefined ? 'connections cannot be read' : `${traffic.open} connections open`);
    const pause = Math.max(READ_EVERY_MS, (clock.now() - began) * BACKOFF);
    await clock.sleep(Math.min(pause, deadline - clock.now()), run.signal);
    await run.contacts.listen(member);
  }
  return traffic.open;
}

function describe(proof: LetGo | undefined, open: number | undefined): string {
  const parts: string[] = [];
  if (proof === undefined) parts.push('connections kept arriving');
  if (proof === 'time') parts.push('the balancer cannot be heard here, so it was given time to let go');
  if (open === undefined) parts.push('open connections cannot be read here, so the drain timeout was waited for');
  if (open !== undefined && open > 0) {
    parts.push(`${open} ${open === 1 ? 'connection was' : 'connections were'} still open and will be cut`);
  }
  return parts.length === 0 ? `no connection left (${proof})` : parts.join('; ');
}
