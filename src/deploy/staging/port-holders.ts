/** Who holds the ports of a droplet that a release wants to publish. Asked once, before its first release. */

import { z } from 'zod';
import type { RemoteCommand } from '../../ports.js';
import { command } from '../core/shell.js';
export interface PortHolder {
  port: number;
  container: string;
  /** The compose project of the container; absent when it belongs to none. */
  project?: string;
}

/** Prints `docker inspect` of all that runs, of whatever project. */
export function portHoldersCommand(): RemoteCommand {
  return command('port-holders', {}, [
    'ids=$(docker ps -q --no-trunc) || exit 1',
    // The ids are hexadecimal words. One that ends between the two calls makes inspect fail; then it holds nothing.
    'if [ -n "$ids" ]; then docker inspect $ids 2>/dev/null || :; else echo "[]"; fi',
  ]);
}

const inspected = z.array(
  z.object({
    Name: z.string(),
    Config: z.object({ Labels: z.record(z.string(), z.string()).nullish() }),
    NetworkSettings: z.object({
      Ports: z.record(z.string(), z.array(z.object({ HostPort: z.string() })).nullish()).nullish(),
    }),
  }),
);

/** Empty for an answer that is not understood: this check only tells earlier what Docker tells anyway. */
export function readPortHolders(stdout: string): PortHolder[] {
  let containers: z.infer<typeof inspected>;
  try {
    containers = inspected.parse(JSON.parse(stdout));
  } catch {
    return [];
  }
  return containers.flatMap(({ Name, Config, NetworkSettings }) => {
    const project = Config.Labels?.['com.docker.compose.project'];
    const published = Object.entries(NetworkSettings.Ports ?? {}).filter(([port]) => port.endsWith('/tcp'));
    const ports = new Set(published.flatMap(([, at]) => (at ?? []).map(({ HostPort }) => Number(HostPort))));
    return [...ports].map((port) => ({
      port,
      container: Name.replace(/^\//, ''),
      project,
    }));
  });
}
