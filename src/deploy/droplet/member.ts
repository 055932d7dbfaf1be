/** A droplet that a run is connected to, with what the run knows about it. */

import type { DeployError } from '../../errors.js';
import type { Connection, Droplet, RemoteHost } from '../../ports.js';
import type { Holding } from '../../rollout/choose-release.js';
import type { FileChange } from '../../rollout/drift.js';
import { type ContainerView, isAlive, judgeHealth, type ServiceSpec, wasStopped } from '../../rollout/health.js';
import { sha256 } from '../release/digests.js';
import { imagesOverride, type StoredRelease } from '../release/stored-release.js';
import type { DropletStateFile, Survey } from './survey-command.js';

export interface Member {
  readonly droplet: Droplet;
  readonly host: RemoteHost;
  readonly connection: Connection;
  survey: Survey;
  /** As last read. */
  containers: readonly ContainerView[];
  /** Ids of containers that this run has seen out of memory. */
  outOfMemory?: Set<string>;
  /** Services that layers have stopped or signalled since the last release was confirmed, with the time they get to stop, in ms. */
  handled?: Map<string, number | undefined>;
  /** Services of the release that it runs or is being switched to. */
  services: readonly ServiceSpec[];
}

/** A droplet that could not be connected to, and why. */
export interface Unreachable {
  readonly droplet: Droplet;
  readonly error: DeployError;
}

/** Before the survey. */
export const NOTHING_KNOWN: Survey = {
  home: '',
  problems: [],
  releases: [],
  handled: new Map(),
  checksums: new Map(),
  found: new Map(),
};

/** What to type to log in to the droplet, with the user and the port of this run. */
export function loginTo({ host, connection }: Member): string {
  return connection.login ?? `ssh ${host.address}`;
}

/** Where the droplet answers SSH; undefined when it has no such address. */
export function addressOf(droplet: Droplet, which: 'public' | 'private'): string | undefined {
  return which === 'public' ? droplet.publicAddress : droplet.privateAddress;
}

/** The release with this id as the droplet holds it. */
export function heldRelease(member: Member, id: string | undefined): StoredRelease | undefined {
  return member.survey.releases.find((release) => release.id === id);
}

/** The release as the droplet holds it: images built there have ids of their own. */
export function ownCopy(member: Member, release: StoredRelease): StoredRelease {
  return heldRelease(member, release.id) ?? release;
}

export function currentRelease(member: Member): StoredRelease | undefined {
  return heldRelease(member, member.survey.current);
}

/** Id of the release that it runs or is being switched to: until the gates have passed, `current` names the one before. */
export function runningRelease({ survey: { state, current } }: Member): string {
  return (state?.phase === 'switching' ? state.release : current) ?? '';
}

/** What choosing a release needs to know about the droplet. */
export function holdingOf({ survey: { releases, state, current } }: Member): Holding {
  return { holds: releases.map((release) => release.id), state, current };
}

/** Files of the current release that differ from what was deployed; empty without a current release. */
export function changedFiles(member: Member): FileChange[] {
  const { checksums, found } = member.survey;
  const current = currentRelease(member);
  if (current === undefined) return member.survey.current === undefined ? [] : [{ path: 'release.json', deployed: '' }];
  const deployed = new Map([...checksums, ['images.yml', sha256(imagesOverride(current.images))]]);
  return [...deployed].flatMap(([path, expected]): FileChange[] => {
    const now = found.get(path);
    return now === expected ? [] : [{ path, deployed: expected, found: now }];
  });
}

/** Whether it has containers that can be judged: of a project that do-deploy did not start, those that still run. */
export function runsSomething({ services, containers }: Pick<Member, 'services' | 'containers'>): boolean {
  return services.length > 0 ? containers.length > 0 : containers.some(isAlive);
}

const NONE: ReadonlySet<string> = new Set();

/** Names of services that `do-deploy stop` has stopped on the droplet, with this release. */
export function stoppedOn(
  { survey: { state } }: Pick<Member, 'survey'>,
  release: string | undefined,
): ReadonlySet<string> {
  const { stopped } = state ?? {};
  return stopped !== undefined && stopped.release === release ? new Set(stopped.services) : NONE;
}

/** A service that is stopped has no containers. */
export function withStopped<S extends ServiceSpec>(services: readonly S[], stopped: ReadonlySet<string>): S[] {
  return services.map((service) => (stopped.has(service.name) ? { ...service, replicas: 0 } : service));
}

/** What has to run of the release on the droplet. */
export function servicesOn(member: Member, release: StoredRelease): ServiceSpec[] {
  return withStopped(ownCopy(member, release).services, stoppedOn(member, release.id));
}

