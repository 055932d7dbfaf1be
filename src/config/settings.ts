/** Settings as the rest of the program uses them: resolved for one environment, durations in ms, paths absolute. */
import type { KeyObject } from 'node:crypto';
import type { BatchSize } from '../rollout/batches.js';
import type { OnFailure } from '../rollout/courses.js';
import type { Handler, LifecycleEvent } from '../rollout/lifecycle.js';
import type { Secret } from './secret.js';

export type { BatchSize, OnFailure };

export interface SshSettings {
  user: string;
  port: number;
  /** Those that are do-deploy's defaults, because the file does not set them: `Host *` of the ssh configuration overrides them. */
  unwritten?: readonly ('user' | 'port' | 'knownHostsPath')[];
  /** A key file, tried first; then the agent, then `privateKey`. */
  keyPath?: string;
  /** From SSH_PRIVATE_KEY. */
  privateKey?: Secret;
  /** SSH_AUTH_SOCK. */
  agentSocket?: string;
  /** OpenSSH client configuration; absent when there is no such file. */
  configPath?: string;
  knownHostsPath: string;
  hostKeys: 'accept-new' | 'strict';
  address: 'public' | 'private';
}

/** A variable of the compose files, as it was read here. */
export interface ReadVariable {
  name: string;
  value: Secret;
  /** `config/.env.production:3`, or where it is declared. */
  place: string;
  /** From `secrets:`. */
  isSecret?: boolean;
}

/** A file of the release: where its content comes from, and where it goes in the release's folder. */
export type SourceFile = SourceFilePlace &
  (
    | { localPath: string; content?: undefined }
    /** Already read, from a commit, or made here. */
    | { content: Buffer; localPath?: undefined }
  );

interface SourceFilePlace {
  /** Relative to the project's root, with forward slashes; the same on both sides. */
  path: string;
  /** Permissions on the droplet: as they are here, at most 0o755; of env files and keys at most 0o600. */
  mode: number;
}

/** A GET request to the app, made on the droplet; 200-299 passes. */
export interface HttpCheckSettings {
  port: number;
  path: string;
  /** Pause before it is repeated. */
  intervalMs: number;
  timeoutMs: number;
}

export interface RolloutSettings {
  batch: BatchSize[];
  /** Capacity floor; absent: all but one batch, at least 1. */
  minInRotation?: number;
  drainTimeoutMs: number;
  healthTimeoutMs: number;
  /** Asked after the containers are healthy. */
  healthHttp?: HttpCheckSettings;
  onFailure: OnFailure;
  interruptGraceMs: number;
  /** Between two batches; absent: none. */
  pauseMs?: number;
  /** After the last batch; absent: none. */
  bakeMs?: number;
  gates?: GateSettings[];
  /** Requests to the public address during a rollout; `false`: none. Absent: the balancer's address, if it answers. */
  probe?: ProbeSettings | false;
}

/** HTTP statuses, both ends included. */
export interface StatusRange {
  from: number;
  to: number;
}

export interface ProbeSettings {
  /** Absent: the balancer's. */
  url?: string;
  intervalMs: number;
  timeoutMs: number;
  /** More stop the rollout; absent: failures are only counted. */
  maxFailures?: number;
  expect: StatusRange[];
}

/** What is asked whether a rollout may go on. */
export type GateSettings = {
  name: string;
  /** Where it is written: `config/deploy.yml:12`. */
  place: string;
  everyMs: number;
  /** So many failures in a row stop the rollout. */
  failAfter: number;
  timeoutMs: number;
} & ({ command: string; url?: undefined } | { url: string; expect: StatusRange[]; command?: undefined });

/** Services of one droplet that do the same work: they are switched one after the other. */
export interface ReplicaSettings {
  /** In the order in which they are switched; at least two. */
  services: readonly string[];
  /** Longest wait for one of them to become healthy. */
  timeoutMs: number;
}

export type TargetSettings =
  /** `ref` is an id or a name; absent: the account's only balancer. `pool`, by id or name, creates droplets for it. */
  | { kind: 'load_balancer'; ref?: string; pool?: string }
  | { kind: 'droplet'; id: number; replicas?: ReplicaSettings }
  /** Every droplet of the account with this tag, without a balancer. */
  | { kind: 'tag'; tag: string }
  /** Ids, or names, of droplets without a balancer. */
  | { kind: 'droplets'; droplets: readonly (number | string)[] };

/** Droplets of an environment that do the same work. */
export interface RoleSettings {
  name: string;
  target: TargetSettings;
  /** Absent: those of the environment. */
  profiles?: readonly string[];
  /** Of its release, where it has `files:` or `env:` of its own; absent: those of the environment. */
  own?: RoleFiles;
  batch?: BatchSize[];
  minInRotation?: number;
}

