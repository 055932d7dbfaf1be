/** What a run carries along: ports, settings, and what it found out. */
import type { Clock, Cloud, LocalFiles, RemoteShell, Reporter, Web } from '../../ports.js';
export interface DeployPorts {
  cloud: Cloud;
  shell: RemoteShell;
  clock: Clock;
  reporter: Reporter;
  files: LocalFiles;
  web: Web;
}

/** Who deploys, from where. */
export interface Deployer {
  /** user@host, or the CI job's name. */
  who: string;
  /** The CI run. */
  url?: string;
}
