/** A droplet in a run: its connection and what the run has learned of it. */
import type { DeployError } from '../errors.js';
import type { Connection, Droplet, RemoteHost } from '../ports.js';
import type { ContainerView, ServiceSpec } from '../rollout/health.js';
import type { DoorWatch } from './door.js';
import type { ReleaseRecord } from './release.js';
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
  /** Since it left: whether the balancer is known to have let go of it. */
  letGo?: boolean;
  /** Connections a second just before it left. */
  rateBefore?: number;
  /** Services of the release that it is being switched to, or runs. */
  services: readonly ServiceSpec[];
}

/** Before the survey. */
export const NOTHING_KNOWN: Survey = { home: '', problems: [], releases: [], checksums: new Map() };

export function currentRelease(site: Site): ReleaseRecord | undefined {
  return site.survey.releases.find((release) => release.id === site.survey.current);
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
