/**
 * One deploy from beginning to end: look, connect, lease, stage, roll, finish. Everything up to rolling can fail without
 * having changed what serves; from there on the planner brings every droplet to a safe end.
 */
import type { Settings } from '../config/settings.js';
import { asDeployError, DeployError } from '../errors.js';
import type { DeployResult, ReleaseInfo, StatusRow } from '../rollout/model.js';
import type { RolloutState } from '../rollout/planner.js';
import { conclude, rowsOf } from './conclude.js';
import { type Deployer, type DeployPorts, type Run, reportTo } from './context.js';
import { finish } from './finish.js';
import { type Fleet, findFleet, policyOf, previousReleases, refuseImpossible, startRollout } from './fleet.js';
import { Lease } from './lease.js';
import { type Rolled, roll } from './orchestrator.js';
import { contentHash, type ReleaseDraft, type ReleaseRecord, readFiles, releaseId } from './release.js';
import { addressOf, type Site } from './site.js';
import { checkSite, connectAll, stageAll, staged } from './staging.js';
import { listen } from './watch-door.js';
import { lookAtWorld } from './world.js';

export type { DeployPorts } from './context.js';

export interface DeployOptions {
  settings: Settings;
  /** IMAGE_TAG. */
  imageTag: string;
  /** What the release's id ends with; default: the tag. */
  releaseRef?: string;
  allowDowntime: boolean;
  /** Deploy also where the same bytes already run. */
  force: boolean;
  deployer: Deployer;
  /** How long to wait for another run's lease; 0: not at all. */
  waitLockMs: number;
  /** The first signal: the droplet in hand is brought to a safe end. */
  interrupted: AbortSignal;
  /** The second one: stop at once. */
  aborted: AbortSignal;
}

/** Never throws: every end is a result. */
export async function deploy(ports: DeployPorts, options: DeployOptions): Promise<DeployResult> {
  const report = reportTo(ports);
  const started = ports.clock.now();
  const open: Opened = { sites: [] };
  const draft = { id: releaseId(started, options.releaseRef ?? options.imageTag), imageTag: options.imageTag };
  let result: DeployResult;
  try {
    result = await unlessInterrupted(options.interrupted, open, () => attempt(ports, options, draft, open));
  } catch (error) {
    result = failedBeforeRolling(error, open, draft, ports.clock.now() - started, options);
  } finally {
    await close(open);
  }
  report({ type: 'rollout-finished', result });
  return result;
}

/** What has to be closed at the end, and what is known when it fails. */
interface Opened {
  sites: Site[];
  lease?: Lease;
  rows?: StatusRow[];
  rolling?: boolean;
}

async function attempt(
  ports: DeployPorts,
  options: DeployOptions,
  info: ReleaseInfo,
  open: Opened,
): Promise<DeployResult> {
  const { settings } = options;
  const report = reportTo(ports);
  const started = ports.clock.now();
  const draft = await draftRelease(ports, options, info);

  report({ type: 'phase-started', phase: 'look' });
  const fleet = await findFleet(ports, settings);
  const policy = policyOf(settings, fleet.target, options.allowDowntime);
  refuseImpossible(fleet, policy);
  announce(ports, options, fleet, info, open);
  if (policy.balanced) await fleet.ledger.prove(fleet.look.droplets.map(({ droplet }) => droplet));

  report({ type: 'phase-started', phase: 'stage' });
  const sites = await reachAll(ports, settings, fleet, open);
  await Promise.all(sites.map((site) => staged(ports, site.host.name, 'check', async () => checkSite(site))));
  const run = await leaseAll(ports, options, fleet, draft, sites, open);
  const { record, upToDate } = await stageAll(ports, settings, draft, sites);
  await Promise.all(sites.map((site) => (policy.balanced ? listen(site, fleet.target.ports, ports.clock) : undefined)));

  const healthy = new Map((await lookAtWorld(run, sites)).map((seen) => [seen.id, seen.healthy]));
  const previous = previousReleases(sites, record);
  const start = startRollout(fleet, sites, policy, options.force ? new Set() : upToDate, previous, healthy);
  const release = { id: record.id, imageTag: record.imageTag };
  if (start.droplets.every((droplet) => droplet.course === 'done')) {
    const rows = rowsOf(start, sites, record);
    const durationMs = ports.clock.now() - started;
    return {
      outcome: 'skipped',
      release,
      rows,
      durationMs,
      summary: 'Every droplet already runs this release, healthy and in rotation.',
    };
  }

  report({ type: 'phase-started', phase: 'roll' });
  open.rolling = true;
  const rolled = await rollWithGrace(run, sites, start, record, previous, options);
  const rows = rowsOf(rolled.state, sites, record);
  const { environment } = settings;
  const result = conclude({ ...rolled, rows, release, environment, durationMs: ports.clock.now() - started });
  if (!options.aborted.aborted) {
    report({ type: 'phase-started', phase: 'finish' });
    await finish(run, sites, rolled.state, record, result);
  }
  return { ...result, durationMs: ports.clock.now() - started };
}

async function draftRelease(ports: DeployPorts, options: DeployOptions, info: ReleaseInfo): Promise<ReleaseDraft> {
  const { settings, deployer } = options;
  const known = {
    app: settings.app,
    environment: settings.environment,
    imageTag: options.imageTag,
    composeFiles: settings.composeFiles,
    envFiles: settings.envFiles,
    files: await readFiles(settings.files, ports.files),
  };
  const createdAt = new Date(ports.clock.now()).toISOString();
  return { ...known, id: info.id, createdAt, createdBy: deployer.who, content: contentHash(known) };
}

