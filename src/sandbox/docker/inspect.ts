import { createHash } from 'node:crypto';
import type { Container } from './container.js';
import type { HealthMonitor } from './health-monitor.js';
import type { LocalImage } from './image-store.js';

/** Go's zero time: never. */
const NEVER = '0001-01-01T00:00:00Z';

/**
 * `docker inspect` of a container, as far as do-deploy and its tests read it. One deviation: NetworkSettings.Ports names
 * a served port by the port on 127.0.0.1 that serves it ("43211/tcp"), because the container shares the host's network.
 * That is the port to look for in /proc/PID/net/tcp.
 * @param dataRoot DockerRootDir
 */
export function inspectContainer(container: Container, dataRoot: string): unknown {
  const { spec } = container;
  const launched = container.status === 'running';
  return {
    Id: container.id,
    State: {
      Status: container.status,
      Running: container.running,
      Restarting: container.status === 'restarting',
      OOMKilled: container.oomKilled,
      Pid: launched ? process.pid : 0,
      ExitCode: container.exitCode,
      Error: container.error,
      StartedAt: timeOf(container.startedAt),
      FinishedAt: timeOf(container.finishedAt),
      Health: container.health && health(container.health),
    },
    Image: spec.image.id,
    ResolvConfPath: `${dataRoot}/containers/${container.id}/resolv.conf`,
    Name: `/${container.name}`,
    RestartCount: container.restartCount,
    HostConfig: {
      NetworkMode: spec.network,
      RestartPolicy: { Name: spec.restart.name, MaximumRetryCount: spec.restart.maximumRetryCount },
    },
    Mounts: spec.mounts.map((mount) => ({
      Type: mount.type,
      Name: mount.name,
      Source: mount.source,
      Destination: mount.target,
      RW: !mount.readOnly,
    })),
    Config: {
      Env: Object.entries(spec.env).map(([key, value]) => `${key}=${value}`),
      Image: spec.imageName,
      Labels: spec.labels,
    },
    NetworkSettings: { Ports: launched ? ports(container) : {} },
  };
}

export function inspectImage({ image, tags, digests }: LocalImage): unknown {
  // The stand-in's images run on any machine.
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
  return { Id: image.id, RepoTags: [...tags], RepoDigests: [...digests], Architecture: architecture, Os: 'linux' };
}

/** The bridge's name on the host: `br-` and the beginning of the network's id. */
export function bridgeName(network: string): string {
  return `br-${createHash('sha256').update(`network ${network}`).digest('hex').slice(0, 12)}`;
}

function health({ status, failingStreak, log }: HealthMonitor): unknown {
  return {
    Status: status,
    FailingStreak: failingStreak,
    Log: log.map(({ start, end, exitCode, output }) => ({
      Start: timeOf(start),
      End: timeOf(end),
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
        // Without an address, Docker publishes on IPv4 and IPv6.
        .flatMap(({ hostIp, hostPort }) =>
          (hostIp === '' ? ['0.0.0.0', '::'] : [hostIp]).map((HostIp) => ({ HostIp, HostPort: `${hostPort}` })),
        );
      return [`${container.portOf(containerPort) ?? containerPort}/tcp`, bindings.length > 0 ? bindings : null];
    }),
  );
}

export function timeOf(at: number | undefined): string {
  return at === undefined ? NEVER : new Date(at).toISOString();
}
