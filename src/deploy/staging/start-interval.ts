/**
 * `start_interval` of a healthcheck, on a Docker that does not have it yet. The project in itself is right: only the droplet
 * is too old.
 */
import { DeployError } from '../../errors.js';
import { isOlder } from '../../rollout/drift.js';
import { type ReportingPorts, warn } from '../core/report.js';
import type { Member } from '../droplet/member.js';
import type { ComposeService } from './compose-config.js';

/** API 1.44. */
const OLDEST_DOCKER = [25, 0] as const;

/**
 * From this version on, compose creates no such container where Docker is older; earlier ones leave the setting out.
 * Source: https://github.com/docker/compose/pull/10939
 */
const REFUSES = [2, 24] as const;

/** Droplets that the warning names. */
const MOST_NAMED = 5;

const isTooOld = ({ survey: { docker } }: Member) => docker !== undefined && isOlder(docker, OLDEST_DOCKER);

const namesOf = (services: readonly ComposeService[]) =>
  services.filter(({ startInterval }) => startInterval).map(({ name }) => name);

/** While all droplets still serve, throws DeployError compose-start-interval: the containers would not be created. */
export function refuseStartInterval(member: Member, services: readonly ComposeService[]): void {
  const { docker, compose } = member.survey;
  const [service] = namesOf(services);
  if (service === undefined || compose === undefined || isOlder(compose, REFUSES) || !isTooOld(member)) return;
  const droplet = member.host.name;
  const message = `The healthcheck of the service ${service} has start_interval, which needs Docker 25, and ${droplet} has Docker ${docker}: Compose ${compose} would not create its container.`;
  throw new DeployError('compose-start-interval', message, {
    droplet,
    hint: `Remove \`start_interval:\` from the compose file, or update Docker on ${droplet}.`,
  });
}

/** Once for all droplets on which checks come at `interval` from the beginning. */
export function warnAboutStartInterval(
  ports: ReportingPorts,
  members: readonly Member[],
  services: readonly ComposeService[],
): void {
  const names = namesOf(services);
  const old = members.filter(isTooOld).map(({ host, survey }) => `${host.name} (${survey.docker})`);
  if (names.length === 0 || old.length === 0) return;
  const more = old.length > MOST_NAMED ? ` and ${old.length - MOST_NAMED} more droplets` : '';
  const where = `${old.slice(0, MOST_NAMED).join(', ')}${more}`;
  warn(
    ports,
    `Docker is older than 25 on ${where}, and ignores start_interval (${names.join(', ')}): the first check of a container runs after its whole \`interval\`, 30 s by default.`,
  );
}
