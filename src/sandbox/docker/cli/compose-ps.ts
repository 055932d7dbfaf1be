import type { Container } from '../container.js';

/** One line of `docker compose ps --format json`. */
export function composePsLine(container: Container): unknown {
  const { spec } = container;
  const ports = container.status === 'running' ? spec.ports : [];
  const publishers = ports.map(({ hostIp, hostPort, containerPort }) => ({
    URL: hostIp || '0.0.0.0',
    TargetPort: containerPort,
    PublishedPort: hostPort,
    Protocol: 'tcp',
  }));
  return {
    Command: JSON.stringify(
      [...(spec.entrypoint ?? spec.image.entrypoint), ...(spec.command ?? spec.image.command)].join(' '),
    ),
    CreatedAt: new Date(container.created).toISOString(),
    // Docker tells the code of a run that is over; a running container has 0.
    ExitCode: container.exitCode,
    Health: container.status === 'running' ? (container.health?.status ?? '') : '',
    ID: container.id.slice(0, 12),
    Image: spec.imageName,
    Labels: Object.entries(spec.labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(','),
    Mounts: spec.mounts.map(({ name, source }) => name ?? source).join(','),
    Name: container.name,
    Names: container.name,
    Networks: spec.network,
    Ports: publishers
      .map(({ URL: url, PublishedPort: port, TargetPort: target }) => `${url}:${port}->${target}/tcp`)
      .join(', '),
    Project: container.project,
    Publishers: publishers,
    Service: container.service,
    State: container.status,
    Status: statusText(container),
  };
}

function statusText(container: Container): string {
  const { status, exitCode, health } = container;
  const seconds = (since: number | undefined) =>
    `${Math.max(1, Math.round((Date.now() - (since ?? Date.now())) / 1000))} seconds`;
  if (status === 'created') return 'Created';
  if (status === 'restarting') return `Restarting (${exitCode}) ${seconds(container.finishedAt)} ago`;
  if (status === 'exited') return `Exited (${exitCode}) ${seconds(container.finishedAt)} ago`;
  const healthText =
    health === undefined ? '' : ` (${health.status === 'starting' ? 'health: starting' : health.status})`;
  return `Up ${seconds(container.startedAt)}${healthText}`;
}
