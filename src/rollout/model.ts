/**
 * The data of a rollout, shared by the planner, the orchestrator and the reporters. Pure: imports only shapes.
 */
import type { ErrorInfo } from '../errors.js';
import type { Diagnosis } from './diagnosis.js';

/** The steps of one droplet, in the order of a rolling deploy. */
export const ROLLING_STEPS = [
  'mark-out', // mark it out in the ledger
  'leave', // remove it from the balancer
  'drain', // wait until the balancer sends nothing to it
  'switch', // start the containers of the release
  'health', // wait until the compose project is healthy
  'balancer-check', // make the balancer's health check on the droplet
  'rejoin', // add it to the balancer
  'settle', // give the balancer time to see it healthy, and check that it stays so
  'clear', // clear the mark in the ledger
] as const;
export type RollingStep = (typeof ROLLING_STEPS)[number];

/** The steps of staging: on all droplets in parallel, without leaving rotation. */
export const STAGING_STEPS = ['connect', 'check', 'upload', 'prepare', 'pull', 'build'] as const;
export type StagingStep = (typeof STAGING_STEPS)[number];

/** `record-by-hand`: record that a droplet was taken out by hand. */
export type Step = StagingStep | RollingStep | 'record-by-hand' | 'start-stopped' | 'evidence' | 'finish';

/** `wait-lock`: another run holds the lock. `observe`: reads membership and health of the fleet before a batch. */
export type Task = 'wait-lock' | 'observe' | 'ask-gates';

/** Commands that change a fleet, in the order of help. */
export const ROLLING_COMMANDS = [
  'deploy',
  'rollback',
  'heal',
  'adopt',
  'restart',
  'stop',
  'start',
  'droplet out',
  'droplet in',
] as const;
export type RollingCommand = (typeof ROLLING_COMMANDS)[number];

/** For people. */
export const COMMAND_NOUNS: Readonly<Record<RollingCommand, string>> = {
  deploy: 'Deploy',
  rollback: 'Rollback',
  heal: 'Heal',
  adopt: 'Adoption',
  restart: 'Restart',
  stop: 'Stop',
  start: 'Start',
  'droplet out': 'Taking a droplet out',
  'droplet in': 'Bringing a droplet back',
};

/** What ends a canary: `promote` rolls as a deploy does, `abort` as a rollback. */
export type EndOfCanary = 'promote' | 'abort';

/** `none`: the target has no balancer. `unknown` counts as out. */
export type Rotation = 'in' | 'out' | 'unknown' | 'none';

/** That a person has taken a droplet out of rotation: runs leave it out. Texts may come from a tag of DigitalOcean. */
export interface ByHand {
  /** ISO 8601. */
  since: string;
  /** user@host, or the CI job. */
  who: string;
  reason: string;
}

/** The outcome of a droplet in this run. */
export type DropletOutcome =
  | 'not deployed' // unchanged, on its earlier release
  | 'in progress'
  | 'deployed'
  | 'up to date' // it already ran this release
  | 'reverted' // failed, and serves on its previous release again
  | 'deploy failed' // failed, and was not restored
  | 'taken out' // out of rotation, by hand
  | 'skipped' // off or out of reach, and left as it is
  | 'unfinished'; // the run ended in the middle of its steps

/** A line of the status table. */
export interface StatusRow {
  id: number;
  name: string;
  /** Where an environment has roles. */
  role?: string;
  address: string;
  rotation: Rotation;
  /** The release it runs, '' when none or unknown. */
  release: string;
  /** `healthy`, `starting`, `unhealthy`, `unknown`, or '' before anything is known. */
  health: string;
  outcome: DropletOutcome;
  /** Its current or last step. */
  step?: Step;
  /** Time it took in the rolling phase, in ms; absent before it started. */
  elapsedMs?: number;
  /** For people: what it is waiting for, or why it failed. */
  detail?: string;
  /** When and by which run it was marked out. */
  outSince?: string;
  /** In a status: it was taken out by hand. */
  byHand?: ByHand;
  /** Image tag of the canary that it runs, or was being switched to. */
  canaryTag?: string;
  /** In a status: services that `do-deploy stop` has stopped on it. */
  stopped?: string[];
  /** In a status: its release is held as a canary. */
  canary?: true;
  /** In a status: the bake of its release did not come to its end. */
  unbaked?: true;
  /** In a status: the do-deploy command that repairs it. */
  fix?: 'heal';
  /** In a status: the IMAGE_TAG of its release, and the commit of its files as in CommitInfo. */
  imageTag?: string;
  commit?: string;
  dirty?: boolean;
}

