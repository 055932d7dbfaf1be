/** Commands that read the containers of a compose project, and their parser. Fields: Docker Engine API, ContainerInspect. */

import { z } from 'zod';
import { DeployError } from '../../errors.js';
import type { RemoteCommand } from '../../ports.js';
import type { ContainerView } from '../../rollout/health.js';
import { command, quote } from '../core/shell.js';

/**
 * Shell lines that print the droplet's clock and `docker inspect` of the project's containers, stopped ones included.
 * Not `docker compose ps`: its JSON changed between versions. A container that vanishes between the two calls makes
 * `docker inspect` fail; the output then lacks it, so the exit code is ignored.
 */
export function containersScript(app: string): string[] {
  return [`ids=$(${listIds(app)}) || exit 1`, ...inspectIds];
}

const printNow = 'echo "now $(date +%s)"';

// The ids are hexadecimal words.
const inspectIds = [printNow, 'if [ -n "$ids" ]; then docker inspect $ids 2>/dev/null || :; else echo "[]"; fi'];

function listIds(app: string): string {
  return `docker ps -aq --no-trunc --filter label=com.docker.compose.project=${quote(app)} --filter label=com.docker.compose.oneoff=False`;
}

/** How long a Docker daemon that is being restarted, for example by a package upgrade, may take to come back. */
const DOCKER_BACK_WITHIN_SECONDS = 30;

export function listContainersCommand(app: string): RemoteCommand {
  // While Docker starts, its socket accepts connections that it never answers.
  const list = `timeout 10 ${listIds(app)}`;
  const wait = [
    `if ! ids=$(${list} 2>/dev/null); then`,
    `  back_by=$(($(date +%s) + ${DOCKER_BACK_WITHIN_SECONDS}))`,
    `  until sleep 1; ids=$(${list} 2>/dev/null); do`,
    `    if [ "$(date +%s)" -ge $back_by ]; then ${list} >/dev/null; exit 1; fi`,
    '  done',
    'fi',
  ];
  return command('containers', { app }, ['set -u', ...wait, ...inspectIds], { timeoutMs: 75_000, reads: true });
}

/**
 * Inspects the containers with these ids only, which takes half the time of listing them first. When one of them is gone,
 * lists and inspects all, in the same round trip.
 */
export function inspectContainersCommand(app: string, ids: readonly string[]): RemoteCommand {
  const words = ids.map(quote).join(' ');
  const listing = listContainersCommand(app);
  const known = `if seen=$(timeout 10 docker inspect ${words} 2>/dev/null); then ${printNow}; printf '%s\\n' "$seen"; exit 0; fi`;
  return { ...listing, args: { app, ids }, script: [known, listing.script].join('\n') };
}

export interface ContainersSeen {
  /** The droplet's clock, ms since the epoch, to the second. */
  now: number;
  containers: ContainerView[];
  /** The compose files that each container was started from, by compose's label; '' without the label. */
  configFiles: string[];
}

const port = z.object({ HostIp: z.string().optional(), HostPort: z.string() });

const inspected = z.object({
  Id: z.string(),
  Image: z.string(),
  RestartCount: z.number(),
  State: z.object({
    Status: z.string(),
    OOMKilled: z.boolean(),
    ExitCode: z.number(),
    Error: z.string(),
    Pid: z.number(),
    StartedAt: z.string(),
    Health: z.object({ Status: z.string(), Log: z.array(z.object({ Output: z.string() })).nullish() }).nullish(),
  }),
  Config: z.object({
    Image: z.string(),
    Labels: z.record(z.string(), z.string()).nullish(),
    StopTimeout: z.number().nullish(),
  }),
  HostConfig: z.object({
    RestartPolicy: z.object({ Name: z.string() }).nullish(),
    NetworkMode: z.string().nullish(),
  }),
  NetworkSettings: z.object({ Ports: z.record(z.string(), z.array(port).nullish()).nullish() }),
});

const answer = z.array(inspected);

/** What `date +%s` printed, in ms since the epoch; undefined for anything else. Of 11 digits every number is a date. */
export function readClock(printed: string): number | undefined {
  return /^\d{1,11}$/.test(printed) ? Number(printed) * 1_000 : undefined;
}

/** Reads what `containersScript` printed. Throws DeployError docker-answer. */
export function parseContainers(stdout: string): ContainersSeen {
  const start = stdout.indexOf('now ');
  const lineEnd = stdout.indexOf('\n', start);
  const now = readClock(stdout.slice(start + 4, lineEnd));
  let list: z.infer<typeof answer>;
  try {
    list = answer.parse(JSON.parse(stdout.slice(lineEnd + 1) || '[]'));
    if (start < 0 || now === undefined) throw new Error('no clock');
  } catch (cause) {
    throw unsupportedAnswer({ cause });
  }
  return {
    now,
    containers: list.map(toView),
    configFiles: list.map((one) => one.Config.Labels?.['com.docker.compose.project.config_files'] ?? ''),
  };
}

export function unsupportedAnswer(where: { droplet?: string; cause: unknown }): DeployError {
  return new DeployError(
    'docker-answer',
    'Docker on the droplet answered in a format that do-deploy does not support.',
    { hint: 'Check `docker version` on the droplet: do-deploy needs Docker Engine 20.10 or newer.', ...where },
  );
}

function toView(one: z.infer<typeof inspected>): ContainerView {
  const labels = one.Config.Labels ?? {};
  const health = one.State.Health?.Status;
  const outputs = (one.State.Health?.Log ?? []).map((entry) => entry.Output.trim()).filter(Boolean);
  return {
    id: one.Id,
    service: labels['com.docker.compose.service'] ?? '',
    state: one.State.Status,
    health: health === 'starting' || health === 'healthy' || health === 'unhealthy' ? health : undefined,
    healthOutput: outputs.at(-1)?.slice(0, 300),
    exitCode: one.State.ExitCode,
    oomKilled: one.State.OOMKilled,
    error: one.State.Error || undefined,
    restarts: one.RestartCount,
    restartPolicy: one.HostConfig.RestartPolicy?.Name ?? '',
    startedAt: Date.parse(one.State.StartedAt) || 0,
    stopGraceMs: one.Config.StopTimeout == null ? undefined : one.Config.StopTimeout * 1_000,
    imageId: one.Image,
    imageRef: one.Config.Image,
    pid: one.State.Pid,
    hostNetwork: one.HostConfig.NetworkMode === 'host',
    ports: publishedPorts(one.NetworkSettings.Ports ?? {}),
  };
}

/** One entry per published tcp port, even when it is published on several addresses (IPv4, IPv6). */
function publishedPorts(ports: Record<string, { HostPort: string }[] | null | undefined>): ContainerView['ports'] {
  const found = new Map<string, { host: number; container: number }>();
  for (const [name, bindings] of Object.entries(ports)) {
    const [container, protocol] = name.split('/');
    if (protocol !== 'tcp') continue;
    for (const binding of bindings ?? []) {
      const port = { host: Number(binding.HostPort), container: Number(container) };
      if (isPort(port.host) && isPort(port.container)) found.set(`${port.host}>${port.container}`, port);
    }
  }
  return [...found.values()];
}

export function isPort(number: number): boolean {
  return Number.isInteger(number) && number > 0 && number < 65_536;
}
