/**
 * What every rollout shares, whatever it rolls out: opening and closing, the lease, rolling with a grace after an
 * interruption, and the one result at the end.
 */
import type { Settings } from '../config/settings.js';
import { asDeployError, DeployError } from '../errors.js';
import type { DeployEventBody, DeployResult, ReleaseInfo, StatusRow } from '../rollout/model.js';
import type { RolloutState } from '../rollout/planner.js';
import { watchAvailability } from './availability.js';
import { conclude, rowsOf } from './conclude.js';
import { type Deployer, type DeployPorts, type Run, reportTo } from './context.js';
import { finish, note } from './finish.js';
import type { Fleet } from './fleet.js';
import { Lease } from './lease.js';
import { type Rolled, roll } from './orchestrator.js';
import type { ReleaseRecord } from './release.js';
import { quote } from './remote/command.js';
import { addressOf, NOTHING_KNOWN, type Site } from './site.js';
import { connectAll } from './staging.js';
import { surveyed } from './status.js';
import { together } from './together.js';

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
  sites: Site[];
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
  const nothing = { found: new Set<number>(), sites: [], rows: [], rolling: false };
  const session: Session = { command, ports, options, startedAt, release, ...nothing };
  let result: DeployResult;
  try {
    result = await unlessInterrupted(session, () => attempt(session));
  } catch (error) {
    result = failed(session, asDeployError(error));
    await noteFailure(session, result);
  }
  await session.run?.lease.release();
  await Promise.allSettled(session.sites.map((site) => site.connection.close()));
  result = { ...result, ...nextOf(result, options), durationMs: ports.clock.now() - startedAt };
  reportTo(ports)({ type: 'rollout-finished', result });
  return result;
}

