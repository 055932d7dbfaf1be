/**
 * What the core needs from the outside world. Interfaces only: adapters/ implements them, the simulation in test/ has
 * its own implementations. Every method that waits is bounded by its implementation and throws only CloudError or
 * ShellError, unless it says otherwise.
 */
import type { Duplex } from 'node:stream';
import type { DeployEvent, GitTag, Trace } from './rollout/model.js';

// --- DigitalOcean -----------------------------------------------------------------------------------------------

export interface HealthCheck {
  protocol: 'http' | 'https' | 'tcp';
  port: number;
  /** Starts with `/`; unused for tcp. */
  path: string;
  intervalSeconds: number;
  timeoutSeconds: number;
  healthyThreshold: number;
  unhealthyThreshold: number;
}

export interface LoadBalancer {
  id: string;
  name: string;
  /** '' for an internal or a new balancer. */
  ip: string;
  status: 'new' | 'active' | 'errored';
  /** REGIONAL, REGIONAL_NETWORK or GLOBAL; a GLOBAL balancer has no droplets of its own. */
  type: string;
  region: string;
  /** Set when a tag manages the membership: droplets cannot be added or removed by id then. */
  tag?: string;
  dropletIds: number[];
  /** Where it takes plain HTTP requests and forwards them; absent if it takes none, or redirects them to HTTPS. */
  httpPort?: number;
  /** Ports of the droplets that the rules forward to, unique, ascending. */
  targetPorts: number[];
  healthCheck: HealthCheck;
  proxyProtocol: boolean;
  /** Number of nodes; each makes its own health checks. */
  nodes: number;
  /** A cookie keeps each client on one droplet. */
  sticky: boolean;
  /** Connections to droplets stay open between requests. */
  backendKeepalive?: boolean;
  vpcId?: string;
}

export interface WebAnswer {
  status?: number;
  detail: string;
  /** The name of the host leads nowhere: nobody was asked. */
  isUnresolved?: boolean;
}

/** Requests to the public address. */
export interface Web {
  /**
   * One GET; redirects are not followed and count as answers. Never throws.
   * @returns `status`: of an answer that arrived in time and complete; `detail` for people: `HTTP 503`
   */
  get(url: string, timeoutMs: number): Promise<WebAnswer>;
}

