/**
 * What the core needs of the outside world. Interfaces only: adapters/ has the real ones, sandbox/ and the simulation
 * in test/ have others. Every method that waits is bounded by its implementation and throws only CloudError or
 * ShellError.
 */
import type { DeployEvent, GitTag } from './rollout/model.js';

// --- DigitalOcean -----------------------------------------------------------------------------------------------

export interface HealthCheck {
  protocol: 'http' | 'https' | 'tcp';
  port: number;
  /** Starts with `/`; meaningless for tcp. */
  path: string;
  intervalSeconds: number;
  timeoutSeconds: number;
  healthyThreshold: number;
  unhealthyThreshold: number;
}

export interface LoadBalancer {
  id: string;
  name: string;
  /** '' for an internal or a brand-new one. */
  ip: string;
  status: 'new' | 'active' | 'errored';
  /** REGIONAL_NETWORK and GLOBAL ones exist too; GLOBAL has no droplets of its own. */
  type: string;
  region: string;
  /** Present when a tag manages the membership: then droplets can't be added or removed by id. */
  tag?: string;
  dropletIds: number[];
  /** Ports on the droplets that rules forward to, unique, ascending. */
  targetPorts: number[];
  healthCheck: HealthCheck;
  proxyProtocol: boolean;
  /** Each makes its own health checks. */
  nodes: number;
  /** Clients are kept to a droplet each, by a cookie. */
  sticky: boolean;
  /** Connections to droplets stay open between requests. */
  backendKeepalive?: boolean;
  vpcId?: string;
}

/** The address that visitors use. */
export interface Web {
  /**
   * One GET; redirects are not followed, and count as an answer.
   * @returns `ok`: a whole answer below 400 came in time; `detail` for people: `HTTP 503`. Never throws.
   */
  get(url: string, timeoutMs: number): Promise<{ ok: boolean; detail: string }>;
}

export interface Droplet {
  id: number;
  name: string;
  status: 'new' | 'active' | 'off' | 'archive';
  publicAddress?: string;
  privateAddress?: string;
  tags: string[];
  region: string;
  vpcId?: string;
}

/** DigitalOcean's own scaling: it makes and destroys droplets. */
export interface AutoscalePool {
  id: string;
  name: string;
}

/** Asked just before each try of a change, also after a long wait for a busy balancer; what it throws ends the tries. */
export type BeforeChange = () => Promise<void>;

/**
 * DigitalOcean's API. Reads are retried by the adapter. A change is tried once unless it certainly was not applied
 * (busy balancer, 429, connection refused): the caller reads back, and repeats if it must. All throw CloudError.
 */
export interface Cloud {
  listLoadBalancers(): Promise<LoadBalancer[]>;
  getLoadBalancer(id: string): Promise<LoadBalancer>;
  /** All droplets of the account (every page), or those with the tag. */
  listDroplets(filter?: { tag?: string }): Promise<Droplet[]>;
  getDroplet(id: number): Promise<Droplet>;
  addDroplets(loadBalancerId: string, dropletIds: number[], before?: BeforeChange): Promise<void>;
  removeDroplets(loadBalancerId: string, dropletIds: number[], before?: BeforeChange): Promise<void>;
  listAutoscalePools(): Promise<AutoscalePool[]>;
  /** Ids of the pool's droplets that run, as the pool sees it: not those that it is making or destroying. */
  listPoolMembers(poolId: string): Promise<number[]>;
  /** Creates the tag; does nothing when it exists. */
  createTag(tag: string): Promise<void>;
  tagDroplets(tag: string, dropletIds: number[], before?: BeforeChange): Promise<void>;
  untagDroplets(tag: string, dropletIds: number[], before?: BeforeChange): Promise<void>;
  /** Firewalls that apply to droplets with this tag, and those that admit them: in or out, somewhere else. */
  firewallsWithTag(tag: string): Promise<{ name: string; how: 'applies' | 'admits' }[]>;
}

// --- SSH --------------------------------------------------------------------------------------------------------

export interface RemoteHost {
  id: number;
  name: string;
  /** Where DigitalOcean says it is; the ssh configuration may send the connection elsewhere. */
  address: string;
}

/**
 * A command is data, built purely (deploy/remote/). `script` is POSIX sh and is visible in the droplet's process list:
 * secrets go through `stdin` only.
 */
export interface RemoteCommand {
  /** For logs, events and the simulation: survey, pull, up, … */
  name: string;
  /** What `script` was built from, without secrets. */
  args: Readonly<Record<string, unknown>>;
  script: string;
  /** Bytes for the script's standard input; closed after them, empty when absent. Never logged. */
  stdin?: string | Buffer;
  timeoutMs: number;
  /** Whether running it twice does no harm: then a dropped connection is made again and the command repeated. */
  repeatable: boolean;
}

export interface CommandResult {
  /** The exit code; always a number. No exit code is a ShellError. */
  code: number;
  stdout: string;
  stderr: string;
}

