/** Starts the release's containers, replicas one after the other. From here until its gates have passed the droplet's state.json says `switching`. */

import { asDeployError, DeployError } from '../../errors.js';
import type { CommandResult, RemoteCommand } from '../../ports.js';
import { judgeHealth, type ServiceSpec } from '../../rollout/health.js';
import { inform } from '../core/report.js';
import { appFolder, command, quote, writeFile } from '../core/shell.js';
import { readContainersNow, refreshContainers } from '../droplet/containers.js';
import { loginTo, type Member, nextState, withStopped } from '../droplet/member.js';
import type { DropletStateFile } from '../droplet/survey-command.js';
import { changeDroplet } from '../lease/change-droplet.js';
import { asHolder } from '../lease/lease-commands.js';
import { variables } from '../release/compose-run.js';
import { settleEnded } from '../release/once-functions.js';
import type { StoredRelease } from '../release/stored-release.js';
import { notHealthyWithin, unhealthy } from './await-health.js';
import { awaitReplica, replicasInOrder, replicasOf } from './replicas.js';
import type { StepContext, StepResult, Stopping } from './run.js';
import { startStopped } from './start-stopped.js';
import { stoppedAfter } from './stopping.js';

/** Exit code: state.json could not be written, so nothing was changed. EX_IOERR of sysexits.h. */
const NOT_WRITTEN = 74;

/** Exit code of start-up.sh for arguments that it does not know. EX_USAGE of sysexits.h. */
const USAGE = 64;

/**
 * Writes state.json, then starts the release's containers; with `again`, also those that run as it wants them.
 * @param options.only names of services; the others stay as they are, and with none nothing is started
 * @param options.dropped names of services whose containers are removed first
 */
export function switchCommand(
  record: StoredRelease,
  state: DropletStateFile,
  options: { again: boolean; timeoutMs: number; only?: readonly string[]; dropped?: readonly string[] },
): RemoteCommand {
  const { again, only, dropped = [] } = options;
  const verb = ['up', ...(again ? ['again'] : []), ...(only ? ['only', ...only.map(quote)] : [])].join(' ');
  return command(
    'switch',
    {
      app: record.app,
      release: record.id,
      state,
      again,
      ...(only && { only }),
      ...(dropped.length > 0 && { dropped }),
    },
    [
      'set -eu',
      `cd ${appFolder(record.app)}`,
      // A run that died, or lost its connection, may have left the same command running: this one waits for its end.
      // compose inherits the descriptor, and with it the lock.
      'exec 8>>switch.lock',
      'flock 8',
      asHolder(record.app, state.run),
      ...(only ? [] : [`${settleEnded(record.app)} || exit ${NOT_WRITTEN}`]),
      // On a full disk nothing has changed yet.
      `if ! { ${writeFile('state.json', state).join(' && ')}; }; then rm -f state.json.new; exit ${NOT_WRITTEN}; fi`,
      ...dropped.map((service) => removeService(record.app, service)),
      ...(only?.length === 0
        ? []
        : [`${variables(record, true)} sh releases/${quote(record.id)}/scripts/start-up.sh ${verb} 2>&1`]),
    ],
    { timeoutMs: options.timeoutMs, mayBeCut: true },
  );
}

function removeService(app: string, service: string): string {
  const filters = [`project=${app}`, `service=${service}`, 'oneoff=False'];
  const labels = filters.map((filter) => `--filter ${quote(`label=com.docker.compose.${filter}`)}`);
  // Ids are hexadecimal words.
  return `ids=$(docker ps -aq --no-trunc ${labels.join(' ')}); [ -z "$ids" ] || { docker stop $ids && docker rm $ids; } >/dev/null`;
}

/**
 * Services that run here, came with a release that turned their profiles on, and are not to run with this one. Compose keeps
 * them: a service whose profiles are off is none of its orphans. It looks for no orphans at all where services are stopped.
 */