/** The commit of a release's files, if they are in git. */
export interface CommitInfo {
  /** The full hash. */
  commit: string;
  /** There were uncommitted changes. */
  dirty?: boolean;
}

/** A release in events. */
export interface ReleaseInfo extends Omit<CommitInfo, 'commit'> {
  /** e.g. 20261121T074500Z-v1.4.2 */
  id: string;
  /** The value of IMAGE_TAG. */
  imageTag: string;
  commit?: string;
}

/** Evidence from a failed droplet; every text is redacted and cut to a readable length. */
export interface Evidence {
  /** One sentence: "app exited 137: out of memory". */
  cause: string;
  containers: {
    service: string;
    /** running, exited, restarting, … */
    state: string;
    health?: string;
    exitCode?: number;
    oomKilled?: boolean;
    restarts: number;
    /** The last outputs of its health check, oldest first. */
    healthOutput?: string[];
    /** The last lines of its log, oldest first, at most 50. */
    log?: string[];
  }[];
  /** "92% of Docker's disk used when the deploy began" */
  disk?: string;
  /** What the droplet had of disk and memory: "212 MB of 1.9 GB of memory available". */
  resources?: string[];
  /** The cause in a sentence, and what to do about it, where a known one shows. */
  diagnosis?: Diagnosis;
}

export interface Capacity {
  role?: string;
  serving: number;
  of: number;
  floor: number;
}

/** One vocabulary for people, CI and `--json`. `schema` changes when the meaning of a field changes. */
export type DeployEvent = { schema: 2; at: string } & DeployEventBody;

export type DeployEventBody =
  | {
      type: 'rollout-started';
      command: RollingCommand;
      ends?: EndOfCanary;
      app: string;
      environment: string;
      release: ReleaseInfo;
      /** For people: `load balancer "web" (203.0.113.9)`. */
      target: string;
      rows: StatusRow[];
    }
  | { type: 'phase-started'; phase: 'discover' | 'lease' | 'stage' | 'roll' | 'finish'; detail?: string }
  | {
      type: 'batch-started';
      batch: number;
      droplets: string[];
      left: number;
      /** Of these droplets. */
      role?: string;
      /** Roles that are rolled after this one, with the number of their droplets. */
      later?: { role: string; droplets: number }[];
      /** The release that has failed is taken back from them. */
      back?: true;
    }
  /** What the rolling phase will do if every step succeeds. */
  | {
      type: 'forecast';
      /** Its id and tag are known now, also of commands that choose it. */
      release: ReleaseInfo;
      /** How many. */
      batches: number;
      /** After the last one, in ms. */
      bakeMs?: number;
      /** What the whole run takes by past ones, in ms; absent where there were none. */
      estimate?: { ms: number; runs: number };
    }
  /** How many droplets serve, of all of the fleet or role, and the fewest that may. */
  | ({ type: 'capacity' } & Capacity)
  /** The public address was requested. */
  | { type: 'probed'; total: number; failed: number; slowestMs: number }
  /** A pause between batches, or the bake after the last one, of at most `ms`. */
  | { type: 'rest-started'; rest: 'pause' | 'bake'; ms: number }
  | { type: 'rest-finished'; rest: 'pause' | 'bake'; ms: number }
  /** What takes its time outside of steps. `detail` is for people. */
  | { type: 'task-started'; task: Task; detail?: string }
  | { type: 'task-finished'; task: Task; ms: number }
  /** Nothing else was to be shown for 30 s: what goes on. Made by the output itself; layers do not see it. */
  | { type: 'still-running'; message: string }
  /** A gate, the public probe, or a droplet that was done has failed. */
  | { type: 'watch-failed'; error: ErrorInfo }
  | { type: 'step-started'; droplet: string; step: Step; release?: string }
  | { type: 'step-progress'; droplet: string; step: Step; detail: string }
  | { type: 'step-finished'; droplet: string; step: Step; ms: number; detail?: string }
  | { type: 'step-failed'; droplet: string; step: Step; ms: number; error: ErrorInfo }
  | { type: 'evidence-collected'; droplet: string; evidence: Evidence }
  | { type: 'row-changed'; row: StatusRow }
  | { type: 'notice'; level: 'info' | 'warning'; message: string; droplet?: string }
  /** Only with --verbose or --debug. */
  | ({ type: 'trace' } & Trace)
  /** A layer or hook begins to handle an event; `name` as in `layer slack`. */
  | { type: 'layer-started'; name: string; event: string; droplet?: string }
  | { type: 'layer-output'; name: string; event: string; droplet?: string; line: string }
  | { type: 'layer-finished'; name: string; event: string; droplet?: string; ms: number }
  | { type: 'deploy-interrupted'; signal: string; detail: string }
  | {
      type: 'rollout-finished';
      /** Also of a run that failed before `rollout-started`. Absent in streams of an older version. */
      command?: RollingCommand;
      ends?: EndOfCanary;
      /** As in the history. Absent if the run ended before it had the lock. */
      run?: string;
      result: DeployResult;
    };

