/** The composition root: settings and a reporter become the ports of a run. */
import { createDigitalOceanCloud } from '../adapters/digitalocean-cloud.js';
import { localFiles } from '../adapters/local-files.js';
import { createNodeSshShell } from '../adapters/node-ssh-shell.js';
import { systemClock } from '../adapters/system-clock.js';
import { web } from '../adapters/web.js';
import type { Settings } from '../config/settings.js';
import type { DeployPorts } from '../deploy/core/deploy-ports.js';
import { reportTo } from '../deploy/core/report.js';
import type { Reporter } from '../ports.js';

export function wire(settings: Settings, reporter: Reporter, options: { verbose: boolean }): DeployPorts {
  const clock = systemClock;
  const report = reportTo({ clock, reporter });
  const onTrace = (what: string, ms: number) => {
    if (options.verbose) report({ type: 'trace', what, ms });
  };
  return {
    cloud: createDigitalOceanCloud({ token: settings.token, apiUrl: settings.apiUrl, clock, onTrace }),
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
    web,
  };
}
