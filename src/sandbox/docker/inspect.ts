import { createHash } from 'node:crypto';
import type { Container } from './container.js';
import type { HealthMonitor } from './health-monitor.js';
import type { LocalImage } from './image-store.js';

/** Go's zero time: never. */
const NEVER = '0001-01-01T00:00:00Z';

/**
 * `docker inspect` of a container. One deviation: in NetworkSettings.Ports, a port that is served is named by the
 * loopback port where it really is ("43211/tcp"), because the container has no network of its own: that is the port
 * to look for in /proc/PID/net/tcp.
 * @param dataRoot DockerRootDir
 */
export function inspectContainer(container: Container, dataRoot: string): unknown {
  const { spec } = container;
  const launched = container.status === 'running';
  return {
    Id: container.id,
    Created: time(container.created),
    Path: (spec.entrypoint ?? spec.image.entrypoint)[0] ?? '',
    Args: [...(spec.entrypoint ?? spec.image.entrypoint).slice(1), ...(spec.command ?? spec.image.command)],
    State: {
      Status: container.status,
      Running: container.running,
      Paused: false,
      Restarting: container.status === 'restarting',
      OOMKilled: container.oomKilled,
      Dead: false,
      Pid: launched ? process.pid : 0,
      ExitCode: container.exitCode,
      Error: container.error,
      StartedAt: time(container.startedAt),
      FinishedAt: time(container.finishedAt),
      ...(container.health !== undefined && { Health: health(container.health) }),
    },
    Image: spec.image.id,
    ResolvConfPath: `${dataRoot}/containers/${container.id}/resolv.conf`,
    Name: `/${container.name}`,
    RestartCount: container.restartCount,
    HostConfig: {
      NetworkMode: spec.network,
      PortBindings: Object.fromEntries(
        spec.ports.map(({ containerPort, hostIp, hostPort }) => [
          `${containerPort}/tcp`,
          [{ HostIp: hostIp, HostPort: `${hostPort}` }],
        ]),
      ),
      RestartPolicy: { Name: spec.restart.name, MaximumRetryCount: spec.restart.maximumRetryCount },
    },
    Mounts: spec.mounts.map((mount) => ({
      Type: mount.type,
      Name: mount.name,
      Source: mount.source,
      Destination: mount.target,
      ...(mount.type === 'volume' && { Driver: 'local' }),
      Mode: mount.type === 'volume' ? 'z' : mount.readOnly ? 'ro' : 'rw',
      RW: !mount.readOnly,
      Propagation: mount.type === 'bind' ? 'rprivate' : '',
    })),
    Config: {
      Hostname: container.id.slice(0, 12),
      Env: Object.entries(spec.env).map(([key, value]) => `${key}=${value}`),
      Cmd: spec.command ?? spec.image.command,
      Entrypoint: spec.entrypoint ?? spec.image.entrypoint,
      Image: spec.imageName,
      ExposedPorts: Object.fromEntries(spec.image.exposedPorts.map((port) => [`${port}/tcp`, {}])),
      Labels: spec.labels,
      ...(spec.healthTest !== undefined && { Healthcheck: { Test: spec.healthTest } }),
    },
    NetworkSettings: {
      Ports: launched ? ports(container) : {},
      // With user-defined networks this one is always empty.
      IPAddress: '',
      Networks: {
        [spec.network]: {
          NetworkID: networkId(spec.network),
          IPAddress: launched ? container.address : '',
          Gateway: launched ? container.address.replace(/\d+$/, '1') : '',
        },
      },
    },
  };
}

export function inspectImage({ image, tags, digests }: LocalImage): unknown {
  return {
    Id: image.id,
    RepoTags: [...tags],
    RepoDigests: [...digests],
    Created: image.created,
    Architecture: 'amd64',
    Os: 'linux',
    Config: {
      Env: image.env,
      Cmd: image.command,
      Entrypoint: image.entrypoint,
      ExposedPorts: Object.fromEntries(image.exposedPorts.map((port) => [`${port}/tcp`, {}])),
    },
  };
}

/** The bridge's name on the host: `br-` and the beginning of the network's id. */
export function bridgeName(network: string): string {
  return `br-${networkId(network).slice(0, 12)}`;
}

function networkId(network: string): string {
  return createHash('sha256').update(`network ${network}`).digest('hex');
}

function health({ status, failingStreak, log }: HealthMonitor): unknown {
  return {
    Status: status,
    FailingStreak: failingStreak,
    Log: log.map(({ start, end, exitCode, output }) => ({
      Start: time(start),
      End: time(end),
      ExitCode: exitCode,
      Output: output,
    })),
  };
}

function ports(container: Container): Record<string, { HostIp: string; HostPort: string }[] | null> {
  const published = container.spec.ports;
  const known = new Set([...container.spec.image.exposedPorts, ...published.map(({ containerPort }) => containerPort)]);
  return Object.fromEntries(
    [...known].map((containerPort) => {
      const bindings = published
        .filter((port) => port.containerPort === containerPort)
        // Without an address it is published on IPv6 too.
        .flatMap(({ hostIp, hostPort }) =>
          (hostIp === '' ? ['0.0.0.0', '::'] : [hostIp]).map((ip) => [ip, hostPort] as const),
        )
        .map(([HostIp, hostPort]) => ({ HostIp, HostPort: `${hostPort}` }));
      return [`${container.portOf(containerPort) ?? containerPort}/tcp`, bindings.length > 0 ? bindings : null];
    }),
  );
}

function time(at: number | undefined): string {
  return at === undefined ? NEVER : new Date(at).toISOString();
}
