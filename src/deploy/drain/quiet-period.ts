/**
 * When the balancer has let go of a droplet: what a silence at its door proves.
 *
 * When no new connection has come for longer than one health check interval, even the balancer's own checks have stopped.
 * Under load much less proves as much: where connections came at a rate λ, a silence of 20/λ (and at least a second) has
 * a chance of e⁻²⁰ of being an accident. Where they come in bursts it proves nothing: so the silence has to be much longer
 * than any that was heard before, over some seconds; or others, that stay, are heard to go on getting theirs.
 */

import { untilChecksStopped } from './balancer-timing.js';
import { type Instrument, rateOf, SURE, type Traffic, type TrafficWatch } from './traffic-watch.js';

/** So many times longer than any pause before; and readings show a pause up to this much too short, in ms. */
const BEYOND_PAUSES = 3;

const UNHEARD_MS = 1_000;

/** Bursts up to so long are told from steady traffic, in ms. */
const LISTEN_AT_LEAST_MS = 6_000;

/**
 * The silence that proves that the balancer has let go, in ms.
 * @param nodes of the balancer: each lets go by itself, and brings its part of the connections
 * @param othersWent on getting their part in that silence (`othersKeptReceiving`): then it is no pause of all, however short the
 *   time that was listened to before
 */
export function quietPeriod(
  instrument: Instrument,
  traffic: Traffic,
  nodes: number,
  intervalMs: number,
  othersWent: boolean,
): number {
  const checksStopped = untilChecksStopped(intervalMs);
  if (instrument === 'none') return checksStopped;
  // Samples can miss a short connection, two intervals of checks less likely.
  if (instrument === 'sockets') return checksStopped + intervalMs;
  const silence = trafficStopped(traffic, nodes);
  const isNoPause = othersWent || traffic.listenedMs >= listenedEnough(silence, intervalMs);
  return isNoPause ? Math.min(checksStopped, silence) : checksStopped;
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
 * Whether in the silence at one droplet so much has come to others that its part of it cannot have failed to come by
 * chance: traffic that pauses, pauses at all of them. It is the reckoning of `rateOf` with the others' arrivals for a clock.
 * @param traffic what came to the one before it left, while the others were listened to as well
 */
export function othersKeptReceiving(
  watch: TrafficWatch,
  traffic: Traffic,
  others: readonly TrafficWatch[],
  nodes: number,
): boolean {
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
