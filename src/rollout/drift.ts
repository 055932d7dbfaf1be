/**
 * How droplets differ from the fleet's release, and from each other. Pure: what was read goes in, differences come out.
 * A file is told by its name and hashes, never by its content.
 */
import { type ContainerView, judgeHealth, type ServiceSpec } from './health.js';
import type { Rotation } from './model.js';

/** A file of a release that is not as it was deployed. Hashes are SHA-256 in hexadecimal. */
export interface FileChange {
  path: string;
  deployed: string;
  /** Absent: the file is gone. */
  found?: string;
}

/** The release that the fleet is compared with. */
export interface FleetRelease {
  id: string;
  services: readonly ServiceSpec[];
  /** By service: the image as compose files name it, and the id that its containers must have. */
  images: Readonly<Record<string, { reference: string; imageId: string }>>;
}

/** What a droplet said of itself. */
export interface DropletCheckup {
  /** Absent: it does not answer, and `problem` says why. */
  docker?: string;
  compose?: string;
  /** What Docker or compose said instead of a version. */
  problem?: string;
  diskFreeBytes?: number;
  /** e.g. "92%" */
  diskUsed?: string;
  /** How far its clock is ahead of this machine's, beyond what the way there may take; in ms. */
  clockAheadMs?: number;
  /** The release that it runs, verified. */
  current?: string;
  /** The release that it is, or was left, half way to. */
  halfWayTo?: string;
  /** What it runs or has of another environment of the app, in words: "runs shop for staging". */
  otherEnvironment?: string;
  /** The release's images by service, with the ids that they have on this droplet. */
  built?: FleetRelease['images'];
  changedFiles: readonly FileChange[];
  containers: readonly ContainerView[];
  /** The droplet's clock at the look at its containers, ms since the epoch. */
  now: number;
  /** The balancer's own check, made on the droplet; absent without a balancer, or when it could not be made. */
  probe?: { passed: boolean; detail: string };
}

export interface DropletFacts {
  name: string;
  /** DigitalOcean's word: active, off, … */
  power: string;
  rotation: Rotation;
  inLedger: boolean;
  /** Since when, and by whom, as far as the droplet knows. */
  outSince?: string;
  /** What it said, or why it could not be asked. */
  answer: DropletCheckup | { unreachable: string };
}

export interface FleetFacts {
  /** For people: `load balancer "web" (203.0.113.9)`. */
  target: string;
  /** Absent: nothing was ever deployed, as far as the droplets know. */
  release?: FleetRelease;
  droplets: readonly DropletFacts[];
  /** Names of droplets that were in the fleet at the last rollout, still exist, and are in it no longer. */
  departed: readonly string[];
}

/** Stable words, for scripts. */
export type DifferenceKind =
  | 'unreachable'
  | 'not-running'
  | 'departed'
  | 'out-of-rotation'
  | 'recorded-as-out'
  | 'no-release'
  | 'other-environment'
  | 'other-release'
  | 'half-done'
  | 'file-changed'
  | 'file-missing'
  | 'image-differs'
  | 'container-missing'
  | 'container-not-healthy'
  | 'check-fails'
  | 'docker-missing'
  | 'docker-old'
  | 'docker-differs'
  | 'compose-missing'
  | 'compose-old'
  | 'compose-differs'
  | 'disk-low'
  | 'clock';

export interface Difference {
  droplet: string;
  kind: DifferenceKind;
  /** For people, one sentence without the droplet's name. */
  message: string;
  /** The command of do-deploy that puts it right; absent where somebody has to look. */
  fix?: 'adopt' | 'heal';
}

/** A deploy is refused below 512 MB; this is when to hear of it. */
export const LOW_DISK_BYTES = 1024 * 1024 * 1024;
/** Certificates and logs bear less than this. */
export const CLOCK_TOLERANCE_MS = 5_000;
const OLDEST_DOCKER = [20, 10] as const;
const OLDEST_COMPOSE = [2, 0] as const;
/** A container that has run this long has got over its restarts. */
const STABLE_AFTER_MS = 10 * 60_000;
/** Enough to tell two files apart. */
const HASH_SHOWN = 12;