/** What was asked of another machine, without secrets. */
export interface Trace {
  /**
   * `command`: a remote command or an upload, shown with --verbose. With --debug only, `ssh`: a connection; `http`: a request
   * to DigitalOcean or to the probed address.
   */
  kind: 'command' | 'ssh' | 'http';
  /** `GET /v2/droplets 200`, `ssh web-1: run survey: exit code 0` */
  what: string;
  ms: number;
  /** With --debug: sizes, arguments, the id of the request. */
  detail?: string;
}

/** Results of the probes: requests to the public address, once a second during a rollout. */
export interface Probes {
  url: string;
  total: number;
  failed: number;
  slowestMs: number;
  firstFailure?: { at: string; detail: string };
}

/** Expected outcomes are values. `summary` and `next` are for people. */
export interface DeployResult {
  outcome: 'succeeded' | 'skipped' | 'failed' | 'interrupted';
  release: ReleaseInfo;
  rows: StatusRow[];
  durationMs: number;
  /** The state of the fleet, in one sentence. */
  summary: string;
  /** Why it failed. */
  error?: ErrorInfo;
  evidence?: { droplet: string; evidence: Evidence }[];
  /** With `rollout.probe`. */
  probes?: Probes;
  /** The next command to type, if there is one. */
  next?: string;
  /** The fleet is left with two releases. */
  ways?: Ways;
  /** A canary is held: its IMAGE_TAG, and the names of the droplets that run it. */
  held?: { imageTag: string; droplets: string[] };
}

/** The commands that bring a fleet with two releases to one of them. */
export interface Ways {
  /** To the one that was being rolled out. */
  forward: string;
  /** To the one before. */
  back: string;
}

/** A rollout in the history on the droplets. */
export interface HistoryEntry {
  /** When it ended, ISO 8601. */
  at: string;
  run: string;
  /** Absent in entries of an older version. */
  environment?: string;
  command: string;
  who: string;
  /** Address of the CI run. */
  url?: string;
  release: string;
  imageTag: string;
  /** As in CommitInfo. */
  commit?: string;
  dirty?: boolean;
  outcome: DeployResult['outcome'];
  durationMs: number;
  /** With `rollout.probe`. */
  probes?: Pick<Probes, 'total' | 'failed'>;
  /** Names of the droplets that the release is held on, as a canary. */
  held?: string[];
  /** Ids of the droplets that took part. */
  droplets?: number[];
  /** Those of each role, by its name. */
  roles?: Record<string, number[]>;
  /** Names of droplets that were off or out of reach, and left as they are. */
  skipped?: string[];
  /** Items of checklists that were confirmed, by name. */
  confirmed?: string[];
  /** Why it failed. No message: it could hold what only its own run knows to be a secret. */
  error?: Pick<ErrorInfo, 'code' | 'droplet' | 'step'>;
}

/** A tag of the git repository. */
export interface GitTag {
  name: string;
  /** The full hash of the commit that it points to. */
  commit: string;
  /** When the tag, or otherwise its commit, was created; ISO 8601. */
  at: string;
  /** The first line of its message, or of its commit's. */
  subject: string;
}
