/**
 * How droplets differ from the fleet's release, and from each other. Pure: what was read goes in, differences come out.
 * A file is reported by its name and hashes, never by its content.
 */

import { inWords } from '../durations.js';
import { type ContainerView, judgeHealth, type ServiceSpec } from './health.js';
import type { Rotation } from './model.js';

/** A file of a release that has changed since it was deployed. Hashes are SHA-256 in hexadecimal. */
export interface FileChange {
  path: string;
  deployed: string;
  /** Absent: the file is gone. */
  found?: string;
}

/** The release that the droplets are compared with. */
export interface FleetRelease {
  id: string;
  services: readonly ServiceSpec[];
  /** By service: the image as compose files name it, and the id that its containers must have. */
  images: Readonly<Record<string, { reference: string; imageId: string }>>;
}

/** What was read from a droplet. */
export interface DropletCheckup {
  /** Its version; absent: Docker does not answer, and `problem` says why. */
  docker?: string;
  compose?: string;
  /** What Docker or Compose printed instead of a version. */
  problem?: string;
  diskFreeBytes?: number;
  /** e.g. "92%" */
  diskUsed?: string;
  /** What to type before a command to run it there: `ssh root@203.0.113.1`. */
  login?: string;
  /** How far its clock is ahead of this machine's, beyond the time of the connection; in ms. */
  clockAheadMs?: number;
  /** The verified release that it runs. */
  current?: string;
  /** The release that it was being switched to. */
  halfWayTo?: string;
  /** What it runs or holds of another environment, as a message: "runs shop for staging". */
  otherEnvironment?: string;
  /** The release's images by service, with the ids that they have on this droplet. */
  built?: FleetRelease['images'];
  /** Names of services that `do-deploy stop` has stopped. */
  stopped?: ReadonlySet<string>;
  changedFiles: readonly FileChange[];
  containers: readonly ContainerView[];
  /** Which running service a layer has signalled and not started again, as a message. */
  signalled?: string;
  /** The droplet's clock when its containers were read, in ms since the epoch. */
  now: number;
  /** The balancer check made on the droplet; absent without a balancer, or if it could not be made. */
  balancerCheck?: { passed: boolean; detail: string };
  /** The request of `rollout.health.http`, likewise. */
  appCheck?: { passed: boolean; detail: string };
}

export interface DropletFacts {
  name: string;
  /** Its status at DigitalOcean: active, off, … */
  power: string;
  rotation: Rotation;
  inLedger: boolean;
  /** Since when it is out and who marked it, if the droplet knows. */
  outSince?: string;
  /** What was read from it, or why it did not answer. */
  answer: DropletCheckup | { unreachable: string };
}

export interface FleetFacts {
  /** For people: `load balancer "web" (203.0.113.9)`. */
  target: string;
  isBalanced: boolean;
  /** Absent: nothing was ever deployed, according to the droplets. */
  release?: FleetRelease;
  /** A release that is held as a canary: droplets that run it are compared with it. */
  canary?: FleetRelease;
  droplets: readonly DropletFacts[];
  /** Names of existing droplets that took part in the last rollout and are no longer in the fleet. */
  departed: readonly string[];
  /** What is wrong with the bundle that booting droplets get, as a message. */
  bundle?: string | undefined;
}

/** Stable names, for scripts. */
export type DifferenceKind =
  | 'unreachable'
  | 'not-running'
  | 'departed'
  | 'bundle'
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

/** Stands for the name of a droplet where the bundle differs. */
export const BUNDLE = 'bundle';

export interface Difference {
  /** Its name; `bundle`: what droplets get that boot by themselves. */
  droplet: string;
  kind: DifferenceKind;
  /** For people, one sentence without the droplet's name. */
  message: string;
  /** The do-deploy command that fixes it; absent if a person must. */
  fix?: 'adopt' | 'heal';
}

/** A warning; a deploy is refused below 512 MB. */
export const LOW_DISK_BYTES = 1024 * 1024 * 1024;
/** Beyond this, certificates and logs become unreliable. */
export const CLOCK_TOLERANCE_MS = 5_000;
const OLDEST_DOCKER = [20, 10] as const;
const OLDEST_COMPOSE = [2, 0] as const;
/** Characters of a hash: enough to distinguish two files. */
const HASH_LENGTH = 12;

/** In the order of the droplets; empty: the fleet matches its release. */
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
            ...withoutSick(ofRunning(droplet.name, droplet.answer, fleet), fleet),
            ...ofMachine(droplet.name, droplet.answer, usual),
          ]),
    ]),
    ...fleet.departed.map(
      (droplet): Difference => ({
        droplet,
        kind: 'departed',
        message: fleet.isBalanced
          ? `is no longer behind ${fleet.target}, as it was at the last rollout; add it there again, then run adopt`
          : `no longer has the ${fleet.target}, as it had at the last rollout; tag it again, then run adopt`,
      }),
    ),
    ...ofBundle(fleet),
  ];
}

