import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { relative } from 'node:path';
import type { ContainerSpec, Mount, PublishedPort, RestartPolicy } from '../container.js';
import { parseDuration } from '../duration.js';
import type { Engine } from '../engine.js';
import { DockerFailure, daemonError, NotImplemented } from '../failure.js';
import { readHealthCommand } from '../health-command.js';
import type { HealthSettings } from '../health-monitor.js';
import type { Image } from '../image.js';
import type { ComposeProject, HealthcheckModel, ServiceModel } from './model.js';

/** Docker's defaults for what a healthcheck leaves open. */
const DEFAULTS = { interval: '30s', timeout: '30s', retries: 3, startPeriod: '0s', startInterval: '5s' };

/** The container that a service wants, and whether an existing one still is that container. */
export class ServicePlan {
  readonly name: string;
  readonly service: ServiceModel;
  readonly image: Image;
  readonly hash: string;
  readonly #project: ComposeProject;

  constructor(project: ComposeProject, name: string, service: ServiceModel, image: Image) {
    this.#project = project;
    this.name = name;
    this.service = service;
    this.image = image;
    this.hash = configHash(service);
  }

  /** Recreate only when the definition or the image changed. */
  isMetBy(labels: Readonly<Record<string, string>>): boolean {
    return (
      labels['com.docker.compose.config-hash'] === this.hash && labels['com.docker.compose.image'] === this.image.id
    );
  }

  /** Makes missing volumes and bind folders on the way, as Docker does. */
  containerSpec(engine: Engine, number: number, labels: Record<string, string>): ContainerSpec {
    const { service, image } = this;
    const [network = 'default'] = Object.keys(service.networks);
    const set = Object.entries(service.environment ?? {}).filter(
      (entry): entry is [string, string] => entry[1] !== null,
    );
    const health = readHealth(engine, service.healthcheck);
    return {
      image,
      imageName: service.image,
      env: { ...Object.fromEntries(image.env.map(splitPair)), ...Object.fromEntries(set) },
      command: service.command ?? undefined,
      entrypoint: service.entrypoint ?? undefined,
      labels: { ...service.labels, ...labels, ...this.#labels(number) },
      ports: readPorts(engine, service),
      mounts: readMounts(engine, this.#project, service),
      restart: readRestart(service.restart ?? 'no'),
      health: health.settings,
      healthTest: health.test,
      network: this.#project.networks[network]?.name ?? `${this.#project.name}_default`,
    };
  }

  #labels(number: number): Record<string, string> {
    const dependsOn = Object.entries(this.service.depends_on ?? {});
    return {
      'com.docker.compose.config-hash': this.hash,
      'com.docker.compose.container-number': `${number}`,
      'com.docker.compose.depends_on': dependsOn
        .map(([name, { condition, restart }]) => `${name}:${condition}:${restart ?? false}`)
        .join(','),
      'com.docker.compose.image': this.image.id,
      'com.docker.compose.oneoff': 'False',
      'com.docker.compose.project': this.#project.name,
      'com.docker.compose.service': this.name,
    };
  }
}

/** Compose leaves out what changes no container: scale, dependencies, profiles. */
function configHash(service: ServiceModel): string {
  const { depends_on, profiles, scale, deploy, ...rest } = service;
  const { replicas, ...otherDeploy } = deploy ?? {};
  return createHash('sha256')
    .update(stableJson({ ...rest, deploy: { resources: {}, placement: {}, ...otherDeploy } }))
    .digest('hex');
}

function stableJson(value: unknown): string {
  return JSON.stringify(value, (_key, entry: unknown) =>
    typeof entry === 'object' && entry !== null && !Array.isArray(entry)
      ? Object.fromEntries(Object.entries(entry).sort(([one], [other]) => (one < other ? -1 : 1)))
      : entry,
  );
}

function splitPair(pair: string): [string, string] {
  const equals = pair.indexOf('=');
  return [pair.slice(0, equals), pair.slice(equals + 1)];
}

function readPorts(engine: Engine, service: ServiceModel): PublishedPort[] {
  return (service.ports ?? []).map(({ target, published, host_ip }) => ({
    containerPort: target,
    hostPort: published === undefined ? engine.freeHostPort() : Number(published),
    hostIp: host_ip ?? '',
  }));
}

function readMounts(engine: Engine, project: ComposeProject, service: ServiceModel): Mount[] {
  return (service.volumes ?? []).map((volume): Mount => {
    const { target, source = '' } = volume;
    const readOnly = volume.read_only ?? false;
    if (volume.type === 'volume') {
      const name = project.volumes[source]?.name ?? randomBytes(32).toString('hex');
      return { type: 'volume', name, source: engine.volumeFolder(name), target, readOnly };
    }
    if (relative(engine.boundary, source).startsWith('..')) {
      throw new NotImplemented(`bind mount of ${source}, which is outside the droplet's folder`);
    }
    if (!existsSync(source)) {
      if (volume.bind?.create_host_path !== true) {
        throw daemonError(`invalid mount config for type "bind": bind source path does not exist: ${source}`);
      }
      mkdirSync(source, { recursive: true });
    }
    return { type: 'bind', source, target, readOnly };
  });
}

function readRestart(policy: string): RestartPolicy {
  const [given = '', count = '0'] = policy.split(':');
  const name = (['no', 'always', 'unless-stopped', 'on-failure'] as const).find((known) => known === given);
  if (name === undefined) {
    throw daemonError(
      `invalid restart policy: unknown policy '${given}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
    );
  }
  return { name, maximumRetryCount: Number(count) };
}

function readHealth(
  engine: Engine,
  model: HealthcheckModel | undefined,
): { settings: HealthSettings | undefined; test: string[] | undefined } {
  const test = model?.disable === true ? ['NONE'] : model?.test;
  if (model === undefined || test === undefined || test[0] === 'NONE') return { settings: undefined, test };
  if (model.start_interval !== undefined && !engine.hasStartInterval) {
    throw new DockerFailure("can't set healthcheck.start_interval as feature require Docker Engine v25 or later");
  }
  const ms = (duration: string) => parseDuration(duration) ?? 0;
  const interval = model.interval ?? DEFAULTS.interval;
  return {
    test,
    settings: {
      command: readHealthCommand(test),
      intervalMs: ms(interval),
      timeoutMs: ms(model.timeout ?? DEFAULTS.timeout),
      retries: model.retries ?? DEFAULTS.retries,
      startPeriodMs: ms(model.start_period ?? DEFAULTS.startPeriod),
      startIntervalMs: ms(engine.hasStartInterval ? (model.start_interval ?? DEFAULTS.startInterval) : interval),
    },
  };
}