function droppedServices(
  { survey, containers }: Member,
  release: StoredRelease,
  stopped: ReadonlySet<string>,
): string[] {
  const removers = survey.releases.filter(({ profiles }) => stopped.size > 0 || profiles !== undefined);
  const had = new Set([...stopped, ...removers.flatMap(({ services }) => services.map(({ name }) => name))]);
  const has = new Set(release.services.map(({ name }) => name).filter((name) => !stopped.has(name)));
  const running = new Set(containers.map(({ service }) => service));
  return [...running].filter((name) => had.has(name) && !has.has(name));
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
  const now = await refreshContainers(member, run.settings.app);
  const written = { run: run.id, since: new Date(clock.now()).toISOString() };
  const state = nextState(member, release.id, 'switching', written, undefined, run.condemned);
  // To what it runs already: compose by itself would do nothing.
  const again = member.survey.current === release.id && member.survey.state?.release === release.id;
  const stopped = stoppedAfter(member, release.id, run.stopping);
  // From here on this is what the droplet runs, or may run.
  const begun = { survey: { ...member.survey, state }, services: withStopped(release.services, stopped) };
  const timeoutMs = run.settings.rollout.healthTimeoutMs + longestStop(member.containers) + UP_OVERHEAD_MS;
  const start: Start = (services, { only, again, dropped = [] }) => {
    const command = switchCommand(release, state, { timeoutMs, only, again, dropped });
    return startUnlessHopeless(member, run, command, services);
  };
  const settings = replicasOf(run.settings);
  const services = release.services.filter(({ name }) => !stopped.has(name));
  const replicas = settings === undefined ? [] : replicasInOrder({ services }, settings, member.containers, now);
  const dropped = droppedServices(member, release, stopped);
  const parts = partsOf(services, replicas, { again, dropped, all: stopped.size === 0 });
  let changed = false;
  try {
    for (const part of run.service === undefined ? parts : ofService(run.service, parts, run.stopping?.kind)) {
      const { code, stdout, stderr } = await start(part.services, part);
      if (code === NOT_WRITTEN && !changed) return { failure: homeFull(member), unchanged: true };
      // An earlier version's script knows no replicas: then all containers are started together.
      const isUnknown = code === USAGE && part.only !== undefined && stopped.size === 0 && !changed;
      const {
        code: end,
        stdout: said,
        stderr: cried,
      } = isUnknown ? await start(release.services, { again, dropped }) : { code, stdout, stderr };
      if (end !== 0) return { ...begun, failure: startFailed(member.host.name, end, `${said}\n${cried}`) };
      if (isUnknown) break;
      changed = true;
      const [replica] = part.services;
      if (settings && replica && part.isReplica) {
        await awaitReplica(member, run, replica, settings);
        const done = replicas.indexOf(replica) + 1;
        inform(run.ports, `Replica ${replica.name} is healthy (${done} of ${replicas.length}).`);
      }
    }
    // The whole project starts these by itself.
    if (run.service !== undefined) await startStopped(member, run);
    return begun;
  } catch (error) {
    return { ...begun, failure: asDeployError(error) };
  }
}

type Start = (
  services: readonly ServiceSpec[],
  options: Pick<Part, 'again' | 'only' | 'dropped'>,
) => Promise<CommandResult>;

interface Part {
  /** What is started, and has to become healthy. */
  services: readonly ServiceSpec[];
  again: boolean;
  /** Absent: the whole project, without what the release no longer has. */
  only?: readonly string[];
  /** Services whose containers are removed first. */
  dropped?: readonly string[];
  /** It is verified before the next part. */
  isReplica?: boolean;
}

/**
 * What is started together. The replicas come first: if one of them fails, the proxy, the workers and all else still run as
 * before. Then the rest, in which replicas are unchanged and stay.
 */
function partsOf(
  services: readonly ServiceSpec[],
  replicas: readonly ServiceSpec[],
  { again, dropped, all }: { again: boolean; dropped: readonly string[]; all: boolean },
): Part[] {
  // To start the whole project would start what is stopped.
  const last = (parts: { again: boolean }): Part => {
    return { services, ...parts, dropped, ...(all ? {} : { only: services.map(({ name }) => name) }) };
  };
  if (replicas.length === 0) return [last({ again })];
  const rest = services.filter((service) => !replicas.includes(service));
  const names = rest.map(({ name }) => name);
  return [
    ...replicas.map((replica): Part => ({ services: [replica], again, only: [replica.name], isReplica: true })),
    // With `again`, compose would recreate the replicas as well, all at once.
    ...(again && names.length > 0 ? [{ services: rest, again, only: names }] : []),
    { ...last({ again: false }), services: rest },
  ];
}

/** Of the parts, what concerns one service. */
function ofService(name: string, parts: readonly Part[], how: Stopping['kind'] | undefined): Part[] {
  if (how === 'stop') return [{ services: [], again: false, only: [], dropped: [name] }];
  const part = parts.find(({ services }) => services.some((service) => service.name === name));
  const services = part?.services.filter((service) => service.name === name) ?? [];
  const { isReplica } = part ?? {};
  return part === undefined ? [] : [{ services, again: how !== 'start', only: [name], isReplica }];
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
