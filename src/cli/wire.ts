/** The composition root: settings and a reporter become the ports of a run. */
import { createDigitalOceanCloud } from '../adapters/digitalocean-cloud.js';
import { localFiles } from '../adapters/local-files.js';
import { loopback } from '../adapters/loopback.js';
import { createNodeSshShell } from '../adapters/node-ssh-shell.js';
import { createObjectStore } from '../adapters/object-store.js';
import { systemClock } from '../adapters/system-clock.js';
import { web } from '../adapters/web.js';
import { parseEnvFile } from '../config/env-file.js';
import { secretValues } from '../config/secret-values.js';
import type { Settings } from '../config/settings.js';
import type { DeployPorts } from '../deploy/core/deploy-ports.js';
import { reportTo } from '../deploy/core/report.js';
import type { Clock, Cloud, OnTrace, Reporter, Web } from '../ports.js';
import type { Trace } from '../rollout/model.js';
import type { CloudAccess } from './define-command.js';

export function wire(
  settings: Settings,
  reporter: Reporter,
  { hide, show }: { hide: (secrets: readonly string[]) => void; show: (names: readonly string[]) => void },
): DeployPorts {
  const clock = systemClock;
  const report = reportTo({ clock, reporter });
  const onTrace = (trace: Trace) => report({ type: 'trace', ...trace });
  return {
    cloud: wireCloud(settings, onTrace, show),
    shell: createNodeSshShell({
      settings: settings.ssh,
      clock,
      env: process.env,
      onTrace,
      onNotice: (message: string) => report({ type: 'notice', level: 'info', message }),
    }),
    clock,
    reporter,
    files: localFiles,
    web: traced(web, clock, onTrace),
    loopback,
    storage: settings.bundle && createObjectStore(settings.bundle, clock),
    hide: (envFile) => hide(valuesOf(envFile)),
  };
}

/** @param show called with names that are no secrets */
export function wireCloud(
  { token, tokenPlace, apiUrl }: CloudAccess,
  onTrace: OnTrace,
  show: (names: readonly string[]) => void,
): Cloud {
  return showingNames(createDigitalOceanCloud({ token, tokenPlace, apiUrl, clock: systemClock, onTrace }), show);
}

/** The query of an address may hold a key that is no setting's. */
export function traced(web: Web, clock: Clock, onTrace: OnTrace): Web {
  return {
    async get(url, timeoutMs) {
      const began = clock.now();
      const answer = await web.get(url, timeoutMs);
      const ms = clock.now() - began;
      onTrace({ kind: 'http', what: `GET ${url.replace(/[?#].*$/s, '?…')} ${answer.status ?? answer.detail}`, ms });
      return answer;
    },
  };
}

/** What DigitalOcean names is no secret, also where an env file holds the same text. */
export function showingNames(cloud: Cloud, show: (names: readonly string[]) => void): Cloud {
  const seen = <T extends { name: string }>(named: T): T => {
    show([named.name]);
    return named;
  };
  const showing: Partial<Cloud> = {
    listLoadBalancers: async () => (await cloud.listLoadBalancers()).map(seen),
    getLoadBalancer: async (id) => seen(await cloud.getLoadBalancer(id)),
    listDroplets: async (filter) => (await cloud.listDroplets(filter)).map(seen),
    getDroplet: async (id) => seen(await cloud.getDroplet(id)),
    listAutoscalePools: async () => (await cloud.listAutoscalePools()).map(seen),
  };
  return { ...cloud, ...showing };
}

/** More on a droplet would only slow down the search for them. */
const MAX_VALUES = 1000;

/** All of them, also those that would be harmless in another file, and the parts of each. */
function valuesOf(envFile: string): string[] {
  const variables = parseEnvFile(envFile).variables.slice(0, MAX_VALUES);
  return [...variables.flatMap(({ value, raw }) => [value, raw]), ...secretValues(variables)];
}