export interface RoleFiles {
  files: SourceFile[];
  envFiles: string[];
  variables?: readonly ReadVariable[];
}

/** What `bootstrap` prepares on droplets. */
export interface BootstrapSettings {
  /** Lines of authorized_keys, or absolute paths of files with such lines; absent: those of root. */
  authorizedKeys?: readonly ({ key: string } | { path: string })[];
  dockerGroup: boolean;
  /** Where Docker comes from; `false`: it is left alone. */
  docker: 'distribution' | 'docker' | false;
  /** `from`: absent, the droplet's VPC. */
  firewall: { from?: readonly string[]; open?: readonly number[] } | false;
  hardenSsh: boolean;
  unattendedUpgrades: boolean;
  swap: boolean;
  /** For cloud-init and for apt's lock. */
  waitMs: number;
}

/** A pair of keys of an object storage. */
export interface StorageKey {
  accessKey: string;
  secretKey: Secret;
}

/** Where the release lies for droplets that boot by themselves. */
export interface BundleSettings {
  /** Where it is written: `config/deploy.yml:12`. */
  place: string;
  /** Without a slash at its end. */
  endpoint: string;
  bucket: string;
  region: string;
  /** '', or ends with a slash. */
  prefix: string;
  /** Whether env files and keys are part of the bundle, which is encrypted then. */
  secrets: 'include' | 'leave-out';
  /** Of deployers; absent where a command needs none and its variables are not set. */
  writer?: StorageKey | undefined;
  /** Of droplets. */
  reader?: StorageKey | undefined;
  /** A private key of Ed25519. */
  signingKey?: KeyObject | undefined;
}

export interface HookSettings {
  /** Relative to `root`. */
  folder: string;
  /** Variables that hooks get although they hold secrets, by name. */
  secrets: Readonly<Record<string, Secret>>;
  timeoutMs: number;
  /** In the order in which those of an event run. */
  programs: readonly HookProgram[];
}

export interface HookProgram {
  event: LifecycleEvent;
  /** Relative to `root`. */
  path: string;
}

/** `digitalocean`: the name of a registry there, whose login is made from the token. */
export type RegistrySettings =
  | { server: string; username: string; password: Secret; digitalocean?: undefined }
  | { server: string; username?: undefined; password?: undefined; digitalocean: string };

export interface Settings {
  app: string;
  environment: string;
  /** The file that --config named, as it was written; absent: the usual one. */
  config?: string;
  /** What --set changed, as it was written; absent: nothing. */
  set?: readonly string[];
  /** IMAGE_TAG when the command line names no release. */
  imageTag: string;
  apiUrl: string;
  token: Secret;
  /** `DO_TOKEN in config/.env:1`; absent if it comes from the environment. */
  tokenPlace?: string;
  ssh: SshSettings;
  /** Where there are roles, that of the first. */
  target: TargetSettings;
  /** In the order in which they are rolled; absent: the environment has one target. */
  roles?: readonly RoleSettings[];
  /** In the settings of a single role: its name. */
  role?: string;
  /** The project's root: the folder that holds `config/`. */
  root: string;
  /** Compose files, the base first; paths relative to `root`. All of them are among `files`. */
  composeFiles: string[];
  /** Compose profiles that are on, sorted; absent: none, unless an env file sets COMPOSE_PROFILES. */
  profiles?: readonly string[];
  /** Env files (`.env*` among `files:`, and do-deploy's own), for compose's interpolation; paths relative to `root`. */
  envFiles: string[];
  /** Declared variables and secrets: compose on each droplet must read the same values. */
  variables?: readonly ReadVariable[];
  /** With roles, those of a role that has none of its own; or else of the first. */
  files: SourceFile[];
  /** The script that prepares a release on a droplet, relative to `root`; it is among `files`. */
  prepare?: string;
  /** Not sent: `~/do-deploy/APP/shared/` on each droplet holds them, and releases have links to them. Folders end with `/`. */
  shared?: string[];
  /** Services with a `build:` are built on the droplets. */
  build?: boolean;
  registry?: RegistrySettings;
  rollout: RolloutSettings;
  /** Of the project's layers; empty in runs that do not roll. */
  handlers: readonly Handler[];
  /** What `do-deploy console` runs. */
  console?: { service?: string; command?: readonly string[] };
  bootstrap: BootstrapSettings;
  /** Absent: no object storage keeps the release. */
  bundle?: BundleSettings;
  /** Absent when they are switched off. */
  hooks?: HookSettings;
  /** Releases that stay on a droplet, the running one included; at least 2. */
  keepReleases: number;
  /** What is probably a mistake, for the user of a deploy; one sentence or more each. */
  warnings?: readonly string[];
  /** Values to mask wherever text is shown. */
  secrets: Secret[];
}
