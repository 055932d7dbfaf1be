/** Writes the droplet into the ledger, and listens at its door while the balancer still uses it. */

import { untilChecksStopped } from '../balancer-timing.js';
import { changeSite } from '../change-site.js';
import type { StepContext } from '../context.js';
import { type DoorWatch, doorPorts, type Traffic } from '../door.js';
import { worthListening } from '../letting-go.js';
import { markOutCommand } from '../remote/release-commands.js';
import type { Site } from '../site.js';
import { together } from '../together.js';
import { doorsBeside, listen, watchSite } from '../watch-door.js';

/** The rate just before leaving is measured over at least this, and at most that. */
const RATE_WINDOW_MS = 300;
const RATE_WITHIN_MS = 2_000;
/** How often the door is read meanwhile. */
const READ_EVERY_MS = 500;

export async function recordOut(site: Site, run: StepContext): Promise<string | undefined> {
  const { clock } = run.ports;
  const since = clock.now();
  // At once: DigitalOcean's answer takes as long as the droplet's.
  const [watch] = await together([
    watchSite(site, run.settings.app).then(() => listen(site, run.target, clock)),
    run.ledger.write(site.droplet.id, () => run.lease.ensure(site.droplet.id)),
  ]);
  const out = { since: new Date(since).toISOString(), run: run.id, who: run.deployer.who };
  // The ledger first: a mark without its tag would be left behind for good by a run that dies in between.
  await changeSite(site, markOutCommand(run.settings.app, out));
  if (doorPorts(site.containers, run.target.ports).length === 0) return 'nothing serves on the balancer’s ports';
  site.before = await trafficBefore(site, run, watch);
  site.heard = await hearTheBalancer(site, run);
  return undefined;
}

/** Mostly somebody has listened a while ago (see the orchestrator); else it takes a moment more. */
async function trafficBefore(site: Site, run: StepContext, watch: DoorWatch): Promise<Traffic> {
  const { clock } = run.ports;
  const { nodes, healthCheck } = run.target;
  const interval = (healthCheck?.intervalSeconds ?? 0) * 1_000;
  let now = watch;
  const listenFor = async (ms: number) => {
    await clock.sleep(ms, run.signal);
    now = await listen(site, run.target, clock);
  };
  if (now.lately(RATE_WINDOW_MS, RATE_WITHIN_MS) === undefined) await listenFor(RATE_WINDOW_MS);
  for (;;) {
    const traffic = trafficOf(now);
    const worth = worthListening(now.instrument, traffic, Math.max(1, nodes), interval, doorsBeside(run).length > 0);
    if (worth === 0 || run.signal.aborted) return traffic;
    run.progress('listening to what comes to it');
    await listenFor(Math.min(Math.max(50, worth), READ_EVERY_MS));
  }
}

/**
 * The rate: of the one lately and the usual one the lower, so that neither a burst now nor a busy hour before shortens the silence
 * that is waited for; and no more than what has been counted speaks for, beyond chance. That so short a time shows fewer
 * than usual is chance.
 */
function trafficOf(watch: DoorWatch): Traffic {
  const lately = watch.lately(RATE_WINDOW_MS, RATE_WITHIN_MS) ?? watch.rate;
  const { longestSilence, listenedMs, arrivals, watchedMs, until } = watch;
  const rate = Math.min(lately.highest, watch.rate.lowest);
  return { rate, longestSilence, listenedMs, arrivals, watchedMs, until };
}

/**
 * An instrument is trusted once it has shown a connection of the balancer. So where nothing has been heard yet, one
 * health check is waited for; after that, an instrument that still shows nothing is taken for deaf. Nor does a silence that is
 * older than the leaving prove anything: somebody else may have put the droplet back just now.
 */
async function hearTheBalancer(site: Site, run: StepContext): Promise<boolean> {
  const { clock } = run.ports;
  const interval = (run.target.healthCheck?.intervalSeconds ?? 0) * 1_000;
  const enough = untilChecksStopped(interval);
  const started = clock.now();
  for (let watch = site.door; watch !== undefined && watch.instrument !== 'none'; ) {
    if (watch.arrivals > 0 && watch.silentMs < enough + (watch.instrument === 'sockets' ? interval : 0)) return true;
    const deaf = watch.arrivals === 0 && watch.watchedMs >= enough;
    if (deaf || run.signal.aborted || clock.now() - started > enough) return false;
    run.progress('listening for the balancer’s health check');
    await clock.sleep(Math.min(500, interval / 4), run.signal);
    watch = await listen(site, run.target, clock);
  }
  return false;
}
