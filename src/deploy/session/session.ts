/** A session: one run of a command that rolls, from its options to its one result. */

import type { Settings } from '../../config/settings.js';
import { asDeployError, DeployError } from '../../errors.js';
import type { Reporter } from '../../ports.js';
import type { Handler, HandlerContext } from '../../rollout/lifecycle.js';
import type {
  DeployResult,
  EndOfCanary,
  HistoryEntry,
  ReleaseInfo,
  RollingCommand,
  StatusRow,
} from '../../rollout/model.js';
import type { Deployer, DeployPorts } from '../core/deploy-ports.js';
import { doDeploy } from '../core/do-deploy.js';
import { onAbort } from '../core/on-abort.js';
import { reportTo } from '../core/report.js';
import { closeAll } from '../droplet/connect.js';
import type { Member, Unreachable } from '../droplet/member.js';
import type { Run } from '../steps/run.js';
import type { Part, PlannedPart } from './canary.js';
import { askedOf, continueCommand } from './continue-command.js';
import type { FoundProbe } from './find-probe.js';
import type { Goal } from './goal.js';
import { raise, raiseEnding } from './lifecycle.js';
import { refuseUnconfirmed } from './refuse-unconfirmed.js';
import { rowsSurveyed } from './rollout-rows.js';
import { writeHistory } from './write-history.js';

/** Options of every command that rolls. */
export interface SessionOptions {
  settings: Settings;
  /** Fewer droplets may serve than the capacity floor requires. */
  allowDowntime: boolean;
  deployer: Deployer;
  /** Leaves out droplets that are off or cannot be reached; `fail`: the rollout ends as failed if there are any. */
  skip?: 'fail' | 'ok';
  /** The release is deployed although what runs now does not answer `rollout.health.http`. */
  skipFirstCheck?: boolean;
  /** This command line with further options, to paste. */
  again?: (...options: string[]) => string;
  /** How long to wait for another run's lease, in ms; 0: not at all. */
  waitLockMs: number;
  /** Only a part of the fleet gets the release. */
  part?: Part;
  /** `promote` and `abort`, which end a canary: the command that continues them. */
  ends?: EndOfCanary;
  /** What the command was given besides the environment, for the command that continues it. */
  words?: readonly string[];
  /** The first signal: bring the droplets in hand to a safe end. */
  interrupted: AbortSignal;
  /** The second signal: stop immediately. */
  aborted: AbortSignal;
  /** Of the project's layers and hooks. */
  handlers?: readonly Handler[];
  /** Answers what they ask to be confirmed. */
  confirm?: HandlerContext['confirm'];
  /** The command line does not confirm this name, and no user can be asked. */
  lacks?: (name: string) => boolean;
}

/** What has to be closed at the end, and what the result needs when the run fails. */
export interface Session {
  readonly command: RollingCommand;
  readonly ports: DeployPorts;
  readonly options: SessionOptions;
  readonly startedAt: number;
  /** Id of the release that this run makes; '' once a droplet is found to hold it already. */
  made: string;
  release: ReleaseInfo;
  /** Ids of the fleet's droplets at the start. */
  fleetAtStart: ReadonlySet<number>;
  members: Member[];
  /** Ids of the releases that the droplets ran before this run. */
  previous: readonly string[];
  /** Present once the release is chosen. */
  goal?: Goal;
  /** The release goes to this part of the fleet. */
  part?: PlannedPart;
  /** The commit of their files, if it was the same everywhere. */
  previousCommit?: string;
  /** What the user has confirmed, by name. */
  readonly confirmed: string[];
  /** Droplets that were left out because they are off or cannot be reached. */
  skipped: Unreachable[];
  rows: StatusRow[];
  /** When every gate has said yes, before anything has changed. */
  gatesAskedAt?: number;
  /** Known before rolling begins. */
  probe: Promise<FoundProbe>;
  /** Past runs, newest first; never rejects. */
  past: Promise<readonly HistoryEntry[]>;
  /** Present once the lease is held. */
  run?: Run;
  /** An interruption waits for what is being done, within the grace period. */
  underway: boolean;
  /** Droplets have begun to change. */
  rolling: boolean;
  /** Events whose handlers run, or are being ended. */
  readonly raised: Set<Promise<void>>;
}

/** Before a command has chosen its release. */
export const NO_RELEASE_YET: ReleaseInfo = { id: '', imageTag: '' };