/** A droplet whose role has changed holds the same release with other services, or other files. */
export function isOfOtherRole(member: Member, release: StoredRelease): boolean {
  const { profiles, content } = ownCopy(member, release);
  return String(profiles) !== String(release.profiles) || content !== release.content;
}

/** Whether the droplet runs these images, verified, and nothing that layers have stopped. */
export function runsAlready(member: Member, release: StoredRelease): boolean {
  const { survey, containers } = member;
  const { state } = survey;
  if (survey.current !== release.id || state?.release !== release.id || state.phase !== 'verified') return false;
  const { images } = ownCopy(member, release);
  if (isOfOtherRole(member, release)) return false;
  const services = servicesOn(member, release);
  const empty = new Set(services.filter(({ replicas }) => replicas === 0).map(({ name }) => name));
  return Object.entries(images).every(([service, image]) => {
    const own = containers.filter((container) => container.service === service);
    if (own.length === 0) return empty.has(service);
    return own.every((one) => one.imageId === image.imageId && one.handled !== true && !wasStopped(one));
  });
}

/** Whether the droplet runs the release unchanged, and none of its containers has failed. */
export function needsNothing(member: Member, release: StoredRelease): boolean {
  const services = servicesOn(member, release);
  const now = member.survey.containers?.now ?? 0;
  return runsUnchanged(member, release) && judgeHealth(services, member.containers, now).kind !== 'failed';
}

/** Whether the droplet runs these images, verified, with every file as it was deployed. */
export function runsUnchanged(member: Member, release: StoredRelease): boolean {
  return runsAlready(member, release) && changedFiles(member).length === 0;
}

/** "sidekiq was signalled before a deploy, and not started again", of what runs; undefined: no service was. */
export function signalled({ containers }: Member): string | undefined {
  const found = containers.find(({ handled, state }) => handled === true && state === 'running');
  return found && `${found.service} was signalled before a deploy, and not started again`;
}

/** Its containers have begun to change, and their gates have not passed. */
export function isHalfDone({ survey }: Pick<Member, 'survey'>): boolean {
  return survey.state?.phase === 'switching';
}

/** Id of the release that the droplet ran, verified, before its current one, also when it is half-way to another. */
export function beforeCurrent({ survey: { current, state } }: Member): string | undefined {
  const before = state?.release === current ? state?.previous : state?.earlier;
  return before === current ? undefined : before;
}

/**
 * Ids of the releases whose gates have passed on the droplet. Older versions of do-deploy do not record them: then all
 * releases count that it held when the last one passed, except one that it was left half-way to.
 */
export function provenOn({ survey: { current, state, releases } }: Member): Set<string> {
  if (current === undefined) return new Set(state?.proven);
  const half = state?.phase === 'switching' ? state.release : undefined;
  const held = releases.filter(({ id, createdAt }) => id !== half && createdAt <= (state?.since ?? createdAt));
  return new Set([...(state?.proven ?? held.map(({ id }) => id)), current]);
}

/**
 * The next state.json: the release is being switched to, or its gates have passed. Until then, what was stopped stays recorded
 * with its release: a droplet that goes back, or is repaired, is as it was before.
 * @param stopped names of services that are stopped with this release once its gates have passed
 * @param failed id of a release that the droplet leaves because it has failed: no later run goes back to it
 */
export function nextState(
  member: Member,
  release: string,
  phase: DropletStateFile['phase'],
  written: Pick<DropletStateFile, 'run' | 'since'>,
  stopped: ReadonlySet<string> = NONE,
  failed?: string,
): DropletStateFile {
  const { current, releases } = member.survey;
  const { previous, earlier } = ranBefore(member, release, phase, failed);
  const proven = provenOn(member);
  if (current === failed && phase === 'verified') proven.delete(failed ?? '');
  if (phase === 'verified') proven.add(release);
  return {
    release,
    phase,
    previous,
    earlier,
    proven: releases.map(({ id }) => id).filter((id) => proven.has(id)),
    stopped: phase === 'switching' ? member.survey.state?.stopped : stoppedWith(release, stopped),
    ...written,
  };
}

/** What the droplet ran before the release, and before that. */
function ranBefore(
  member: Member,
  release: string,
  phase: DropletStateFile['phase'],
  failed: string | undefined,
): Pick<DropletStateFile, 'previous' | 'earlier'> {
  const { current, state } = member.survey;
  if (current === release) {
    const earlier = state?.release === current ? state.earlier : undefined;
    return { previous: beforeCurrent(member), earlier };
  }
  // As if what has failed had never run.
  if (current !== undefined && current === failed)
    return { previous: phase === 'switching' ? state?.earlier : state?.previous };
  return { previous: current, earlier: beforeCurrent(member) };
}

function stoppedWith(release: string, stopped: ReadonlySet<string>): DropletStateFile['stopped'] {
  return stopped.size === 0 ? undefined : { release, services: [...stopped].sort() };
}
