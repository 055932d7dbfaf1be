/** Readings at a droplet's door, taken over its connection. */

import pLimit from 'p-limit';
import type { Clock } from '../../ports.js';
import type { Target } from '../../targets/target.js';
import { AT_ONCE, waitForAll } from '../core/parallel.js';
import { refreshContainers } from '../droplet/containers.js';
import type { Member } from '../droplet/member.js';
import type { Run, StepContext } from '../steps/run.js';
import { parseTraffic, type TrafficReading, trafficCommand } from './traffic-command.js';
import { TrafficWatch, watchedPorts } from './traffic-watch.js';

/** How often those are listened to that go next: so often, or as often in a check's interval. */
const LISTEN_EVERY_MS = 250;

const LISTENS = 24;

/** Less often, the more there are of them, and the longer it takes. */
const FOR_EACH_MS = 25;

const LATER_BY = 0.05;

export async function readTraffic(member: Member, target: Target): Promise<TrafficReading> {
  const ports = watchedPorts(member.containers, target.ports);
  const { stdout } = await member.connection.run(trafficCommand(ports));
  return parseTraffic(stdout, ports, target.overVpc);
}

/** Starts to listen, or listens on: the watch of the containers that run now. */
export async function listen(member: Member, target: Target, clock: Clock): Promise<TrafficWatch> {
  const asked = clock.now();
  const reading = await readTraffic(member, target);
  return heard(member, reading, clock.now(), asked);
}

/** Starts to listen at every door, so many at a time. */
export async function listenAll(members: readonly Member[], target: Target, clock: Clock): Promise<void> {
  const limit = pLimit(AT_ONCE);
  await waitForAll(members.map((member) => limit(() => listen(member, target, clock))));
}

/**
 * Listens at the doors of those that go next, from time to time, until there are none. That one cannot be read is
 * nobody's failure yet: it will be looked at when its turn comes.
 */
export async function listenAhead(next: () => Member[], run: Run, until: AbortSignal): Promise<void> {
  const { target } = run;
  const { clock } = run.ports;
  if (target.healthCheck === undefined) return;
  const limit = pLimit(AT_ONCE);
  const often = Math.max(LISTEN_EVERY_MS, (target.healthCheck.intervalSeconds * 1_000) / LISTENS);
  const began = clock.now();
  for (let members = next(); members.length > 0 && !until.aborted; members = next()) {
    await Promise.allSettled(members.map((member) => limit(() => listenTo(member, run))));
    await clock.sleep(Math.max(often, members.length * FOR_EACH_MS, (clock.now() - began) * LATER_BY), until);
  }
}

/** Listens at the doors of `members` as long as `work` takes. */
export async function whileListening<T>(run: Run, members: Member[], work: () => Promise<T>): Promise<T> {
  const done = new AbortController();
  const listening = listenAhead(() => members, run, done.signal);
  return await work().finally(async () => {
    done.abort();
    await listening;
  });
}

/** Also before the survey has told of its containers. */
async function listenTo(member: Member, { settings, target, ports }: Run): Promise<void> {
  if (member.containers.length === 0) await refreshContainers(member, settings.app);
  await listen(member, target, ports.clock);
}

/** The doors of droplets that stay meanwhile, to compare with. */
export function trafficOfOthers(run: StepContext): TrafficWatch[] {
  return run.target.sticky ? [] : run.others().flatMap(({ door }) => door ?? []);
}

/** Adds a reading that was asked for at `asked` and has come `now`. */
export function heard(member: Member, reading: TrafficReading, now: number, asked: number): TrafficWatch {
  // What could not be read at first is read from now on.
  if (member.door === undefined || member.door.instrument === 'none') member.door = new TrafficWatch(reading, now);
  else member.door.add(reading, now, asked);
  return member.door;
}
