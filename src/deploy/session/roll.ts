import { asDeployError } from '../../errors.js';
import type { DeployResult, StatusRow } from '../../rollout/model.js';
import type { RolloutState } from '../../rollout/planner.js';
import { waitForAll } from '../core/parallel.js';
import { reportTo } from '../core/report.js';
import type { StoredRelease } from '../release/stored-release.js';
import type { Run } from '../steps/run.js';
import { watchAvailability } from './availability.js';
import { finish } from './finish.js';
import { type Rolled, roll } from './orchestrator.js';
import { resultOf, rowsOf } from './result.js';
import { type Session, stopIfInterrupted } from './session.js';
/** Rolls to session.release, finishes and concludes; or skips, when there is nothing to do. */
export async function rollTo(
  session: Session,
  run: Run,
  start: RolloutState,
  record: StoredRelease,
  previous: ReadonlyMap<number, StoredRelease>,
): Promise<DeployResult> {
  const { ports, members } = session;
  const report = reportTo(ports);
  const { release } = session;
  session.rows = rowsOf(start, members, record);
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
  const rows = rowsOf(rolled.state, members, record);
  const result: DeployResult = {
    ...resultOf({ ...rolled, rows, release, environment, durationMs }),
    ...(probes && { probes }),
  };
  if (!rolled.state.halted) {
    report({ type: 'phase-started', phase: 'finish' });
    await finish(run, members, session.command, record, result);
    const joined = await tellNewcomers(session, run, rolled.state);
    if (joined && result.next === undefined) return { ...result, next: `do-deploy adopt ${environment}` };
  }
  return result;
}

function nothingToDo({ command, members }: Session, run: Run, record: StoredRelease): string {
  const some = run.away !== undefined && run.away.length > 0;
  const all = members.length === 1 ? 'The droplet runs' : `All ${members.length} droplets run`;
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
    const [{ droplets }, ofPool] = await waitForAll([run.target.readMembership(), run.target.waiting()]);
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
  release: StoredRelease,
  previous: ReadonlyMap<number, StoredRelease>,
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
    return await roll(run, session.members, start, {
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

function tellChangedRows(session: Session, state: RolloutState, release: StoredRelease): void {
  const rows = rowsOf(state, session.members, release);
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
