/** A droplet in a run: its connection and what the run has learned of it. */
import type { DeployError } from '../errors.js';
import type { Connection, Droplet, RemoteHost } from '../ports.js';
import type { Holding } from '../rollout/choose-release.js';
import type { FileChange } from '../rollout/drift.js';
import type { ContainerView, ServiceSpec } from '../rollout/health.js';
import type { DoorWatch } from './door.js';
import { imagesOverride, type ReleaseRecord, sha256 } from './release.js';
import type { Survey } from './remote/survey.js';

export interface Site {
  readonly droplet: Droplet;
  readonly host: RemoteHost;
  readonly connection: Connection;
  survey: Survey;
  /** The containers at the last look. */
  containers: readonly ContainerView[];
  /** Arrivals at its door since the run first listened. */
  door?: DoorWatch;
  /** Whether the balancer was heard at the door while the droplet was in rotation; absent when nobody listened then. */
  heard?: boolean;
  /** Since it was to leave: DigitalOcean has shown that it is out, and then the balancer was heard to let go of it. */
  leaving?: { how: 'asked' | 'shown' | 'let go'; at: number };
  /** Since when this run has found it well, each time that it looked; on the run's clock. */
  wellSince?: number;
  /** It failed a check of this run's, or restarted by itself, and has not settled since. */
  stumbled?: boolean;
  /** When its containers were last watched for restarts, on the run's clock. */
  watchedAt?: number;
  /** Connections a second just before it left. */
  rateBefore?: number;
  /** Services of the release that it is being switched to, or runs. */
  services: readonly ServiceSpec[];
}

/** Before the survey. */
export const NOTHING_KNOWN: Survey = { home: '', problems: [], releases: [], checksums: new Map(), found: new Map() };

export function currentRelease(site: Site): ReleaseRecord | undefined {
  return site.survey.releases.find((release) => release.id === site.survey.current);
}

/** What the choice of a release needs to know of the droplet. */
export function holdingOf({ survey }: Site): Holding {
  return {
    holds: survey.releases.map((release) => release.id),
    ...(survey.state && { state: survey.state }),
    ...(survey.current && { current: survey.current }),
  };
}

/** The files of the droplet's current release that are not as they were deployed; empty without one. */
export function changedFiles(site: Site): FileChange[] {
  const { checksums, found } = site.survey;
  const record = currentRelease(site);
  if (record === undefined) return site.survey.current === undefined ? [] : [{ path: 'release.json', deployed: '' }];
  const deployed = new Map([...checksums, ['images.yml', sha256(imagesOverride(record.images))]]);
  return [...deployed].flatMap(([path, expected]): FileChange[] => {
    const now = found.get(path);
    return now === expected ? [] : [{ path, deployed: expected, ...(now !== undefined && { found: now }) }];
  });
}

/** The release as this droplet holds it: what was built there has an id of its own. */
export function ownRecord(site: Site, record: ReleaseRecord): ReleaseRecord {
  return site.survey.releases.find((release) => release.id === record.id) ?? record;
}

/** What the droplet ran, verified, before the release; also when it runs that release already. */
export function releaseBefore({ survey: { current, state } }: Site, release: string): string | undefined {
  const before = current === release ? state?.previous : current;
  return before === release ? undefined : before;
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