/** In the droplets' order; none means that the fleet is as its release says. */
export function findDifferences(fleet: FleetFacts): Difference[] {
  const answers = fleet.droplets.flatMap(({ answer }) => ('unreachable' in answer ? [] : [answer]));
  const usual = {
    docker: mostCommon(answers.map(({ docker }) => minor(docker))),
    compose: mostCommon(answers.map(({ compose }) => minor(compose))),
    clockAheadMs: middle(answers.map(({ clockAheadMs }) => clockAheadMs)),
  };
  return [
    ...fleet.droplets.flatMap((droplet) => [
      ...membership(droplet, fleet.target),
      ...('unreachable' in droplet.answer
        ? unreachable(droplet, droplet.answer.unreachable)
        : [
            ...ofRelease(droplet.name, droplet.answer, fleet.release),
            ...ofMachine(droplet.name, droplet.answer, usual),
          ]),
    ]),
    ...fleet.departed.map(
      (droplet): Difference => ({
        droplet,
        kind: 'departed',
        message: `is no longer behind ${fleet.target}, though it was at the last rollout; put it back there, then adopt`,
      }),
    ),
  ];
}

function membership({ name, rotation, inLedger, outSince }: DropletFacts, target: string): Difference[] {
  const since = outSince === undefined ? '' : ` (out since ${outSince})`;
  if (rotation === 'out' || rotation === 'unknown') {
    const message = `is missing from ${target}${inLedger ? `; a rollout has left it out${since}` : ''}`;
    // Not taken out by a rollout: a droplet of the autoscale pool that was never put in.
    const fix = rotation === 'out' && !inLedger ? 'adopt' : 'heal';
    return [{ droplet: name, kind: 'out-of-rotation', message, fix }];
  }
  if (!inLedger) return [];
  const message = `is in rotation, but still recorded as out${since}`;
  return [{ droplet: name, kind: 'recorded-as-out', message, fix: 'heal' }];
}

function unreachable({ name, power }: DropletFacts, reason: string): Difference[] {
  if (power !== 'active')
    return [{ droplet: name, kind: 'not-running', message: `is ${power}: it could not be compared` }];
  return [{ droplet: name, kind: 'unreachable', message: `cannot be reached, so it could not be compared: ${reason}` }];
}

function ofRelease(droplet: string, seen: DropletCheckup, release: FleetRelease | undefined): Difference[] {
  const { otherEnvironment, ...own } = seen;
  if (otherEnvironment !== undefined) {
    const told: Difference = { droplet, kind: 'other-environment', message: otherEnvironment };
    return own.current === undefined ? [told] : [told, ...ofRelease(droplet, own, release)];
  }
  if (release === undefined || seen.current === undefined) {
    const half = seen.halfWayTo === undefined ? '' : `; it is half way to ${seen.halfWayTo}`;
    const message = `runs no release${half}`;
    return [{ droplet, kind: 'no-release', message, ...(release !== undefined && { fix: 'adopt' as const }) }];
  }
  const found: Difference[] = [];
  const tell = (kind: DifferenceKind, message: string, fix?: Difference['fix']) =>
    found.push({ droplet, kind, message, ...(fix && { fix }) });
  if (seen.current !== release.id) tell('other-release', `runs ${seen.current} instead of ${release.id}`, 'adopt');
  if (seen.halfWayTo !== undefined) tell('half-done', `is half way to ${seen.halfWayTo}`, 'heal');
  for (const change of seen.changedFiles) {
    if (change.found === undefined) tell('file-missing', `${change.path} is gone`, 'adopt');
    else tell('file-changed', `${change.path} is not as it was deployed${hashes(change, change.found)}`, 'adopt');
  }
  // Of another release, or without Docker, the containers say nothing more.
  if (seen.current !== release.id || seen.docker === undefined) return found;
  return [...found, ...ofContainers(droplet, seen, release)];
}

/** Not of a file with secrets: a short one could be guessed by its hash. */
function hashes({ path, deployed }: FileChange, found: string): string {
  if (/(^|\/)\.env|\.env$|\.(key|pem)$/.test(path)) return '';
  return ` (SHA-256 ${found.slice(0, HASH_SHOWN)}… instead of ${deployed.slice(0, HASH_SHOWN)}…)`;
}

