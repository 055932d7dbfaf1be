import { DeployError } from '../../errors.js';
import type { RemoteCommand } from '../../ports.js';
import type { ContainerView } from '../../rollout/health.js';
import { errorLine } from '../core/output-lines.js';
import {
  type ContainersSeen,
  inspectContainersCommand,
  listContainersCommand,
  parseContainers,
} from './containers-command.js';
import { dockerRemedy } from './docker-remedy.js';
import type { Member } from './member.js';

/** Reads the app's containers and keeps them with the droplet. Returns the droplet's clock in ms. */
export async function loadContainers(member: Member, app: string): Promise<number> {
  return await readAndKeep(member, listContainersCommand(app));
}

/**
 * Like `loadContainers`, but cheaper: reads only the containers that are known, and all of them when one of these is
 * gone. Not for use after a change: it misses new containers.
 */
export async function refreshContainers(member: Member, app: string): Promise<number> {
  const ids = member.containers.map(({ id }) => id);
  return await readAndKeep(member, ids.length > 0 ? inspectContainersCommand(app, ids) : listContainersCommand(app));
}

/** Reads the app's containers without keeping them. Throws DeployError docker-missing or docker-answer. */
export async function readContainersNow(member: Member, app: string): Promise<ContainersSeen> {
  return await read(member, listContainersCommand(app));
}

async function readAndKeep(member: Member, command: RemoteCommand): Promise<number> {
  const { containers, now } = await read(member, command);
  keep(member, containers);
  return now;
}

/** Keeps the containers with the droplet, and with them what layers have done to their services. */
export function keep(member: Member, containers: readonly ContainerView[]): void {
  const { handled } = member;
  member.containers = containers.map((one) => {
    if (!handled?.has(one.service)) return one;
    return { ...one, handled: true, stopGraceMs: handled.get(one.service) ?? one.stopGraceMs };
  });
}

async function read(member: Member, command: RemoteCommand): Promise<ContainersSeen> {
  const { code, stdout, stderr } = await member.connection.run(command);
  if (code === 0) return remember(member, parseContainers(stdout));
  const reason = errorLine(stderr, `exit code ${code}`);
  throw new DeployError('docker-missing', `Docker does not answer on ${member.host.name}: ${reason}`, {
    droplet: member.host.name,
    hint: dockerRemedy(member, reason),
  });
}

/** Docker forgets that a container ran out of memory when it starts it again: one look that showed it is enough. */
function remember(member: Member, seen: ContainersSeen): ContainersSeen {
  const known = member.outOfMemory ?? new Set();
  for (const { id, oomKilled } of seen.containers) if (oomKilled) known.add(id);
  member.outOfMemory = known;
  return { ...seen, containers: seen.containers.map((one) => ({ ...one, oomKilled: known.has(one.id) })) };
}
