/** A droplet in a run: its connection and what the run has learned of it. */

import type { DeployError } from '../../errors.js';
import type { Connection, Droplet, RemoteHost } from '../../ports.js';
import type { Holding } from '../../rollout/choose-release.js';
import type { FileChange } from '../../rollout/drift.js';
import type { ContainerView, ServiceSpec } from '../../rollout/health.js';
import { imagesOverride, sha256 } from '../release/digests.js';
import type { StoredRelease } from '../release/stored-release.js';
import type { DropletStateFile, Survey } from './survey-command.js';
/** With the user and the port that the run itself used. */
export function loginTo({ host, connection }: Member): string {
  return connection.login ?? `ssh ${host.address}`;
}

export interface Member {
  readonly droplet: Droplet;
  readonly host: RemoteHost;
  readonly connection: Connection;
  survey: Survey;
  /** The containers at the last inspection. */
  containers: readonly ContainerView[];
  /** Services of the release that it is being switched to, or runs. */
  services: readonly ServiceSpec[];
}

/** Before the survey. */
export const NOTHING_KNOWN: Survey = { home: '', problems: [], releases: [], checksums: new Map(), found: new Map() };

export function currentRelease(member: Member): StoredRelease | undefined {
  return member.survey.releases.find((release) => release.id === member.survey.current);
}

/** What it runs, or is about to: in the middle of a change `current` still names the release before. */
export function runningRelease({ survey: { state, current } }: Member): string {
  return (state?.phase === 'switching' ? state.release : current) ?? '';
}

/** What the choice of a release needs to know of the droplet. */
export function holdingOf({ survey }: Member): Holding {
  return {
    holds: survey.releases.map((release) => release.id),
    ...(survey.state && { state: survey.state }),
    ...(survey.current && { current: survey.current }),
  };
}

/** The files of the droplet's current release that are not as they were deployed; empty without one. */
export function changedFiles(member: Member): FileChange[] {
  const { checksums, found } = member.survey;
  const record = currentRelease(member);
  if (record === undefined) return member.survey.current === undefined ? [] : [{ path: 'release.json', deployed: '' }];
  const deployed = new Map([...checksums, ['images.yml', sha256(imagesOverride(record.images))]]);
  return [...deployed].flatMap(([path, expected]): FileChange[] => {
    const now = found.get(path);
    return now === expected ? [] : [{ path, deployed: expected, found: now }];
  });
}

/** The release as this droplet holds it: what was built there has an id of its own. */
export function ownCopy(member: Member, record: StoredRelease): StoredRelease {
  return member.survey.releases.find((release) => release.id === record.id) ?? record;
}

/** What the droplet ran, verified, before its current release; also when it is half-way to another one. */
export function beforeCurrent({ survey: { current, state } }: Member): string | undefined {
  const before = state?.release === current ? state?.previous : state?.earlier;
  return before === current ? undefined : before;
}

/**
 * Releases whose gates have passed on the droplet. An older version of do-deploy has not written down which: then all
 * count that it held when it last passed, but one that it was left half-way to.
 */
export function provenOn({ survey: { current, state, releases } }: Member): Set<string> {
  if (current === undefined) return new Set(state?.proven);
  const half = state?.phase === 'switching' ? state.release : undefined;
  const held = releases.filter(({ id, createdAt }) => id !== half && createdAt <= (state?.since ?? createdAt));
  return new Set([...(state?.proven ?? held.map(({ id }) => id)), current]);
}

/** What state.json is to say from now on: the release is being switched to, or its gates have passed. */
export function nextState(
  member: Member,
  release: string,
  phase: DropletStateFile['phase'],
  written: Pick<DropletStateFile, 'run' | 'since'>,
): DropletStateFile {
  const { current, releases } = member.survey;
  const isCurrent = current === release;
  const previous = isCurrent ? beforeCurrent(member) : current;
  const earlier = isCurrent || phase === 'verified' ? undefined : beforeCurrent(member);
  const proven = provenOn(member);
  if (phase === 'verified') proven.add(release);
  return {
    release,
    phase,
    previous,
    earlier,
    proven: releases.map(({ id }) => id).filter((id) => proven.has(id)),
    ...written,
  };
}

/** Where a droplet answers SSH, as DigitalOcean tells it; undefined when it has no such address. */
export function addressOf(droplet: Droplet, which: 'public' | 'private'): string | undefined {
  return which === 'public' ? droplet.publicAddress : droplet.privateAddress;
}

/** A droplet that could not be connected to, and why. */
export interface Unreachable {
  readonly droplet: Droplet;
  readonly error: DeployError;
}

/** Whether the droplet runs these bytes, verified. */
export function runsAlready(member: Member, record: StoredRelease): boolean {
  const { survey, containers } = member;
  const { state } = survey;
  if (survey.current !== record.id || state?.release !== record.id || state.phase !== 'verified') return false;
  return Object.entries(ownCopy(member, record).images).every(([service, image]) => {
    const own = containers.filter((container) => container.service === service);
    return own.length > 0 && own.every((container) => container.imageId === image.imageId);
  });
}
