/**
 * What every rollout shares, whatever it rolls out: opening and closing, the lease, rolling with a grace after an
 * interruption, and the one result at the end.
 */
import type { Settings } from '../../config/settings.js';
import { asDeployError, DeployError } from '../../errors.js';
import type { DeployEventBody, DeployResult, ReleaseInfo, StatusRow } from '../../rollout/model.js';
import type { Deployer, DeployPorts } from '../core/deploy-ports.js';
import { reportTo } from '../core/report.js';
import { quote } from '../core/shell.js';
import { type Member, NOTHING_KNOWN } from '../droplet/member.js';
import { surveyed } from '../inspect/read-status.js';
import type { Run } from '../steps/run.js';
import { note } from './finish.js';
/** What every command that rolls is told. */
export interface SessionOptions {
  settings: Settings;
  /** The floor may be broken. */
  allowDowntime: boolean;
  deployer: Deployer;
  /** How long to wait for another run's lease; 0: not at all. */
  waitLockMs: number;
  /** The first signal: the droplet in hand is brought to a safe end. */
  interrupted: AbortSignal;
  /** The second one: stop at once. */
  aborted: AbortSignal;
  /** Arguments that the command to type next needs, too: the configuration file that this one was given. */
  alsoNext?: readonly string[];
}

type DeployCommand = Extract<DeployEventBody, { type: 'rollout-started' }>['command'];

/** What has to be closed at the end, and what is known when it fails. */
export interface Session {
  readonly command: DeployCommand;
  readonly ports: DeployPorts;
  readonly options: SessionOptions;
  readonly startedAt: number;
  release: ReleaseInfo;
  /** The fleet at the first look, by id. */
  found: ReadonlySet<number>;
  members: Member[];
  rows: StatusRow[];
  /** Ids of droplets that run the app for another environment. */
  others?: ReadonlySet<number>;
  /** Once it has the lease. */
  run?: Run;
  rolling: boolean;
}

/** Runs a command to its one result. Never throws: every end is a result, told as rollout-finished. */
export async function inSession(
  command: Session['command'],
  ports: DeployPorts,
  options: SessionOptions,
  release: ReleaseInfo,
  attempt: (session: Session) => Promise<DeployResult>,
): Promise<DeployResult> {
  const startedAt = ports.clock.now();
  const nothing = { found: new Set<number>(), members: [], rows: [], rolling: false };
  const session: Session = { command, ports, options, startedAt, release, ...nothing };
  let result: DeployResult;
  try {
    result = await unlessInterrupted(session, () => attempt(session));
  } catch (error) {
    result = failed(session, asDeployError(error));
    await noteFailure(session, result);
  }
  await session.run?.lease.release();
  await Promise.allSettled(session.members.map((member) => member.connection.close()));
  result = { ...result, ...nextOf(result, options), durationMs: ports.clock.now() - startedAt };
  reportTo(ports)({ type: 'rollout-finished', result });
  return result;
}

/** That it has failed is history; but not what was wrong with the request itself. */
async function noteFailure(
  { command, ports, run, members, release, rolling, startedAt }: Session,
  result: DeployResult,
) {
  if (run === undefined || rolling || result.outcome !== 'failed' || result.error?.source === 'user') return;
  if (release.id === '') return;
  const durationMs = ports.clock.now() - startedAt;
  await note(run, members, command, release, { ...result, durationMs });
}

function nextOf({ next }: DeployResult, { alsoNext = [] }: SessionOptions): { next?: string } {
  return next === undefined ? {} : { next: [next, ...alsoNext.map(quote)].join(' ') };
}

/** Before anything rolls an interruption ends the run at once: the connections are closed under whatever waits. */
async function unlessInterrupted<T>(session: Session, task: () => Promise<T>): Promise<T> {
  const signal = session.options.interrupted;
  const done = new AbortController();
  const interrupted = new Promise<never>((_, reject) => {
    const stop = () => {
      if (session.rolling) return;
      reject(interruption());
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true, signal: done.signal });
  });
  try {
    return await Promise.race([task(), interrupted]);
  } finally {
    done.abort();
  }
}

/** To be asked between phases: a task that an interruption has overtaken must not go on behind its back. */
export function stopIfInterrupted(session: Session): void {
  if (session.options.interrupted.aborted) throw interruption();
}

function interruption(): DeployError {
  return new DeployError('interrupted', 'Interrupted before anything was changed.', { source: 'user' });
}

function failed(session: Session, error: DeployError): DeployResult {
  const { release, rolling } = session;
  const base = { release, rows: rolling ? session.rows : rowsSurveyed(session), durationMs: 0 };
  const summary = rolling ? 'The state of the fleet is not known.' : 'Nothing was changed in rotation.';
  if (error.code === 'interrupted') return { ...base, outcome: 'interrupted', summary };
  const next = rolling ? `do-deploy status ${session.options.settings.environment}` : undefined;
  return { ...base, outcome: 'failed', summary, error: error.info(), ...(next && { next }) };
}

/** Nothing was changed: the droplets are as their surveys told, as far as those came. */
function rowsSurveyed({ rows, members }: Session): StatusRow[] {
  const known = new Map(
    members.filter(({ survey }) => survey !== NOTHING_KNOWN).map((member) => [member.droplet.id, member]),
  );
  return rows.map((row) => {
    const member = known.get(row.id);
    return member === undefined ? row : { ...row, ...surveyed(member) };
  });
}