function ofContainers(droplet: string, seen: DropletCheckup, release: FleetRelease): Difference[] {
  const found: Difference[] = [];
  for (const service of release.services) {
    const own = seen.containers.filter((container) => container.service === service.name);
    const image = seen.built?.[service.name] ?? release.images[service.name];
    const other = own.find((container) => image !== undefined && container.imageId !== image.imageId);
    if (other !== undefined && image !== undefined) {
      const message = `${service.name} runs image ${shortId(other.imageId)} instead of ${shortId(image.imageId)} (${image.reference})`;
      found.push({ droplet, kind: 'image-differs', message, fix: 'adopt' });
    }
    if (own.length < service.replicas) {
      const message =
        own.length === 0
          ? `${service.name} has no container`
          : `${service.name} has ${own.length} of ${service.replicas} containers`;
      found.push({ droplet, kind: 'container-missing', message, fix: 'heal' });
      continue;
    }
    const verdict = judgeHealth(
      [service],
      own.map((container) => asOfLate(container, seen.now)),
      seen.now,
    );
    if (verdict.kind === 'healthy') continue;
    const message = verdict.kind === 'failed' ? verdict.cause : verdict.detail;
    found.push({ droplet, kind: 'container-not-healthy', message, fix: 'heal' });
  }
  if (found.length === 0 && seen.probe?.passed === false) {
    const message = `the balancer’s health check fails on it: ${seen.probe.detail}`;
    found.push({ droplet, kind: 'check-fails', message, fix: 'heal' });
  }
  return found;
}

/** Restarts of long ago are no crash loop. */
function asOfLate(container: ContainerView, now: number): ContainerView {
  const isLongUp = container.state === 'running' && now - container.startedAt > STABLE_AFTER_MS;
  return isLongUp ? { ...container, restarts: 0 } : container;
}

function shortId(imageId: string): string {
  return imageId.slice(0, 'sha256:'.length + HASH_SHOWN);
}

interface Usual {
  docker: string | undefined;
  compose: string | undefined;
  clockAheadMs: number;
}

function ofMachine(droplet: string, seen: DropletCheckup, usual: Usual): Difference[] {
  const found: Difference[] = [];
  const tell = (kind: DifferenceKind, message: string) => found.push({ droplet, kind, message });
  if (seen.docker === undefined) tell('docker-missing', `Docker does not answer: ${seen.problem ?? 'no reason given'}`);
  else if (isOlder(seen.docker, OLDEST_DOCKER)) tell('docker-old', `Docker ${seen.docker} is older than 20.10`);
  else if (minor(seen.docker) !== usual.docker)
    tell('docker-differs', `Docker is ${seen.docker}, and ${usual.docker} on the others`);
  if (seen.compose === undefined) {
    if (seen.docker !== undefined)
      tell('compose-missing', `Docker Compose does not answer: ${seen.problem ?? 'no reason given'}`);
  } else if (isOlder(seen.compose, OLDEST_COMPOSE))
    tell('compose-old', `Docker Compose ${seen.compose} is older than 2`);
  else if (minor(seen.compose) !== usual.compose)
    tell('compose-differs', `Docker Compose is ${seen.compose}, and ${usual.compose} on the others`);
  if (seen.diskFreeBytes !== undefined && seen.diskFreeBytes < LOW_DISK_BYTES) {
    const used = seen.diskUsed === undefined ? '' : `, ${seen.diskUsed} used`;
    tell('disk-low', `only ${Math.round(seen.diskFreeBytes / 1024 / 1024)} MB are free on Docker’s disk${used}`);
  }
  const ahead = (seen.clockAheadMs ?? usual.clockAheadMs) - usual.clockAheadMs;
  if (Math.abs(ahead) > CLOCK_TOLERANCE_MS) {
    tell('clock', `its clock is ${Math.round(Math.abs(ahead) / 1_000)} s ${ahead > 0 ? 'ahead' : 'behind'}`);
  }
  return found;
}

/** "28.1" of 28.1.2-rc1: what a fleet is meant to have in common. Patches come to droplets on different days. */
function minor(version: string | undefined): string | undefined {
  return version === undefined ? undefined : /^\d+(\.\d+)?/.exec(version)?.[0];
}

function isOlder(version: string, [major, least]: readonly [number, number]): boolean {
  const [ownMajor = 0, ownMinor = 0] = version.split('.').map((part) => Number.parseInt(part, 10) || 0);
  return ownMajor < major || (ownMajor === major && ownMinor < least);
}

/** Of several that are as common, the greatest. */
function mostCommon(values: readonly (string | undefined)[]): string | undefined {
  const known = values.filter((value) => value !== undefined);
  const count = (value: string) => known.filter((other) => other === value).length;
  const byNumber = (a: string, b: string) => a.localeCompare(b, 'en', { numeric: true });
  return [...known].sort((a, b) => count(b) - count(a) || byNumber(b, a))[0];
}

/** The median with this machine's own clock (0) among them: one that is wrong here is not held against every droplet. */
function middle(values: readonly (number | undefined)[]): number {
  const sorted = [0, ...values.flatMap((value) => value ?? [])].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
}