/** Runs `attempt` and reports its result as rollout-finished. Never throws: an error becomes a failed result. */
export async function runSession(
  command: Session['command'],
  given: DeployPorts,
  options: SessionOptions,
  release: ReleaseInfo,
  attempt: (session: Session, ports: DeployPorts) => Promise<DeployResult>,
): Promise<DeployResult> {
  const startedAt = given.clock.now();
  const { reporter, leave } = untilLeft(given.reporter);
  const ports = { ...given, reporter };
  const nothing = { members: [], previous: [], confirmed: [], skipped: [], rows: [], underway: false, rolling: false };
  const fleetAtStart = new Set<number>();
  const probe = Promise.resolve({});
  const past = Promise.resolve([]);
  const session: Session = {
    command,
    ports,
    options,
    startedAt,
    release,
    made: release.id,
    fleetAtStart,
    probe,
    past,
    raised: new Set(),
    ...nothing,
  };
  let result: DeployResult;
  try {
    result = await unlessInterrupted(session, async () => {
      refuseUnconfirmed(session);
      await raise(session, 'configure');
      return await attempt(session, ports);
    });
  } catch (error) {
    leave();
    // What handlers that are being ended still clean up belongs to the run.
    await Promise.allSettled(session.raised);
    result = unlessUncaught(options, failed(session, asDeployError(error)));
    await writeFailure(session, result);
  }
  // What is still reported comes from steps that were left: their connections are about to be closed.
  leave();
  result = unlessUncaught(options, result);
  // What handlers that are being ended still clean up is done under the lease.
  await Promise.allSettled(session.raised);
  await session.run?.lease.release();
  result = { ...result, durationMs: ports.clock.now() - startedAt };
  await closeAll(session.members);
  await raiseEnding(session, result);
  reportTo(ports)({ type: 'rollout-finished', command, ...endsOf(options), run: session.run?.id, result });
  return result;
}

/** For the events of a run. */
export function endsOf({ ends }: Pick<SessionOptions, 'ends'>): { ends?: EndOfCanary } {
  return ends === undefined ? {} : { ends };
}

/** An interruption by an error that nothing caught is a failure. */
export function unlessUncaught({ interrupted }: SessionOptions, result: DeployResult): DeployResult {
  const { reason } = interrupted;
  if (!(reason instanceof DeployError) || result.outcome === 'failed') return result;
  return { ...result, outcome: 'failed', error: reason.info() };
}

/**
 * A reporter that drops what steps report once the session has left them: after an interruption, or another droplet's
 * failure, they fail only because their connections are closed.
 */
function untilLeft(reporter: Reporter): { reporter: Reporter; leave: () => void } {
  let left = false;
  return {
    reporter: {
      report: (event) => {
        if (!left || !event.type.startsWith('step-')) reporter.report(event);
      },
    },
    leave: () => {
      left = true;
    },
  };
}

/**
 * Before anything rolls, an interruption ends the run immediately: the connections are closed under pending tasks. While
 * handlers of `deploy` run, only the second signal does.
 */
async function unlessInterrupted<T>(session: Session, task: () => Promise<T>): Promise<T> {
  const done = new AbortController();
  const interrupted = new Promise<never>((_, reject) => {
    const { interrupted: first, aborted: second } = session.options;
    const stop = () => reject(interruption(session));
    onAbort(first, () => !session.underway && stop(), done.signal);
    onAbort(second, () => !session.rolling && stop(), done.signal);
  });
  try {
    return await Promise.race([task(), interrupted]);
  } finally {
    done.abort();
  }
}

/** To be called between phases: a task must not continue after an interruption has ended its run. */
export function stopIfInterrupted(session: Session): void {
  if (session.options.interrupted.aborted) throw interruption(session);
}

function interruption({ underway }: Session): DeployError {
  const before = underway ? 'any droplet left rotation' : 'anything was changed';
  return new DeployError('interrupted', `Interrupted before ${before}.`, { source: 'user' });
}

function failed(session: Session, error: DeployError): DeployResult {
  const { release, rolling, rows, members } = session;
  const base = { release, rows: rolling ? rows : rowsSurveyed(rows, members), durationMs: 0 };
  const summary = rolling ? 'The state of the fleet is unknown.' : 'Nothing was changed in rotation.';
  if (error.code === 'interrupted') {
    const next = release.id === '' ? undefined : continueCommand(askedOf(session), release);
    return { ...base, outcome: 'interrupted', summary, next };
  }
  const next = rolling ? doDeploy(session.options.settings, 'status') : undefined;
  return { ...base, outcome: 'failed', summary, error: error.info(), next };
}

/** Writes a failure or an interruption before rolling into the history, unless the request itself was wrong. */
async function writeFailure(session: Session, result: DeployResult): Promise<void> {
  const { command, ports, run, members, release, rolling, startedAt } = session;
  if (run === undefined || rolling || result.error?.source === 'user') return;
  if (release.id === '') return;
  const durationMs = ports.clock.now() - startedAt;
  await writeHistory(run, members, session.options.ends ?? command, release, { ...result, durationMs });
}
