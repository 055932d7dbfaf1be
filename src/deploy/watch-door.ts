/** Readings at a droplet's door, taken over its connection. */
import pLimit from 'p-limit';
import { DeployError } from '../errors.js';
import type { Clock, RemoteCommand } from '../ports.js';
import type { Target } from '../targets/target.js';
import type { Run, StepContext } from './context.js';
import { DoorWatch, doorPorts } from './door.js';
import { type ContainersSeen, lookAtContainers, readContainers, watchContainers } from './remote/containers.js';
import { type DoorReading, doorCommand, readDoor } from './remote/door.js';
import type { Site } from './site.js';
import { together } from './together.js';

const AT_ONCE = 20;
/** How often those are listened to that go next: so often, or as often in a check's interval. */
const LISTEN_EVERY_MS = 250;
const LISTENS = 24;
/** Less often, the more there are of them, and the longer it takes. */
const FOR_EACH_MS = 25;
const LATER_BY = 0.05;

/** Looks at the containers of the app and keeps them with the droplet. Gives the droplet's clock, in ms. */
export async function lookAtSite(site: Site, app: string): Promise<number> {
  return await look(site, lookAtContainers(app));
}

/** Looks at the containers that were seen last; at all of them when one is gone. Not for after a change. */
export async function watchSite(site: Site, app: string): Promise<number> {
  const ids = site.containers.map(({ id }) => id);
  return await look(site, ids.length > 0 ? watchContainers(app, ids) : lookAtContainers(app));
}

/** Looks at the containers of the app, and keeps nothing. Throws DeployError docker-missing. */
export async function seeContainers(site: Site, app: string): Promise<ContainersSeen> {
  return await see(site, lookAtContainers(app));
}

async function look(site: Site, command: RemoteCommand): Promise<number> {
  const seen = await see(site, command);
  site.containers = seen.containers;
  return seen.now;
}

async function see(site: Site, command: RemoteCommand): Promise<ContainersSeen> {
  const { code, stdout, stderr } = await site.connection.run(command);
  if (code !== 0) {
    const reason = stderr.trim().split('\n').at(-1) || `exit code ${code}`;
    throw new DeployError('docker-missing', `Docker does not answer on ${site.host.name}: ${reason}`, {
      droplet: site.host.name,
      hint: 'Look at it on the droplet: systemctl status docker',
    });
  }
  return readContainers(stdout);
}

export async function readDoorOf(site: Site, target: Target): Promise<DoorReading> {
  const ports = doorPorts(site.containers, target.ports);
  const { stdout } = await site.connection.run(doorCommand(ports));
  return readDoor(stdout, ports, target.overVpc);
}

/** Starts to listen, or listens on: the watch of the containers that run now. */
export async function listen(site: Site, target: Target, clock: Clock): Promise<DoorWatch> {
  const asked = clock.now();
  const reading = await readDoorOf(site, target);
  return heard(site, reading, clock.now(), asked);
}

/** Starts to listen at every door, so many at a time. */
export async function listenAll(sites: readonly Site[], target: Target, clock: Clock): Promise<void> {
  const limit = pLimit(AT_ONCE);
  await together(sites.map((site) => limit(() => listen(site, target, clock))));
}

/**
 * Listens at the doors of those that go next, from time to time, until there are none. That one cannot be read is
 * nobody's failure yet: it will be looked at when its turn comes.
 */
export async function listenAhead(next: () => Site[], run: Run, until: AbortSignal): Promise<void> {
  const { target } = run;
  const { clock } = run.ports;
  if (target.healthCheck === undefined) return;
  const limit = pLimit(AT_ONCE);
  const often = Math.max(LISTEN_EVERY_MS, (target.healthCheck.intervalSeconds * 1_000) / LISTENS);
  const began = clock.now();
  for (let sites = next(); sites.length > 0 && !until.aborted; sites = next()) {
    await Promise.allSettled(sites.map((site) => limit(() => listenTo(site, run))));
    await clock.sleep(Math.max(often, sites.length * FOR_EACH_MS, (clock.now() - began) * LATER_BY), until);
  }
}

/** Listens at the doors of `sites` as long as `work` takes. */
export async function whileListening<T>(run: Run, sites: Site[], work: () => Promise<T>): Promise<T> {
  const done = new AbortController();
  const listening = listenAhead(() => sites, run, done.signal);
  return await work().finally(async () => {
    done.abort();
    await listening;
  });
}

/** Also before the survey has told of its containers. */
async function listenTo(site: Site, { settings, target, ports }: Run): Promise<void> {
  if (site.containers.length === 0) await watchSite(site, settings.app);
  await listen(site, target, ports.clock);
}

/** The doors of droplets that stay meanwhile, to compare with. */
export function doorsBeside(run: StepContext): DoorWatch[] {
  return run.target.sticky ? [] : run.others().flatMap(({ door }) => door ?? []);
}

/** Adds a reading that was asked for at `asked` and has come `now`. */
export function heard(site: Site, reading: DoorReading, now: number, asked: number): DoorWatch {
  // What could not be read at first is read from now on.
  if (site.door === undefined || site.door.instrument === 'none') site.door = new DoorWatch(reading, now);
  else site.door.add(reading, now, asked);
  return site.door;
}