/** `adopt` uploads the bundle of the fleet's release. */
function ofBundle({ bundle }: FleetFacts): Difference[] {
  return bundle === undefined ? [] : [{ droplet: BUNDLE, kind: 'bundle', message: bundle, fix: 'adopt' }];
}

/** What runs well nowhere is brought to no droplet that runs something else. */
function withoutSick(found: readonly Difference[], { release, droplets }: FleetFacts): Difference[] {
  const isWell = ({ name, inLedger, answer }: DropletFacts) =>
    !inLedger &&
    !('unreachable' in answer) &&
    answer.current === release?.id &&
    ofRelease(name, answer, release).every(isOfFiles);
  if (droplets.some(isWell)) return [...found];
  return found.map((one) => (one.kind === 'other-release' ? { ...one, fix: undefined } : one));
}

function isOfFiles({ kind }: Difference): boolean {
  return kind === 'file-changed' || kind === 'file-missing';
}

/** What runs the canary is compared with it, and `adopt` leaves it alone: what a killed run has left half-way, `heal` puts back. */
function ofRunning(droplet: string, seen: DropletCheckup, { release, canary }: FleetFacts): Difference[] {
  const isOnCanary = canary !== undefined && (seen.halfWayTo ?? seen.current) === canary.id;
  if (!isOnCanary || canary.id === release?.id) return ofRelease(droplet, seen, release);
  const fix = seen.halfWayTo === undefined ? undefined : 'heal';
  return ofRelease(droplet, seen, canary).map((one) => (one.fix === 'adopt' ? { ...one, fix } : one));
}

function membership({ name, rotation, inLedger, outSince }: DropletFacts, target: string): Difference[] {
  const since = outSince === undefined ? '' : ` (out since ${outSince})`;
  if (rotation === 'out' || rotation === 'unknown') {
    const message = `is missing from ${target}${inLedger ? `; a rollout marked it out${since}` : ''}`;
    // No rollout has removed it: a droplet of an autoscale pool that was never added.
    const fix = rotation === 'out' && !inLedger ? 'adopt' : 'heal';
    return [{ droplet: name, kind: 'out-of-rotation', message, fix }];
  }
  if (!inLedger) return [];
  const message =
    rotation === 'none'
      ? `is still recorded as being changed${since.replace('out since', 'since')}`
      : `is in rotation, but still marked out${since}`;
  return [{ droplet: name, kind: 'recorded-as-out', message, fix: 'heal' }];
}

function unreachable({ name, power }: DropletFacts, reason: string): Difference[] {
  if (power !== 'active')
    return [{ droplet: name, kind: 'not-running', message: `is ${power}, so it was not compared` }];
  return [{ droplet: name, kind: 'unreachable', message: `is unreachable, so it was not compared: ${reason}` }];
}

function ofRelease(droplet: string, seen: DropletCheckup, release: FleetRelease | undefined): Difference[] {
  const { otherEnvironment, ...own } = seen;
  if (otherEnvironment !== undefined) {
    const found: Difference = { droplet, kind: 'other-environment', message: otherEnvironment };
    return own.current === undefined ? [found] : [found, ...ofRelease(droplet, own, release)];
  }
  if (release === undefined || seen.current === undefined) {
    const half = seen.halfWayTo === undefined ? '' : `; the switch to ${seen.halfWayTo} is unfinished`;
    const message = `runs no release${half}`;
    return [{ droplet, kind: 'no-release', message, fix: release === undefined ? undefined : 'adopt' }];
  }
  const found: Difference[] = [];
  const add = (kind: DifferenceKind, message: string, fix?: Difference['fix']) =>
    found.push({ droplet, kind, message, fix });
  if (seen.current !== release.id) add('other-release', `runs ${seen.current} instead of ${release.id}`, 'adopt');
  if (seen.halfWayTo !== undefined) add('half-done', `has an unfinished switch to ${seen.halfWayTo}`, 'heal');
  for (const change of seen.changedFiles) {
    if (change.found === undefined) add('file-missing', `${change.path} is missing`, 'adopt');
    else
      add('file-changed', `${change.path} has changed since it was deployed${hashes(change, change.found)}`, 'adopt');
  }
  // With another release, or without Docker, the containers add nothing.
  if (seen.current !== release.id || seen.docker === undefined) return found;
  return [...found, ...ofContainers(droplet, seen, release)];
}

