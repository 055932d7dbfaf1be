/**
 * The words of a rollout: plain data, shared by the planner, the orchestrator and the reporters. Pure: imports only
 * the shape of an error.
 */
import type { ErrorInfo } from '../errors.js';

/** Steps of one droplet, in the order in which a rolling deploy takes them. */
export const ROLLING_STEPS = [
  'mark-out', // write "out" into the ledger
  'leave', // take it out of the balancer
  'drain', // wait until the balancer has let go of it
  'switch', // start the release's containers
  'health', // the compose project is healthy
  'balancer-check', // the balancer's own health check passes
  'rejoin', // put it back into the balancer
  'settle', // the balancer has had time to see it healthy, and it still is
  'clear', // take "out" from the ledger
] as const;
export type RollingStep = (typeof ROLLING_STEPS)[number];

/** Steps of staging: in parallel on all droplets, nothing leaves rotation. */
export const STAGING_STEPS = ['connect', 'check', 'upload', 'prepare', 'pull', 'build'] as const;
export type StagingStep = (typeof STAGING_STEPS)[number];

export type Step = StagingStep | RollingStep | 'evidence' | 'finish';

/** `none`: the target has no balancer. `unknown` counts as out. */
export type Rotation = 'in' | 'out' | 'unknown' | 'none';

/** What became of a droplet in this run. */
export type DropletOutcome =
  | 'not deployed' // untouched: still on the release it had
  | 'in progress'
  | 'deployed'
  | 'up to date' // it already ran this release
  | 'reverted' // failed, and is back on its previous release, serving
  | 'deploy failed' // failed, and not put back
  | 'unfinished'; // the run ended with it in hand

/** A line of the status table. */
export interface StatusRow {
  id: number;
  name: string;
  address: string;
  rotation: Rotation;
  /** The release it runs, '' when none or unknown. */
  release: string;
  /** `healthy`, `starting`, `unhealthy`, `unknown`, or '' before anything is known. */
  health: string;
  outcome: DropletOutcome;
  /** The step it is at or ended with. */
  step?: Step;
  /** Its share of the rolling phase so far, in ms; absent before it began. */
  elapsedMs?: number;
  /** For people: what it waits for, or why it failed. */
  detail?: string;
  /** When and by which run it was recorded as out of rotation. */
  outSince?: string;
  /** Of its release, in a status: the value of IMAGE_TAG, and the commit of its files as in a CommitInfo. */
  imageTag?: string;
  commit?: string | undefined;
  dirty?: boolean | undefined;
}

/** The commit that the files of a release are of, where they are in git. */
export interface CommitInfo {
  /** The whole hash. */
  commit: string;
  /** True: there were uncommitted changes besides. */
  dirty?: boolean | undefined;
}

/** A release as the events tell it. */
export interface ReleaseInfo extends Omit<CommitInfo, 'commit'> {
  /** e.g. 20261121T074500Z-v1.4.2 */
  id: string;
  /** The value of IMAGE_TAG. */
  imageTag: string;
  commit?: string | undefined;
}

/** What a failed droplet had to say; every text is already redacted and cut to a readable length. */
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
  /** "92% of /var/lib/docker used" */
  disk?: string;
}

/** One vocabulary for people, CI and `--json`. `schema` changes when a field's meaning does. */
export type DeployEvent = { schema: 2; at: string } & DeployEventBody;

export type DeployEventBody =
  | {
      type: 'rollout-started';
      command: 'deploy' | 'rollback' | 'heal' | 'adopt';
      app: string;
      environment: string;
      release: ReleaseInfo;
      /** For people: `load balancer "web" (203.0.113.9)`. */
      target: string;
      rows: StatusRow[];
    }
  | { type: 'phase-started'; phase: 'discover' | 'lease' | 'stage' | 'roll' | 'finish'; detail?: string }
  | { type: 'batch-started'; batch: number; droplets: string[]; left: number }
  | { type: 'step-started'; droplet: string; step: Step; release?: string }
  | { type: 'step-progress'; droplet: string; step: Step; detail: string }
  | { type: 'step-finished'; droplet: string; step: Step; ms: number; detail?: string }
  | { type: 'step-failed'; droplet: string; step: Step; ms: number; error: ErrorInfo }
  | { type: 'evidence-collected'; droplet: string; evidence: Evidence }
  | { type: 'row-changed'; row: StatusRow }
  | { type: 'notice'; level: 'info' | 'warning'; message: string; droplet?: string }
  /** Only with --verbose: a remote command or API call, without secrets. */
  | { type: 'trace'; what: string; ms: number }
  | { type: 'deploy-interrupted'; signal: string; detail: string }
  | { type: 'rollout-finished'; result: DeployResult };

/** What became of requests to the public address, one a second while droplets were rolled. */
export interface Probes {
  url: string;
  total: number;
  failed: number;
  slowestMs: number;
  firstFailure?: { at: string; detail: string };
}

/** Expected ends are values. `summary` and `next` are for people. */
export interface DeployResult {
  outcome: 'succeeded' | 'skipped' | 'failed' | 'interrupted';
  release: ReleaseInfo;
  rows: StatusRow[];
  durationMs: number;
  /** One sentence on what state the fleet is in. */
  summary: string;
  /** Why it failed. */
  error?: ErrorInfo;
  evidence?: { droplet: string; evidence: Evidence }[];
  /** With `rollout.probe`. */
  probes?: Probes;
  /** The exact command to type next, if there is one. */
  next?: string;
}

/** One rollout as the droplets remember it. */
export interface HistoryEntry {
  /** When it ended, ISO 8601. */
  at: string;
  run: string;
  /** Absent in lines of an older version. */
  environment?: string | undefined;
  command: string;
  who: string;
  /** The CI run. */
  url?: string | undefined;
  release: string;
  imageTag: string;
  /** As in a CommitInfo. */
  commit?: string | undefined;
  dirty?: boolean | undefined;
  outcome: DeployResult['outcome'];
  durationMs: number;
  /** With `rollout.probe`. */
  probes?: Pick<Probes, 'total' | 'failed'> | undefined;
  /** Ids of the droplets that took part. */
  droplets?: number[] | undefined;
}

/** A tag of the project's git repository. */
export interface GitTag {
  name: string;
  /** The whole hash of the commit that it leads to. */
  commit: string;
  /** When it was made, or its commit where the tag does not say; ISO 8601. */
  at: string;
  /** The first line of its message, or of its commit's. */
  subject: string;
}
