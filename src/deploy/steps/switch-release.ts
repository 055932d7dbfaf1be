/** Starts the release's containers. From here until its gates have passed the droplet's state.json says `switching`. */

import { asDeployError, DeployError } from '../../errors.js';
import type { CommandResult, RemoteCommand } from '../../ports.js';
import { judgeHealth, type ServiceSpec } from '../../rollout/health.js';
import { appFolder, command, quote, writeFile } from '../core/shell.js';
import { readContainersNow, refreshContainers } from '../droplet/containers.js';
import { loginTo, type Member, nextState } from '../droplet/member.js';
import type { DropletStateFile } from '../droplet/survey-command.js';
import { changeDroplet } from '../lease/change-droplet.js';
import { asHolder } from '../lease/lease-commands.js';
import { variables } from '../release/compose-run.js';
import type { StoredRelease } from '../release/stored-release.js';
import { notHealthyWithin, unhealthy } from './await-health.js';
import type { StepContext, StepResult } from './run.js';

/** Exit code: state.json could not be written, so nothing was changed. EX_IOERR of sysexits.h. */
const NOT_WRITTEN = 74;

/** Writes state.json, then starts the release's containers; with `again`, also those that run as it wants them. */
export function switchCommand(
  record: StoredRelease,
  state: DropletStateFile,
  options: { again: boolean; timeoutMs: number },
): RemoteCommand {
  const verb = options.again ? 'up again' : 'up';
  return command(
    'switch',
    { app: record.app, release: record.id, state, again: options.again },
    [
      'set -eu',
      `cd ${appFolder(record.app)}`,
      // A run that died, or lost its connection, may have left the same command running: this one waits for its end.
      // compose inherits the descriptor, and with it the lock.
      'exec 8>>switch.lock',
      'flock 8',
      asHolder(record.app, state.run),
      // On a full disk nothing has changed yet.
      `if ! { ${writeFile('state.json', state).join(' && ')}; }; then rm -f state.json.new; exit ${NOT_WRITTEN}; fi`,
      `${variables(record, true)} sh releases/${quote(record.id)}/scripts/start-up.sh ${verb} 2>&1`,
    ],
    { timeoutMs: options.timeoutMs, mayBeCut: true },
  );
}

/** Time for what `up` does besides waiting: containers are stopped and created service by service. */
const UP_OVERHEAD_MS = 120_000;

/** Docker's default for a container without `stop_grace_period`. */
const DEFAULT_STOP_GRACE_MS = 10_000;

/** Most starts are over by then. */
const WATCH_AFTER_MS = 5_000;

const WATCH_EVERY_MS = 2_000;

export async function switchRelease(member: Member, run: StepContext): Promise<StepResult> {
  const { release } = run;
  if (release === undefined) return {};
  const { clock } = run.ports;
  await refreshContainers(member, run.settings.app);
  const written = { run: run.id, since: new Date(clock.now()).toISOString() };
  const state = nextState(member, release.id, 'switching', written);
  // To what it runs already: compose by itself would do nothing.
  const again = member.survey.current === release.id && member.survey.state?.release === release.id;
  // From here on this is what the droplet runs, or may run.
  const begun = { survey: { ...member.survey, state }, services: release.services };
  const timeoutMs = run.settings.rollout.healthTimeoutMs + longestStop(member.containers) + UP_OVERHEAD_MS;
  const command = switchCommand(release, state, { again, timeoutMs });
  try {
    const { code, stdout, stderr } = await startUnlessHopeless(member, run, command, release.services);
    if (code === 0) return begun;
    if (code === NOT_WRITTEN) return { failure: homeFull(member), unchanged: true };
    return { ...begun, failure: startFailed(member.host.name, code, `${stdout}\n${stderr}`) };
  } catch (error) {
    return { ...begun, failure: asDeployError(error) };
  }
}

/**
 * Compose waits forever for what a service depends on: a healthcheck that never passes, a one-shot service that never
 * ends. So the new containers are watched meanwhile, and the command is ended when they cannot become healthy.
 */
async function startUnlessHopeless(
  member: Member,
  run: StepContext,
  command: RemoteCommand,
  services: readonly ServiceSpec[],
): Promise<CommandResult> {
  const [hopeless, ended] = [new AbortController(), new AbortController()];
  let why: DeployError | undefined;
  const watching = watchStart(member, run, services, ended.signal).then((failure) => {
    why = failure;
    if (failure) hopeless.abort();
  });
  try {
    return await changeDroplet(member, command, { signal: hopeless.signal });
  } catch (error) {
    throw why ?? error;
  } finally {
    ended.abort();
    await watching;
  }
}

/** The old containers must be able to stop by themselves; the new ones start afterwards. In ms. */
function longestStop(containers: Member['containers']): number {
  return Math.max(0, ...containers.map(({ stopGraceMs }) => stopGraceMs ?? DEFAULT_STOP_GRACE_MS));
}

/**
 * Why it is hopeless; undefined if the command has ended before. The health timeout runs from the start of the latest new
 * container: compose creates them, then waits for the old ones to stop, and starts them last.
 */
async function watchStart(
  member: Member,
  run: StepContext,
  services: readonly ServiceSpec[],
  ended: AbortSignal,
): Promise<DeployError | undefined> {
  const { clock } = run.ports;
  const { healthTimeoutMs } = run.settings.rollout;
  const before = new Set(member.containers.map(({ id }) => id));
  let came = { containers: 0, at: clock.now() };
  await clock.sleep(WATCH_AFTER_MS, ended);
  while (!ended.aborted) {
    const seen = await readContainersNow(member, run.settings.app).catch(() => undefined);
    const fresh = seen?.containers.filter(({ id }) => !before.has(id)) ?? [];
    const started = fresh.filter(({ state }) => state !== 'created').length;
    if (started > came.containers) came = { containers: started, at: clock.now() };
    const verdict = judgeHealth(services, fresh, seen?.now ?? 0);
    if (verdict.kind === 'failed') return unhealthy(member.host.name, verdict);
    if (came.containers > 0 && verdict.kind === 'waiting' && clock.now() - came.at >= healthTimeoutMs) {
      return notHealthyWithin(healthTimeoutMs, member.host.name, verdict.detail);
    }
    if (verdict.kind === 'waiting' && came.containers > 0) run.progress(verdict.detail);
    else if (fresh.length > 0 && started === 0) run.progress('the old containers are stopping');
    await clock.sleep(WATCH_EVERY_MS, ended);
  }
  return undefined;
}

function homeFull(member: Member): DeployError {
  const droplet = member.host.name;
  return new DeployError('home-full', `Nothing was changed on ${droplet}, because its home has no room.`, {
    droplet,
    hint: `Free space, then deploy again: ${loginTo(member)} df -h '~'`,
  });
}

function startFailed(droplet: string, code: number, output: string): DeployError {
  const lines = output
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
  const telling = lines.findLast((line) => /error|failed|unhealthy|exited|cannot|denied|no such/i.test(line));
  return new DeployError(
    'start-failed',
    `The containers did not start: ${telling ?? lines.at(-1) ?? `exit code ${code}`}`,
    {
      droplet,
      hint: 'Fix the image or its settings, then deploy again.',
    },
  );
}
