/** The compose project as a droplet's compose reads it. What a deploy refuses comes from the deploy's own checks. */
import { inWords } from '../../../durations.js';
import { isOlder } from '../../../rollout/drift.js';
import { findPlace } from '../../staging/compose-places.js';
import type { ServiceFacts } from '../compose-facts.js';
import type { DropletFacts, Facts, RoleFacts } from '../facts.js';
import type { Found } from '../found.js';

/** From this version on, Docker runs the first checks at `start_interval`. */
const START_INTERVAL = [25, 0] as const;
const DEFAULT_START_INTERVAL_MS = 5_000;

/** A first check that comes later is slow. */
const LATE_MS = 5_000;

/** A healthcheck that gives up sooner leaves an app little time to start. */
const IMPATIENT_MS = 10_000;

/** It refuses clients before API 1.44: https://docs.docker.com/engine/release-notes/29/ */
const REFUSES_OLD_CLIENTS = [29, 0] as const;

/** Its client negotiates the version: https://github.com/traefik/traefik/releases/tag/v3.6.1 */
const NEW_TRAEFIK = /(^|\/)traefik:v?(3\.(6\.[1-9]|6$|[7-9]|[1-9]\d)|[4-9]|\d\d)/;

export function checkCompose({ roles, composeTexts }: Facts): Found[] {
  const placeOf = (...keys: string[]) => findPlace(composeTexts, keys);
  return roles.flatMap((role) => [
    ...role.droplets.flatMap((droplet) =>
      (droplet.compose?.services ?? []).flatMap((service) => ofService(service, droplet, placeOf)),
    ),
    ...targetPorts(role, placeOf),
  ]);
}

type PlaceOf = (...keys: string[]) => string | undefined;

/** The same on every droplet, unless their Docker differs. */
function ofService(service: ServiceFacts, droplet: DropletFacts, placeOf: PlaceOf): Found[] {
  const { name, image = '', isOneShot, healthcheck, restarts } = service;
  const at = placeOf('services', name);
  const found: Found[] = [];
  if (!isOneShot && healthcheck === undefined && !droplet.checkedImages.has(image)) {
    found.push({
      name: 'healthcheck-missing',
      place: at,
      message: `Service ${name} has no healthcheck in the compose files, and none in its image as far as it is known.`,
      fix: `Add one to ${name}: healthcheck: { test: [CMD, wget, -q, -O, /dev/null, 'http://127.0.0.1:PORT/healthz'], interval: 2s, start_period: 10s }`,
    });
  }
  if (healthcheck !== undefined) found.push(...times(service, droplet, placeOf('services', name, 'healthcheck') ?? at));
  if (!isOneShot && !restarts) {
    found.push({
      name: 'restart-missing',
      place: at,
      message: `Service ${name} has no restart policy.`,
      fix: `Add to ${name}: restart: unless-stopped`,
    });
  }
  found.push(...dockerSocket(service, droplet, at));
  return found;
}

function times({ name, healthcheck }: ServiceFacts, { docker }: DropletFacts, place: string | undefined): Found[] {
  if (healthcheck === undefined) return [];
  const { intervalMs, retries, startPeriodMs, startIntervalMs } = healthcheck;
  const found: Found[] = [];
  const isNew = docker !== undefined && !isOlder(docker, START_INTERVAL);
  const first = isNew && startPeriodMs > 0 ? (startIntervalMs ?? DEFAULT_START_INTERVAL_MS) : intervalMs;
  if (first > LATE_MS) {
    found.push({
      name: 'healthcheck-slow',
      place,
      message: `The first healthcheck of ${name} runs after ${inWords(first)}, however soon the app is ready.`,
      fix: isNew
        ? `Add to the healthcheck of ${name}: start_period: 30s, start_interval: 1s`
        : `Set in the healthcheck of ${name}: interval: 2s. (From Docker 25 on, start_interval: 1s beside start_period does it.)`,
    });
  }
  const patience = startPeriodMs + intervalMs * retries;
  if (startPeriodMs === 0 && patience < IMPATIENT_MS) {
    found.push({
      name: 'healthcheck-impatient',
      place,
      message: `The healthcheck of ${name} calls it unhealthy after ${inWords(patience)}.`,
      fix: `Add to the healthcheck of ${name}: start_period: 30s`,
    });
  }
  return found;
}

function dockerSocket(
  { name, image = '', mountsDockerSocket }: ServiceFacts,
  { docker, name: droplet }: DropletFacts,
  place: string | undefined,
): Found[] {
  if (!mountsDockerSocket || docker === undefined || isOlder(docker, REFUSES_OLD_CLIENTS)) return [];
  if (NEW_TRAEFIK.test(image)) return [];
  return [
    {
      name: 'docker-socket',
      place,
      droplet,
      message: `Service ${name} gets the socket of Docker ${docker}.`,
      fix: `Make sure that the client in ${image} is new enough, or ask the droplet: docker compose logs ${name} | grep 'client version'`,
    },
  ];
}

function targetPorts({ balancer, droplets }: RoleFacts, placeOf: PlaceOf): Found[] {
  const services = droplets.flatMap(({ compose }) => (compose ? [compose.services] : []))[0];
  if (balancer === undefined || services === undefined) return [];
  // Where a service listens on the droplet's own network is not known.
  if (services.some(({ isHostNetwork }) => isHostNetwork)) return [];
  // A proxy of the droplet itself, or of another project, may have it.
  const isTaken = (port: number) => droplets.some(({ otherPorts }) => otherPorts.has(port));
  const ports = new Set([...balancer.targetPorts, balancer.healthCheck.port]);
  return [...ports].flatMap((port): Found[] => {
    const publishing = services.filter(({ published }) => published.some((one) => one.port === port));
    const own = publishing.flatMap(({ published }) => published.filter((one) => one.port === port));
    if (own.length === 0) {
      if (isTaken(port)) return [];
      const all = [...new Set(services.flatMap(({ published }) => published.map((one) => one.port)))];
      const known = all.length === 0 ? 'no service publishes any' : `services publish ${all.join(', ')}`;
      return [
        {
          name: 'target-port-unpublished',
          message: `Load balancer "${balancer.name}" connects to port ${port} of the droplets; ${known}.`,
          fix: `Publish it in the compose file (ports: ['${port}:PORT']), or correct the balancer's rules or health check.`,
        },
      ];
    }
    if (own.some(({ isLoopback }) => !isLoopback)) return [];
    const [service] = publishing;
    return [
      {
        name: 'target-port-loopback',
        place: placeOf('services', service?.name ?? '', 'ports'),
        message: `Service ${service?.name} publishes port ${port} on the loopback address only.`,
        fix: `Write ports: ['${port}:PORT'], without 127.0.0.1.`,
      },
    ];
  });
}