/** A remote process that lives as long as this end keeps talking to it (the lease). */
export interface HeldProcess {
  /** Sends one line. Never throws; a dead process shows in `ended`. */
  write(line: string): void;
  /** The next line of its standard output, or undefined at its end. Throws ShellError after `timeoutMs`. */
  nextLine(timeoutMs: number): Promise<string | undefined>;
  /** Settles when the process or the connection is gone; never rejects. `code` is absent when the connection dropped. */
  readonly ended: Promise<{ code?: number; reason: string }>;
  /** Closes its standard input and the channel; waits at most a second. */
  close(): Promise<void>;
}

/** One request as the balancer would make it. */
export interface HealthRequest {
  protocol: 'http' | 'https' | 'tcp';
  /** Of the droplet: its private one, where it has one. */
  address: string;
  port: number;
  path: string;
  proxyProtocol: boolean;
  timeoutMs: number;
}

/** `passed` follows DigitalOcean's rule: 200–299 for http(s), an accepted connection for tcp. */
export interface HealthResponse {
  passed: boolean;
  /** For people: "HTTP 503 in 12 ms", "connection refused". */
  detail: string;
  status?: number;
  ms: number;
}

/** One SSH connection, kept for the whole run; made again when it drops and a repeatable command asks. */
export interface Connection {
  readonly host: RemoteHost;
  /** What a person types to log in there: `ssh -p 22 root@203.0.113.5`. */
  readonly login?: string;
  /** `SHA256:…` of the host key that was verified. */
  readonly fingerprint: string;
  run(command: RemoteCommand, options?: { signal?: AbortSignal }): Promise<CommandResult>;
  /** Puts the bytes into a new file over SFTP; `~/` in `path` is the user's home. Repeatable. */
  upload(file: { path: string; content: Buffer; mode: number; timeoutMs: number }): Promise<void>;
  hold(command: RemoteCommand): Promise<HeldProcess>;
  /** Makes the request from the droplet, through this connection. A failed request is a result; a lost connection throws. */
  probe(request: HealthRequest): Promise<HealthResponse>;
  close(): Promise<void>;
}

export interface RemoteShell {
  /** Connects and verifies the host key. */
  connect(host: RemoteHost): Promise<Connection>;
}

// --- the rest ---------------------------------------------------------------------------------------------------

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Resolves after `ms`, or at once (without throwing) when the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The project's own files. */
export interface LocalFiles {
  /** Throws DeployError local-file when it cannot be read. */
  read(path: string): Promise<Buffer>;
  /** The SHA-256 of its content, in hexadecimal. Throws as `read` does. */
  sha256(path: string): Promise<string>;
}

/** An entry of a commit's tree; `mode` as git writes it: 120000 is a symbolic link, 160000 a submodule. */
export interface CommittedEntry {
  /** Relative to the folder that the repository was opened from, with forward slashes. */
  path: string;
  mode: '100644' | '100755' | '120000' | '160000';
  /** The object's hash. */
  object: string;
}

/** A line of `git status`. */
export interface TreeChange {
  /** Relative to the repository's root. */
  path: string;
  /** `staged` would be committed; `unstaged` has changes that would not, `untracked` is not in git, `conflict` unmerged. */
  kind: 'staged' | 'unstaged' | 'untracked' | 'conflict';
}

/**
 * The git repository around the project. Git answers from the disk and within moments, so nothing here is asynchronous.
 * Commits are whole hashes. What can't be read, or is refused, is a DeployError `git-failed` with git's own words.
 */
export interface Repository {
  /** `commit` is absent before the first one, `branch` while HEAD is detached. */
  head(): { commit?: string; branch?: string };
  /** The commit of the tag with this name. Throws `git-failed` when it leads to something else. */
  commitOfTag(name: string): string | undefined;
  hasTag(name: string): boolean;
  /** Commits whose hash begins so; at least 4 hexadecimal digits. */
  commitsLike(prefix: string): string[];
  /** Full names of the branch here and at remotes: refs/heads/main, refs/remotes/origin/main. */
  branchesNamed(name: string): string[];
  /** Whether the commit is `ref`, or came before it. */
  isContained(commit: string, ref: string): boolean;
  /** History is cut off: what a commit contains can't be told for certain. */
  isShallow(): boolean;
  /** Everything below the folder, in this commit. */
  entriesAt(commit: string): CommittedEntry[];
  /** Contents of blobs, in their order. */
  readBlobs(objects: readonly string[]): Buffer[];
  /** A file of a commit as a checkout would write it, through the filters of .gitattributes (git-crypt). */
  readFiltered(commit: string, path: string): Buffer;
  /** Paths below the folder that the index has. */
  trackedPaths(): string[];
  /** Paths below the folder that git neither has nor ignores. */
  untrackedPaths(): string[];
  /** In the whole repository; empty when it is clean. */
  changes(): TreeChange[];
  /** Newest first. */
  tags(): GitTag[];
  /** Stages every change of the whole repository. */
  stageEverything(): void;
  /** Commits what is staged; with nothing staged an empty commit. */
  commit(message: string): void;
  /** An annotated tag at HEAD. */
  createTag(name: string, message: string): void;
}

export interface Reporter {
  /** Never throws: a broken terminal must not stop a rollout. */
  report(event: DeployEvent): void;
  /** Flushes and restores the terminal. */
  close?(): Promise<void> | void;
}