/** Not for a file with secrets: a short one could be guessed from its hash. */
function hashes({ path, deployed }: FileChange, found: string): string {
  if (/(^|\/)\.env|\.env$|\.(key|pem)$/.test(path)) return '';
  return ` (SHA-256 ${found.slice(0, HASH_LENGTH)}… instead of ${deployed.slice(0, HASH_LENGTH)}…)`;
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
    if (own.length === 0 && seen.stopped?.has(service.name)) continue;
    if (own.length < service.replicas) {
      const message =
        own.length === 0
          ? `${service.name} has no container`
          : `${service.name} has ${own.length} of ${service.replicas} containers`;
      found.push({ droplet, kind: 'container-missing', message, fix: 'heal' });
      continue;
    }
    const verdict = judgeHealth([service], own, seen.now);
    if (verdict.kind === 'healthy') continue;
    const message = verdict.kind === 'failed' ? verdict.cause : verdict.detail;
    found.push({ droplet, kind: 'container-not-healthy', message, fix: 'heal' });
  }
  if (found.length === 0 && seen.signalled !== undefined) {
    found.push({ droplet, kind: 'container-not-healthy', message: seen.signalled, fix: 'heal' });
  }
  if (found.length === 0 && seen.appCheck?.passed === false) {
    const message = `the app's check fails: ${seen.appCheck.detail}`;
    found.push({ droplet, kind: 'check-fails', message, fix: 'heal' });
  }
  if (found.length === 0 && seen.balancerCheck?.passed === false) {
    const message = `the balancer's health check fails: ${seen.balancerCheck.detail}`;
    found.push({ droplet, kind: 'check-fails', message, fix: 'heal' });
  }
  return found;
}

function shortId(imageId: string): string {
  return imageId.slice(0, 'sha256:'.length + HASH_LENGTH);
}

interface Usual {
  docker: string | undefined;
  compose: string | undefined;
  clockAheadMs: number;
}

function ofMachine(droplet: string, seen: DropletCheckup, usual: Usual): Difference[] {
  const found: Difference[] = [];
  const add = (kind: DifferenceKind, message: string) => found.push({ droplet, kind, message });
  if (seen.docker === undefined) add('docker-missing', `Docker does not answer: ${seen.problem ?? 'no reason given'}`);
  else if (isOldDocker(seen.docker)) add('docker-old', `Docker ${seen.docker} is older than 20.10`);
  else if (minor(seen.docker) !== usual.docker)
    add('docker-differs', `Docker is ${seen.docker}, but ${usual.docker} on the others`);
  if (seen.compose === undefined) {
    if (seen.docker !== undefined)
      add('compose-missing', `Docker Compose does not answer: ${seen.problem ?? 'no reason given'}`);
  } else if (isOlder(seen.compose, OLDEST_COMPOSE))
    add('compose-old', `Docker Compose ${seen.compose} is older than 2`);
  else if (minor(seen.compose) !== usual.compose)
    add('compose-differs', `Docker Compose is ${seen.compose}, but ${usual.compose} on the others`);
  if (seen.diskFreeBytes !== undefined && seen.diskFreeBytes < LOW_DISK_BYTES) {
    const used = seen.diskUsed === undefined ? '' : `, ${seen.diskUsed} used`;
    add('disk-low', `only ${Math.round(seen.diskFreeBytes / 1024 / 1024)} MB free on Docker's disk${used}`);
  }
  const ahead = (seen.clockAheadMs ?? usual.clockAheadMs) - usual.clockAheadMs;
  if (Math.abs(ahead) > CLOCK_TOLERANCE_MS) {
    const wrong = `its clock is ${inWords(Math.abs(ahead))} ${ahead > 0 ? 'ahead' : 'behind'}`;
    const remedy = seen.login === undefined ? '' : `: ${seen.login} sudo timedatectl set-ntp true`;
    add('clock', `${wrong}${remedy}`);
  }
  return found;
}

/** "28.1" of 28.1.2-rc1: what a fleet should have in common. Droplets get patches on different days. */
function minor(version: string | undefined): string | undefined {
  return version === undefined ? undefined : /^\d+(\.\d+)?/.exec(version)?.[0];
}

export function isOldDocker(version: string): boolean {
  return isOlder(version, OLDEST_DOCKER);
}

export function isOlder(version: string, [major, least]: readonly [number, number]): boolean {
  const [ownMajor = 0, ownMinor = 0] = version.split('.').map((part) => Number.parseInt(part, 10) || 0);
  return ownMajor < major || (ownMajor === major && ownMinor < least);
}

/** Of several equally common ones, the greatest. */
function mostCommon(values: readonly (string | undefined)[]): string | undefined {
  const known = values.filter((value) => value !== undefined);
  const count = (value: string) => known.filter((other) => other === value).length;
  const byNumber = (a: string, b: string) => a.localeCompare(b, 'en', { numeric: true });
  return [...known].sort((a, b) => count(b) - count(a) || byNumber(b, a))[0];
}

/** The median, this machine's clock (0) included: a wrong clock here is not reported for every droplet. */
function middle(values: readonly (number | undefined)[]): number {
  const sorted = [0, ...values.flatMap((value) => value ?? [])].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
}