/** That it has failed is history; but not what was wrong with the request itself. */
async function noteFailure({ command, ports, run, sites, release, rolling, startedAt }: Session, result: DeployResult) {
  if (run === undefined || rolling || result.outcome !== 'failed' || result.error?.source === 'user') return;
  if (release.id === '') return;
  const durationMs = ports.clock.now() - startedAt;
  await note(run, sites, command, release, { ...result, durationMs });
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

/** The session may have ended while the connections were being made: nobody else would close them. */
async function closeIfInterrupted(session: Session): Promise<void> {
  if (!session.options.interrupted.aborted) return;
  await Promise.allSettled(session.sites.map((site) => site.connection.close()));
  stopIfInterrupted(session);
}

/** Connects to the droplets that run, for a command that leaves those as they are that cannot be reached, and says so. */
export async function connectRunning(session: Session, fleet: Fleet): ReturnType<typeof connectAll> {
  const { ports, options } = session;
  const running = fleet.look.droplets.filter(({ droplet }) => droplet.status === 'active');
  const connected = await connectAll(
    ports,
    options.settings,
    running.map(({ droplet }) => droplet),
  );
  session.sites = connected.sites;
  await closeIfInterrupted(session);
  for (const { droplet, error } of connected.unreachable) {
    const message = `${droplet.name} cannot be reached and stays as it is: ${error.message}`;
    reportTo(ports)({ type: 'notice', level: 'warning', message, droplet: droplet.name });
  }
  return connected;
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
function rowsSurveyed({ rows, sites }: Session): StatusRow[] {
  const known = new Map(sites.filter(({ survey }) => survey !== NOTHING_KNOWN).map((site) => [site.droplet.id, site]));
  return rows.map((row) => {
    const site = known.get(row.id);
    return site === undefined ? row : { ...row, ...surveyed(site) };
  });
}

/** Tells what is about to be rolled out, and to whom. */
export function announce(session: Session, fleet: Fleet): void {
  const { settings } = session.options;
  const report = reportTo(session.ports);
  session.found = new Set(fleet.look.droplets.map(({ droplet }) => droplet.id));
  session.rows = fleet.look.droplets.map(({ droplet, rotation }) => ({
    id: droplet.id,
    name: droplet.name,
    address: addressOf(droplet, settings.ssh.address) ?? '',
    rotation,
    release: '',
    health: '',
    outcome: 'not deployed',
  }));
  report({
    type: 'rollout-started',
    command: session.command,
    app: settings.app,
    environment: settings.environment,
    release: session.release,
    target: fleet.target.description,
    rows: session.rows,
  });
  for (const message of fleet.target.notices) report({ type: 'notice', level: 'warning', message });
}

/** All droplets or an error: a deploy that leaves one out would leave the fleet on two releases. */
export async function reachAll(session: Session, fleet: Fleet): Promise<void> {
  const droplets = fleet.look.droplets.map(({ droplet }) => droplet);
  const { sites, unreachable } = await connectAll(session.ports, session.options.settings, droplets);
  session.sites = sites;
  await closeIfInterrupted(session);
  const [first] = unreachable;
  if (first) throw first.error;
}

/** Takes the lease on every droplet, and proves that the ledger can be written. Throws DeployError lease-held or ledger-forbidden. */
export async function takeLease(session: Session, fleet: Fleet): Promise<Run> {
  const { ports, release } = session;
  const { settings, deployer, waitLockMs, interrupted } = session.options;
  const report = reportTo(ports);
  stopIfInterrupted(session);
  report({ type: 'phase-started', phase: 'lease' });
  const since = new Date(ports.clock.now()).toISOString();
  const id = [session.command, release.id, since, deployer.who].filter(Boolean).join(' ');
  const holder = { run: id, who: deployer.who, release: release.id, since, ...(deployer.url && { url: deployer.url }) };
  const lease = await Lease.acquire(session.sites, settings.app, holder, {
    clock: ports.clock,
    waitMs: waitLockMs,
    rotation: fleet.target.healthCheck !== undefined,
    signal: interrupted,
    onWait: (other) => {
      const whose = other === undefined ? '' : ` by ${other.who}`;
      report({ type: 'notice', level: 'info', message: `Waiting for another deploy${whose} to end.` });
    },
  });
  if (interrupted.aborted) await lease.release();
  stopIfInterrupted(session);
  const { target, ledger } = fleet;
  session.run = { ports, settings, id, deployer, target, ledger, lease, away: membersAway(session, fleet) };
  if (target.healthCheck !== undefined) {
    // Under the lease: the proof takes the tag from a droplet without it, which another run might be about to tag.
    const { droplets } = await target.look();
    await ledger.prove(droplets.map(({ droplet }) => droplet));
    tellLeftOut(session, droplets);
  }
  return session.run;
}

/** Only under the lease: until then they may be in the hands of a run that is under way, as may one that was not reached. */
function tellLeftOut(session: Session, droplets: Fleet['look']['droplets']): void {
  for (const { droplet, rotation } of droplets.filter(({ inLedger }) => inLedger)) {
    const reached = session.sites.some((site) => site.droplet.id === droplet.id);
    const left = 'was left out of rotation by an earlier run; it goes first';
    const known = rotation === 'in' ? 'is still recorded as out by an earlier run' : left;
    const message = `${droplet.name} ${reached ? known : 'is recorded as out of rotation, and was not reached'}.`;
    reportTo(session.ports)({ type: 'notice', level: 'warning', message, droplet: droplet.name });
  }
}

/** Those in rotation or in the ledger that were not connected to. */
function membersAway({ sites }: Session, { look }: Fleet): number[] {
  const reached = new Set(sites.map((site) => site.droplet.id));
  const members = look.droplets.filter(({ rotation, inLedger }) => rotation === 'in' || inLedger);
  return members.map(({ droplet }) => droplet.id).filter((id) => !reached.has(id));
}

/** Rolls to session.release, finishes and concludes; or skips, when there is nothing to do. */
export async function rollTo(
  session: Session,
  run: Run,
  start: RolloutState,
  record: ReleaseRecord,
  previous: ReadonlyMap<number, ReleaseRecord>,
): Promise<DeployResult> {
  const { ports, sites } = session;
  const report = reportTo(ports);
  const { release } = session;
  session.rows = rowsOf(start, sites, record);
  for (const row of session.rows) report({ type: 'row-changed', row });
  if (start.droplets.every((droplet) => droplet.course === 'done')) {
    const summary = nothingToDo(session, run, record);
    return { outcome: 'skipped', release, rows: session.rows, durationMs: 0, summary };
  }
  stopIfInterrupted(session);
  report({ type: 'phase-started', phase: 'roll' });
  session.rolling = true;
  const { probeUrl } = run.settings.rollout;
  const stopWatching = probeUrl === undefined ? undefined : watchAvailability(ports, probeUrl);
  const rolled = await rollWithGrace(session, run, start, record, previous).catch(async (error) => {
    await stopWatching?.();
    throw error;
  });
  const probes = await stopWatching?.();
  const { environment } = run.settings;
  const durationMs = ports.clock.now() - session.startedAt;
  const rows = rowsOf(rolled.state, sites, record);
  const result: DeployResult = {
    ...conclude({ ...rolled, rows, release, environment, durationMs }),
    ...(probes && { probes }),
  };
  if (!rolled.state.halted) {
    report({ type: 'phase-started', phase: 'finish' });
    await finish(run, sites, session.command, record, result);
    const joined = await tellNewcomers(session, run, rolled.state);
    if (joined && result.next === undefined) return { ...result, next: `do-deploy adopt ${environment}` };
  }
  return result;
}

function nothingToDo({ command, sites }: Session, run: Run, record: ReleaseRecord): string {
  const some = run.away !== undefined && run.away.length > 0;
  const all = sites.length === 1 ? 'The droplet runs' : `All ${sites.length} droplets run`;
  if (command === 'adopt') return `${some ? 'Every droplet that was reached runs' : all} release ${record.id}.`;
  return `Every droplet${some ? ' that was reached' : ''} already runs this release, healthy and in rotation.`;
}

/** Droplets that came to the fleet meanwhile run no release, or another one. Gives whether there are any. */
async function tellNewcomers(session: Session, run: Run, { droplets: rolled }: RolloutState): Promise<boolean> {
  const { environment } = run.settings;
  // One that was taken away before its turn, and has come back after it, is as good as new.
  const missed = new Set(rolled.filter((droplet) => droplet.gone && !droplet.touched).map(({ id }) => id));
  const known = new Set([...session.found].filter((id) => !missed.has(id)));
  const report = reportTo(session.ports);
  try {
    const [{ droplets }, ofPool] = await together([run.target.look(), run.target.waiting()]);
    const found = [...droplets, ...ofPool.map((droplet) => ({ droplet, rotation: 'out' }))];
    const newcomers = found.filter(({ droplet: { id } }) => !known.has(id) && !session.others?.has(id));
    for (const { droplet, rotation } of newcomers) {
      const how = rotation === 'out' ? 'is not behind' : 'joined';
      const message = `${droplet.name} ${how} ${run.target.description} and was not deployed to; run do-deploy adopt ${environment}.`;
      report({ type: 'notice', level: 'warning', message, droplet: droplet.name });
    }
    return newcomers.length > 0;
  } catch (error) {
    report({
      type: 'notice',
      level: 'warning',
      message: `Whether droplets joined meanwhile cannot be told: ${asDeployError(error).message}`,
    });
    return false;
  }
}

async function rollWithGrace(
  session: Session,
  run: Run,
  start: RolloutState,
  release: ReleaseRecord,
  previous: ReadonlyMap<number, ReleaseRecord>,
): Promise<Rolled> {
  const { clock } = run.ports;
  const { interrupted, aborted } = session.options;
  const ended = new AbortController();
  const stop = new AbortController();
  const onInterrupt = () =>
    void clock.sleep(run.settings.rollout.interruptGraceMs, ended.signal).then(() => {
      if (!ended.signal.aborted) stop.abort();
    });
  whenAborted(interrupted, onInterrupt, ended.signal);
  whenAborted(aborted, () => stop.abort(), ended.signal);
  try {
    return await roll(run, session.sites, start, {
      release,
      previous,
      interrupted,
      aborted: stop.signal,
      onState: (state) => tellChangedRows(session, state, release),
    });
  } finally {
    ended.abort();
  }
}

function whenAborted(signal: AbortSignal, act: () => void, until: AbortSignal): void {
  if (signal.aborted) act();
  else signal.addEventListener('abort', act, { once: true, signal: until });
}

function tellChangedRows(session: Session, state: RolloutState, release: ReleaseRecord): void {
  const rows = rowsOf(state, session.sites, release);
  const report = reportTo(session.ports);
  for (const [index, row] of rows.entries()) {
    if (!sameRow(row, session.rows[index])) report({ type: 'row-changed', row });
  }
  session.rows = rows;
}

function sameRow(one: StatusRow, other: StatusRow | undefined): boolean {
  if (other === undefined) return false;
  const keys = Object.keys(one) as (keyof StatusRow)[];
  return keys.length === Object.keys(other).length && keys.every((key) => one[key] === other[key]);
}
