/** start-up.sh up on a droplet: state.json is written, and the containers become those of the release. */

import { look } from './containers.js';
import type { Done, Execution } from './droplet-commands.js';
import { removeOrphans } from './one-off.js';
import { servicesOf } from './project.js';

/** Stopping and starting containers, in ms. */
const RECREATING_MS = 900;

export function composeUp(
  execution: Execution,
  { release, state, again, only, dropped }: Readonly<Record<string, unknown>>,
): Done {
  const { world, droplet, deployer, half } = execution;
  const { disk } = droplet;
  const id = String(release);
  // state.json could not be written.
  if (world.time < disk.fullUntil) return { code: 74, stdout: '', stderr: 'No space left on device', ms: 0 };
  disk.state = JSON.stringify(state);
  disk.stateWrittenAt = world.time + droplet.skewMs;
  const stored = disk.releases.get(id);
  if (stored === undefined) return { code: 2, stdout: `sh: 0: cannot open releases/${id}`, stderr: '', ms: 0 };
  if (world.time < droplet.dockerDownUntil) {
    return { code: 1, stdout: 'Cannot connect to the Docker daemon', stderr: '', ms: 0 };
  }
  removeOrphans(execution);
  const { images, imageTag } = stored.record;
  const missing = Object.values(images).find((image) => !disk.images.has(image.imageId));
  if (missing) return { code: 1, stdout: `Error: No such image: ${missing.pinned}`, stderr: '', ms: 0 };

  const startsAt = half ? Number.POSITIVE_INFINITY : world.time + RECREATING_MS;
  const isWanted = (service: string) => !Array.isArray(only) || only.includes(service);
  const services = servicesOf(world.story.app, imageTag).filter(({ name }) => isWanted(name));
  const removed = new Set(Array.isArray(dropped) ? dropped.map(String) : []);
  droplet.without = new Set(
    [...droplet.without, ...removed].filter((name) => !services.some((one) => one.name === name)),
  );
  const kept = droplet.containers.filter((container) => {
    if (removed.has(container.service)) return false;
    if (!isWanted(container.service)) return true;
    if (again === true) return false;
    const wanted = images[container.service]?.imageId === container.imageId;
    return wanted && Number.isFinite(container.startedAt) && look(container, world.time).state !== 'exited';
  });
  const made = services.flatMap((service) => {
    const have = kept.filter((container) => container.service === service.name).length;
    return Array.from({ length: Math.max(0, service.replicas - have) }, () =>
      world.newContainer(service, droplet, startsAt),
    );
  });
  const fresh = made.map(({ service }) => service);
  if (JSON.parse(disk.state).stopped?.release === id) world.monitor.runsAgain(deployer, droplet, fresh);
  const stopped = droplet.containers.filter((container) => !kept.includes(container));
  if (made.length > 0 || stopped.length > 0) world.monitor.containersChange(deployer, droplet);
  droplet.containers = [...kept, ...made];
  const failing = made.find((container) => container.behaviour.kind === 'does-not-start');
  if (failing) {
    return {
      code: 1,
      stdout: `Error response from daemon: ${failing.service} failed to start`,
      stderr: '',
      ms: RECREATING_MS,
    };
  }
  return { code: 0, stdout: '', stderr: '', ms: made.length > 0 ? RECREATING_MS : 0 };
}