function announce(ports: DeployPorts, options: DeployOptions, fleet: Fleet, release: ReleaseInfo, open: Opened): void {
  const { settings } = options;
  const rows = fleet.look.droplets.map(
    ({ droplet, rotation }): StatusRow => ({
      id: droplet.id,
      name: droplet.name,
      address: addressOf(droplet, settings.ssh.address) ?? '',
      rotation,
      release: '',
      health: '',
      outcome: 'not deployed',
    }),
  );
  open.rows = rows;
  const report = reportTo(ports);
  const { app, environment } = settings;
  report({
    type: 'rollout-started',
    command: 'deploy',
    app,
    environment,
    release,
    target: fleet.target.description,
    rows,
  });
  for (const message of fleet.target.notices) report({ type: 'notice', level: 'warning', message });
  for (const { droplet, inLedger } of fleet.look.droplets) {
    if (!inLedger) continue;
    const message = `${droplet.name} was left out of rotation by an earlier run; it goes first.`;
    report({ type: 'notice', level: 'warning', message, droplet: droplet.name });
  }
}

/** All droplets or an error: a deploy that leaves one out would leave the fleet on two releases. */
async function reachAll(ports: DeployPorts, settings: Settings, fleet: Fleet, open: Opened): Promise<Site[]> {
  const droplets = fleet.look.droplets.map(({ droplet }) => droplet);
  const { sites, unreachable } = await connectAll(ports, settings, droplets, { prepare: true });
  open.sites = sites;
  const [first] = unreachable;
  if (first) throw first.error;
  return sites;
}

async function leaseAll(
  ports: DeployPorts,
  options: DeployOptions,
  fleet: Fleet,
  draft: ReleaseDraft,
  sites: readonly Site[],
  open: Opened,
): Promise<Run> {
  const { settings, deployer } = options;
  const report = reportTo(ports);
  report({ type: 'phase-started', phase: 'lease' });
  const id = `${draft.id} by ${deployer.who}`;
  const since = new Date(ports.clock.now()).toISOString();
  const holder = { run: id, who: deployer.who, release: draft.id, since, ...(deployer.url && { url: deployer.url }) };
  const lease = await Lease.acquire(sites, settings.app, holder, {
    clock: ports.clock,
    waitMs: options.waitLockMs,
    signal: options.interrupted,
    onWait: (other) =>
      report({
        type: 'notice',
        level: 'info',
        message: `Waiting for another deploy${other ? ` by ${other.who}` : ''} to end.`,
      }),
  });
  open.lease = lease;
  return { ports, settings, id, deployer, target: fleet.target, ledger: fleet.ledger, lease };
}

async function rollWithGrace(
  run: Run,
  sites: readonly Site[],
  start: RolloutState,
  release: ReleaseRecord,
  previous: ReadonlyMap<number, ReleaseRecord>,
  options: DeployOptions,
): Promise<Rolled> {
  const { clock } = run.ports;
  const ended = new AbortController();
  const graceOver = new AbortController();
  const onInterrupt = () =>
    void clock.sleep(run.settings.rollout.interruptGraceMs, ended.signal).then(() => {
      if (!ended.signal.aborted) graceOver.abort();
    });
  options.interrupted.addEventListener('abort', onInterrupt, { once: true, signal: ended.signal });
  const report = reportTo(run.ports);
  let last = rowsOf(start, sites, release);
  for (const row of last) report({ type: 'row-changed', row });
  try {
    return await roll(run, sites, start, {
      release,
      previous,
      interrupted: options.interrupted,
      aborted: AbortSignal.any([options.aborted, graceOver.signal]),
      onState: (state) => {
        const rows = rowsOf(state, sites, release);
        for (const [index, row] of rows.entries()) {
          if (JSON.stringify(row) !== JSON.stringify(last[index])) report({ type: 'row-changed', row });
        }
        last = rows;
      },
    });
  } finally {
    ended.abort();
  }
}

/** Before anything rolls an interruption ends the run at once: the connections are closed under whatever waits. */
async function unlessInterrupted<T>(signal: AbortSignal, open: Opened, task: () => Promise<T>): Promise<T> {
  const done = new AbortController();
  const interrupted = new Promise<never>((_, reject) => {
    const stop = () => {
      if (open.rolling) return;
      reject(new DeployError('interrupted', 'Interrupted before anything was changed.', { source: 'user' }));
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

function failedBeforeRolling(
  error: unknown,
  open: Opened,
  release: ReleaseInfo,
  durationMs: number,
  options: DeployOptions,
): DeployResult {
  const failure = asDeployError(error);
  const rows = open.rows ?? [];
  const base = { release, rows, durationMs };
  const summary = open.rolling ? 'The state of the fleet is not known.' : 'Nothing was changed in rotation.';
  if (failure.code === 'interrupted') return { ...base, outcome: 'interrupted', summary };
  const next = open.rolling ? `do-deploy status ${options.settings.environment}` : undefined;
  return { ...base, outcome: 'failed', summary, error: failure.info(), ...(next && { next }) };
}

async function close(open: Opened): Promise<void> {
  await open.lease?.release();
  await Promise.allSettled(open.sites.map((site) => site.connection.close()));
}