/** Command lines of the project on this machine, in its folder and without its secrets. */
export interface LocalCommands {
  /**
   * Runs a line in a shell, without standard input. The command and what it has started are killed at the timeout, and when
   * the signal aborts. Never throws.
   * @returns `ok`: exit code 0; `isUnusable`: there was nothing to run, or it may not be run; `detail` for people: how it
   * ended, and the last line that it printed
   */
  run(
    line: string,
    options: { variables: Readonly<Record<string, string>>; timeoutMs: number; signal: AbortSignal },
  ): Promise<{ ok: boolean; detail: string; isUnusable?: boolean }>;
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

/** A pool in which DigitalOcean creates and destroys droplets by itself. */
export interface AutoscalePool {
  id: string;
  name: string;
}

/** A rule of a cloud firewall, for TCP; who it admits is open to everything that the lists name. */
export interface InboundRule {
  /** Both ends included; every port: 1 to 65,535. */
  ports: { from: number; to: number };
  /** Addresses and ranges: `10.0.0.0/8`. */
  addresses: readonly string[];
  balancerIds: readonly string[];
}

export interface Firewall {
  name: string;
  /** What it applies to. */
  tags: readonly string[];
  dropletIds: readonly number[];
  inbound: readonly InboundRule[];
}

/** Called before each attempt at a change, also after a long wait for a busy balancer. If it throws, the change is not made. */
export type BeforeChange = () => Promise<void>;

/**
 * DigitalOcean's API. Reads are retried by the adapter. A change is repeated only if it certainly was not applied (busy
 * balancer, 429, connection refused); otherwise the caller reads the state back and decides. All throw CloudError.
 */
export interface Cloud {
  listLoadBalancers(): Promise<LoadBalancer[]>;
  getLoadBalancer(id: string): Promise<LoadBalancer>;
  /** All droplets of the account, or those with the tag. */
  listDroplets(filter?: { tag?: string }): Promise<Droplet[]>;
  getDroplet(id: number): Promise<Droplet>;
  addDroplets(loadBalancerId: string, dropletIds: number[], before?: BeforeChange): Promise<void>;
  removeDroplets(loadBalancerId: string, dropletIds: number[], before?: BeforeChange): Promise<void>;
  listAutoscalePools(): Promise<AutoscalePool[]>;
  /** Ids of the pool's active droplets: not those that it is creating or destroying. */
  listPoolMembers(poolId: string): Promise<number[]>;
  /** Names of the account's tags that start with `prefix`. */
  listTags(prefix: string): Promise<string[]>;
  /** Creates the tag; does nothing when it exists. */
  createTag(tag: string, before?: BeforeChange): Promise<void>;
  /** Deletes the tag; does nothing when it does not exist. */
  deleteTag(tag: string, before?: BeforeChange): Promise<void>;
  tagDroplets(tag: string, dropletIds: number[], before?: BeforeChange): Promise<void>;
  untagDroplets(tag: string, dropletIds: number[], before?: BeforeChange): Promise<void>;
  /**
   * A login to a registry of DigitalOcean that can only pull and expires: `auth` of Docker's config.json, in base64. It is a
   * secret.
   */
  registryLogin(name: string, validSeconds: number): Promise<string>;
  /** Firewalls that apply to droplets with this tag, and those whose rules admit traffic from or to them. */
  firewallsWithTag(tag: string): Promise<{ name: string; how: 'applies' | 'admits' }[]>;
  listFirewalls(): Promise<Firewall[]>;
  /** Those of the scopes that the token lacks, as far as a read shows it: scopes of changes are never among them. */
  missingScopes(scopes: readonly string[]): Promise<string[]>;
}

// --- SSH --------------------------------------------------------------------------------------------------------

export interface RemoteHost {
  id: number;
  name: string;
  /** Its address according to DigitalOcean; the ssh configuration may lead the connection elsewhere. */
  address: string;
}

/**
 * A command is data, built by pure functions. `script` is POSIX sh and is visible in the droplet's process list: secrets
 * go through `stdin` only.
 */
export interface RemoteCommand {
  /** For logs, events and the simulation: survey, pull, up, … */
  name: string;
  /** The values `script` was built from, without secrets. */
  args: Readonly<Record<string, unknown>>;
  script: string;
  /** The script's standard input, empty by default. Never logged. */
  stdin?: string | Buffer | (() => AsyncIterable<Buffer>);
  timeoutMs: number;
  /** The command is idempotent: when the connection is lost, it is repeated on a new one. */
  repeatable: boolean;
  /** It only reads: afterwards the droplet is as it was before. Commands that only read, such as `plan`, run no others. */
  reads?: true;
  /**
   * Bound of stdout in bytes, 4 MiB by default. If the command prints more, it is stopped and fails with ShellError
   * `output-limit`: an incomplete answer is never returned.
   */
  maxBytes?: number;
  /** Only people read stdout: beyond `maxBytes`, its middle is left out instead. */
  mayBeCut?: boolean;
}

export interface CommandResult {
  /** The exit code. A command without one is a ShellError. */
  code: number;
  /** Exactly what the script printed; nothing that a login shell prints around it. */
  stdout: string;
  /** For people: beyond 1 MiB, its middle is left out. */
  stderr: string;
}

export interface RunOptions {
  /** Stops the command on the droplet: ShellError `signal`. */
  signal?: AbortSignal;
  /**
   * For large output: called at the start of each attempt, it returns the receiver of stdout. The command waits while a
   * promise that the receiver returned is pending; if it throws, the command is stopped, and `run` throws the same.
   * `stdout` of the result is '', and without `maxBytes` there is no bound.
   */
  receive?: () => (chunk: Buffer) => Promise<void> | void;
  /** Called at the start of each attempt, it returns what sees stdout as it comes; the result has it as well. */
  observe?: () => (chunk: Buffer) => void;
}

/** A remote process that runs as long as this end keeps writing to it (the lease). */
export interface HeldProcess {
  /** Sends one line. Never throws; `ended` reports a dead process. */
  write(line: string): void;
  /** The next line of its stdout, or undefined at its end. Throws ShellError `timeout`. */
  nextLine(timeoutMs: number): Promise<string | undefined>;
  /** Settles when the process has ended or the connection is lost; never rejects. `code` is absent without an exit code. */
  readonly ended: Promise<{ code?: number; reason: string }>;
  /** Closes its stdin and the channel; waits at most 1 s. */
  close(): Promise<void>;
}

/** In characters. */
export interface TerminalSize {
  columns: number;
  rows: number;
}

/** A program that talks to the user through this process: bytes in both directions, without bounds. */
export interface ProgramCommand extends Pick<RemoteCommand, 'name' | 'args' | 'script'> {
  /** Its terminal; absent: it has none, and its standard error is separate. `type` is that of TERM: xterm-256color. */
  terminal?: { type: string; size: TerminalSize };
}

export interface ProgramStreams {
  /** Read only as fast as the program takes it. Absent: empty. */
  stdin?: AsyncIterable<Buffer>;
  /** The program waits while a promise that it returned is pending. */
  stdout(chunk: Buffer): Promise<void> | void;
  stderr(chunk: Buffer): Promise<void> | void;
}

/** How a program ended: with an exit code, or by a signal (`SIGINT`). */
export type ProgramEnd = { code: number; signal?: undefined } | { signal: string; code?: undefined };

export interface RunningProgram {
  /** Its terminal has another size now. Never throws. */
  resize(size: TerminalSize): void;
  /**
   * Sends a signal (`INT`) to the shell of the script, and to everything that it has started and that has not left its
   * process group. Best effort: never throws.
   */
  signal(name: string): Promise<void>;
  /** Ends the connection's part in it, which need not end the program. */
  abandon(): void;
  /** Settles when everything that it printed was handed on. Rejects with ShellError, or what the streams threw. */
  readonly ended: Promise<ProgramEnd>;
}

/** A request as the balancer would make it. */
export interface HealthRequest {
  protocol: 'http' | 'https' | 'tcp';
  /** The droplet's private address if it has one, otherwise its public one. */
  address: string;
  port: number;
  path: string;
  proxyProtocol: boolean;
  timeoutMs: number;
}

/** `passed` follows DigitalOcean's rule: status 200-299 for http(s), an accepted connection for tcp. */
export interface HealthResponse {
  passed: boolean;
  /** For people: "HTTP 503 in 12 ms", "connection refused". */
  detail: string;
  status?: number;
  ms: number;
}

export interface Upload {
  path: string;
  /** As a function: called at the start of each attempt, so that a large content need not be in memory. */
  content: Buffer | (() => AsyncIterable<Buffer>);
  mode: number;
  timeoutMs: number;
}

/** An SSH connection for a whole run. When it is lost, the next command reconnects. */
export interface Connection {
  readonly host: RemoteHost;
  /** The command to log in there by hand: `ssh -p 22 root@203.0.113.5`. */
  readonly login?: string;
  /** `SHA256:…` of the host key that was verified. */
  readonly fingerprint: string;
  run(command: RemoteCommand, options?: RunOptions): Promise<CommandResult>;
  /**
   * Creates a file over SFTP; `~/` in `path` is the user's home. Repeated once when the connection is lost.
   * Throws ShellError, or what `content` throws.
   */
  upload(file: Upload): Promise<void>;
  hold(command: RemoteCommand): Promise<HeldProcess>;
  /** Starts a program, never twice. Throws ShellError when it did not start. */
  start(command: ProgramCommand, streams: ProgramStreams): Promise<RunningProgram>;
  /** Starts the login shell of the user, in a terminal. Throws ShellError. */
  logIn(terminal: NonNullable<ProgramCommand['terminal']>, streams: ProgramStreams): Promise<RunningProgram>;
  /**
   * A TCP connection that the droplet makes. Throws ShellError `unreachable` when it cannot be made, or the server allows
   * none.
   */
  forward(address: string, port: number): Promise<Duplex>;
  /** Makes the request from the droplet. A failed request is a result; a lost connection throws. */
  checkHealth(request: HealthRequest): Promise<HealthResponse>;
  close(): Promise<void>;
}

export interface RemoteShell {
  /**
   * Connects and verifies the host key.
   * @param options.user another one than that of the settings
   */
  connect(host: RemoteHost, options?: { user?: string }): Promise<Connection>;
}

// --- object storage -----------------------------------------------------------------------------------------------

/** A bucket of an object storage. Every method is bounded, repeats what may be repeated, and throws DeployError storage-failed. */
export interface ObjectStore {
  /** For people: `https://fra1.digitaloceanspaces.com/acme-releases`. */
  readonly address: string;
  /** Undefined: there is no such object. Throws also where it has more than `maxBytes`. */
  get(key: string, maxBytes: number): Promise<Buffer | undefined>;
  /** In bytes; undefined: there is no such object. */
  size(key: string): Promise<number | undefined>;
  /** Replaces the object as a whole. */
  put(key: string, content: Buffer, signal?: AbortSignal): Promise<void>;
  /** Does nothing where there is no such object. */
  remove(key: string): Promise<void>;
}

// --- the rest ---------------------------------------------------------------------------------------------------

/** Programs on this machine that connect to do-deploy. */
export interface Loopback {
  /**
   * Takes connections to 127.0.0.1; `port` 0 is a free one. Each is closed on both sides by whoever serves it.
   * Throws DeployError port-taken.
   */
  listen(port: number, serve: (connection: Duplex) => void): Promise<{ port: number; close(): Promise<void> }>;
}

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Resolves after `ms`, or as soon as the signal aborts; never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The project's files. */
export interface LocalFiles {
  /** Throws DeployError local-file when it cannot be read. */
  read(path: string): Promise<Buffer>;
  /** Its content in pieces of at most 1 MiB. Throws like `read`. */
  open(path: string): AsyncIterable<Buffer>;
  /** The SHA-256 of its content, in hexadecimal, and its size in bytes. Throws like `read`. */
  digest(path: string): Promise<{ sha256: string; size: number }>;
}

/** An entry of a commit's tree, with git's mode: 120000 is a symbolic link, 160000 a submodule. */
export interface CommittedEntry {
  /** Relative to the folder that the repository was opened from, with forward slashes; never contains `..`. */
  path: string;
  mode: '100644' | '100755' | '120000' | '160000';
}

export interface CommitRange {
  total: number;
  newest: { commit: string; subject: string }[];
}

/** A line of `git status`. */
export interface TreeChange {
  /** Relative to the repository's root. */
  path: string;
  /** `staged`: all of it would be committed. `unstaged`: it has changes that would not be. */
  kind: 'staged' | 'unstaged' | 'untracked' | 'conflict';
}

/**
 * The git repository around the project. Git answers quickly from the disk, so nothing here is asynchronous; each call is
 * bounded in time and output. Commits are full hashes. What git refuses is a DeployError `git-failed` with git's message.
 */
export interface Repository {
  /** `commit` is absent before the first one, `branch` while HEAD is detached. */
  head(): { commit?: string; branch?: string };
  /** The commit of the tag with this name. Throws `git-failed` when the tag points to something else. */
  commitOfTag(name: string): string | undefined;
  hasTag(name: string): boolean;
  /** Commits whose hash starts with the prefix, which has at least 4 hexadecimal digits. */
  commitsLike(prefix: string): string[];
  /** Full names of the branch here and at remotes: refs/heads/main, refs/remotes/origin/main. */
  branchesNamed(name: string): string[];
  /** Whether the commit is `ref` or an ancestor of it. */
  isContained(commit: string, ref: string): boolean;
  /**
   * Commits that `to` has and `from` has not, and the newest of them. Undefined when either is not in the repository.
   * @param newest bounds the list
   */
  commitsBetween(from: string, to: string, newest: number): CommitRange | undefined;
  /** The history is incomplete, so `isContained` may wrongly say no. */
  isShallow(): boolean;
  /** Everything below the folder, in this commit. */
  entriesAt(commit: string): CommittedEntry[];
  /**
   * Contents of files of a commit as a checkout would write them, through the filters of .gitattributes, in the order of
   * the paths; of a symbolic link, its target. Paths are those of `entriesAt`.
   */
  readFiles(commit: string, paths: readonly string[]): Buffer[];
  /** Paths below the folder that are in the index. */
  trackedPaths(): string[];
  /** Paths below the folder that git neither tracks nor ignores. */
  untrackedPaths(): string[];
  /** Changes in the whole repository; empty when it is clean. */
  changes(): TreeChange[];
  /** Newest first. */
  tags(): GitTag[];
  /** Stages every change of the whole repository. */
  stageEverything(): void;
  /** Commits what is staged, or makes an empty commit. Runs the repository's hooks. */
  commit(message: string): void;
  /** Creates an annotated tag at HEAD. */
  createTag(name: string, message: string): void;
}

/** Told what an adapter has asked of another machine, once it has ended. */
export type OnTrace = (trace: Trace) => void;

export interface Reporter {
  /** Never throws: a broken terminal must not stop a rollout. */
  report(event: DeployEvent): void;
  /** Flushes and restores the terminal. */
  close?(): Promise<void> | void;
}

export interface Choice<T> {
  value: T;
  label: string;
  hint?: string;
  /** In a question for several: it is chosen at first. */
  isInitial?: boolean;
}

/**
 * Questions to the user at a terminal. Texts are cleaned before they are shown. `check` returns what is wrong with an answer.
 * All throw DeployError `interrupted` after Ctrl-C.
 */
export interface Prompts {
  text(question: string, options?: { initial?: string; check?(answer: string): string | undefined }): Promise<string>;
  /** Not shown while it is typed, and masked in all output from then on; '' if nothing is typed. */
  secret(question: string, options?: { check?(answer: string): string | undefined }): Promise<string>;
  choose<T>(question: string, choices: readonly Choice<T>[], initial?: T): Promise<T>;
  chooseSeveral<T>(question: string, choices: readonly Choice<T>[], options: { required: boolean }): Promise<T[]>;
  confirm(question: string, initial: boolean): Promise<boolean>;
}
