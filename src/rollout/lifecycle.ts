/**
 * The events of a rollout that layers and hooks handle, in order, and the shape of a handler. Pure.
 */
import type { DeployEvent, DeployResult, ReleaseInfo, RollingCommand } from './model.js';

export const LIFECYCLE_EVENTS = [
  'configure', // the settings are known, and nothing was contacted
  'pre_deploy', // the lease is held; nothing was changed
  'deploy', // the release is staged, and rolling begins
  'before_leave', // a droplet is about to leave rotation
  'after_rejoin', // a droplet is back in rotation
  'after_batch', // all droplets of a batch are back
  'post_deploy', // every droplet was rolled; the lease is still held
  'deploy_succeeded',
  'deploy_skipped', // the fleet runs the release already
  'deploy_failed', // also after an interruption, and when the rollout was reverted
] as const;
export type LifecycleEvent = (typeof LIFECYCLE_EVENTS)[number];

/** Exactly one of them ends every run that raised `configure`. */
export type Ending = Extract<LifecycleEvent, `deploy_${string}`>;

/** A handler that fails only warns: it comes too late to stop anything, or would strand a droplet. */
export function onlyWarns(event: LifecycleEvent): boolean {
  return event === 'after_rejoin' || event.startsWith('deploy_');
}

export function endingOf({ outcome }: Pick<DeployResult, 'outcome'>): Ending {
  if (outcome === 'succeeded') return 'deploy_succeeded';
  return outcome === 'skipped' ? 'deploy_skipped' : 'deploy_failed';
}

/** What a handler gets. Texts may come from droplets, and are not cleaned. */
export interface LifecyclePayload {
  event: LifecycleEvent;
  /** ISO 8601. */
  at: string;
  command: RollingCommand;
  app: string;
  environment: string;
  /** Its id is empty until the command has chosen it. */
  release: ReleaseInfo;
  /** Ids of the releases that the droplets ran before, without repetition; empty before `deploy`. */
  previous: string[];
  /** The commit that all droplets ran before, if they ran the same one. */
  previousCommit?: string;
  /** user@host, or the CI job. */
  who: string;
  /** The CI run. */
  url?: string;
  /** Names of the fleet's droplets; empty in `configure`. */
  droplets: string[];
  /** In `before_leave` and `after_rejoin`. */
  droplet?: string;
  /** In `after_batch`: from 1. */
  batch?: number;
  /** In endings: how long the run took, in ms. */
  durationMs?: number;
  /** In endings. */
  result?: DeployResult;
}

/** What a handler may use besides the payload. */
export interface HandlerContext {
  /** Aborted when the handler's time is over, or the run is stopped. */
  readonly signal: AbortSignal;
  /** When this handler began, in ms since the epoch; `at` of the payload is when the event was raised. */
  readonly startedAt: number;
  /** Resolves after `ms`, or earlier when the signal aborts or the handler's time is over; never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Prints a line below the name of the layer; cleaned and redacted. */
  log(line: string): void;
  /**
   * Runs a command in a new container of a service of the release, which is removed afterwards, on one droplet: the
   * event's, or else the first. From `deploy` to `post_deploy`. The container's dependencies are not started.
   */
  run(service: string, command: readonly string[], options?: OneOffOptions): Promise<OneOffResult>;
  /** Stops, starts, restarts or signals the containers of a service, on the event's droplet or on all. */
  process(service: string, action: ProcessAction): Promise<ProcessResult>;
  /**
   * Whether the user has confirmed this: by `--confirm NAME`, or by answering the question. Undefined when it was not given,
   * and no user can be asked. What was confirmed is recorded in the history.
   * @param signal withdraws the question
   */
  confirm(name: string, question: string, signal: AbortSignal): Promise<boolean | undefined>;
}

export interface OneOffOptions {
  /** Letters, digits and `-`: does not run if the last success under this name was for this release, on any droplet. */
  readonly once?: string;
  /** Ends the command. With `once` it only ends the wait for it: the container goes on, and the next run waits for its end. */
  readonly signal?: AbortSignal;
  /** Gets each line of the output as soon as it is printed. */
  readonly onLine?: (line: string, speaker: Speaker) => void;
}

/** `program`: what the container runs. With `once` it is told apart from what Docker and do-deploy print themselves. */
export type Speaker = 'program' | 'docker' | 'do-deploy';

export interface OneOffResult {
  /** Its exit code; 0 if it was done before. */
  code: number;
  /** At most 1 MiB. */
  output: string;
  /** `before`: an earlier run has done it, and nothing was run now. */
  done: 'now' | 'before';
}

/** Numbers of containers, on all droplets together. */
export interface ProcessResult {
  /** Those that the action was for; a signal is only for those that run. */
  reached: number;
  /** Those that the service has in the releases that the droplets run. */
  expected: number;
}

/**
 * `signal`: a name as kill takes it, such as TSTP. `graceMs`: how long a container may take to stop, without it as long as its
 * `stop_grace_period`. After a signal it holds if do-deploy dies and a later run restarts the container.
 */
export type ProcessAction =
  | 'start'
  | 'restart'
  | 'stop'
  | { readonly stop: { readonly graceMs: number } }
  | { readonly signal: string; readonly graceMs?: number };

export interface Handler {
  /** For people: `layer slack` or `hook config/hooks/pre_deploy`. */
  readonly name: string;
  readonly event: LifecycleEvent;
  /** Lower ones run first; equal ones in the order in which they are listed. */
  readonly priority: number;
  readonly timeoutMs: number;
  /** Its failures are warnings at every event. */
  readonly mayFail?: boolean;
  /** What its layer is besides its handlers, which share it. */
  readonly layer?: LayerFacts;
  /** Turns a payload into what the handler gets, such as one without secrets. Its time does not count towards `timeoutMs`. */
  present?(payload: LifecyclePayload): LifecyclePayload;
  /** Throws to fail. */
  handle(payload: LifecyclePayload, context: HandlerContext): Promise<void>;
}

/** Something that a layer asks to be confirmed at an event of these commands. */
export interface Confirmation {
  readonly name: string;
  readonly on: LifecycleEvent;
  readonly commands: readonly RollingCommand[];
}

export interface LayerFacts {
  /** Names that it asks to be confirmed. */
  readonly confirms: readonly string[];
  /** Those of which it is known when they are asked. */
  readonly confirmations?: readonly Confirmation[];
  /** Sees every event of the run, masked and cleaned, as soon as it is reported. */
  readonly onEvent?: (event: DeployEvent) => void;
}
