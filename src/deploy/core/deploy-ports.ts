import type {
  Clock,
  Cloud,
  LocalCommands,
  LocalFiles,
  Loopback,
  ObjectStore,
  RemoteShell,
  Reporter,
  Web,
} from '../../ports.js';

/** The ports that a command on a fleet works through. */
export interface DeployPorts {
  cloud: Cloud;
  shell: RemoteShell;
  clock: Clock;
  reporter: Reporter;
  files: LocalFiles;
  web: Web;
  /** Absent in commands that do not roll. */
  commands?: LocalCommands;
  /** Absent where nothing connects to this machine. */
  loopback?: Loopback;
  /** Where `bundle:` keeps the release; absent without it, or where its keys are not set. */
  storage?: ObjectStore | undefined;
  /** Masks every value of an env file wherever text is shown. */
  hide?(envFile: string): void;
}

/** Who runs the command, from where. */
export interface Deployer {
  /** user@host, or the CI job's name. */
  who: string;
  /** The CI run. */
  url?: string;
}
