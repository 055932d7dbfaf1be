/** Writes the droplet into the ledger, and listens at its door while the balancer still uses it. */

import type { RemoteCommand } from '../../ports.js';
import { waitForAll } from '../core/parallel.js';
import { appFolder, command, writeFile } from '../core/shell.js';
import { untilChecksStopped } from '../drain/balancer-timing.js';
import { worthListening } from '../drain/quiet-period.js';
import { type Traffic, type TrafficWatch, watchedPorts } from '../drain/traffic-watch.js';
import { listen, trafficOfOthers } from '../drain/watch-traffic.js';
import { refreshContainers } from '../droplet/containers.js';
import type { Member } from '../droplet/member.js';
import type { OutMark } from '../droplet/survey-command.js';
import { changeDroplet } from '../lease/change-droplet.js';
import { asHolder } from '../lease/lease-commands.js';
import type { StepContext } from './run.js';
export function markOutCommand(app: string, out: OutMark): RemoteCommand {
  return command('mark-out', { app, out }, [
    'set -eu',
    'umask 077',
    `mkdir -p ${appFolder(app)}`,
    `cd ${appFolder(app)}`,
    asHolder(app, out.run),
    ...writeFile('out.json', out),
  ]);
}

/** The rate just before leaving is measured over at least this, and at most that. */
const RATE_WINDOW_MS = 300;

const RATE_WITHIN_MS = 2_000;

/** How often the door is read meanwhile. */
const READ_EVERY_MS = 500;

export async function markOut(member: Member, run: StepContext): Promise<string | undefined> {
  const { clock } = run.ports;
  const since = clock.now();
  // At once: DigitalOcean's answer takes as long as the droplet's.
  const [watch] = await waitForAll([
    refreshContainers(member, run.settings.app).then(() => listen(member, run.target, clock)),
    run.ledger.write(member.droplet.id, () => run.lease.ensure(member.droplet.id)),
  ]);
  const out = { since: new Date(since).toISOString(), run: run.id, who: run.deployer.who };
  // The ledger first: a mark without its tag would be left behind for good by a run that dies in between.
  await changeDroplet(member, markOutCommand(run.settings.app, out));
  if (watchedPorts(member.containers, run.target.ports).length === 0) return 'nothing serves on the balancer’s ports';
  member.before = await trafficBefore(member, run, watch);
  member.heard = await hearTheBalancer(member, run);
  return undefined;
}

/** Mostly somebody has listened a while ago (see the orchestrator); else it takes a moment more. */
async function trafficBefore(member: Member, run: StepContext, watch: TrafficWatch): Promise<Traffic> {
  const { clock } = run.ports;
  const { nodes, healthCheck } = run.target;
  const interval = (healthCheck?.intervalSeconds ?? 0) * 1_000;
  let now = watch;
  const listenFor = async (ms: number) => {
    await clock.sleep(ms, run.signal);
    now = await listen(member, run.target, clock);
  };
  if (now.lately(RATE_WINDOW_MS, RATE_WITHIN_MS) === undefined) await listenFor(RATE_WINDOW_MS);
  for (;;) {
    const traffic = trafficOf(now);
    const worth = worthListening(
      now.instrument,
      traffic,
      Math.max(1, nodes),
      interval,
      trafficOfOthers(run).length > 0,
    );
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
function trafficOf(watch: TrafficWatch): Traffic {
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
async function hearTheBalancer(member: Member, run: StepContext): Promise<boolean> {
  const { clock } = run.ports;
  const interval = (run.target.healthCheck?.intervalSeconds ?? 0) * 1_000;
  const enough = untilChecksStopped(interval);
  const started = clock.now();
  for (let watch = member.door; watch !== undefined && watch.instrument !== 'none'; ) {
    if (watch.arrivals > 0 && watch.silentMs < enough + (watch.instrument === 'sockets' ? interval : 0)) return true;
    const deaf = watch.arrivals === 0 && watch.watchedMs >= enough;
    if (deaf || run.signal.aborted || clock.now() - started > enough) return false;
    run.progress('listening for the balancer’s health check');
    await clock.sleep(Math.min(500, interval / 4), run.signal);
    watch = await listen(member, run.target, clock);
  }
  return false;
}
