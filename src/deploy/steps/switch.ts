/** Starts the release's containers. From here until its gates have passed the droplet is half-done, and says so. */
import { DeployError } from '../../errors.js';
import type { CommandResult, RemoteCommand } from '../../ports.js';
import { judgeHealth } from '../../rollout/health.js';
import { changeSite } from '../change-site.js';
import type { StepContext } from '../context.js';
import { switchCommand } from '../remote/release-commands.js';
import { nextState, type Site } from '../site.js';
import { seeContainers, watchSite } from '../watch-door.js';
import { notHealthyWithin, unhealthy } from './health.js';

/** On top of the health timeout: containers that do not stop by themselves are given 10 s each by Docker. */
const STOPPING_MS = 120_000;
/** Most starts are over by then; after that, how often it is looked. */
const WATCH_AFTER_MS = 5_000;
const WATCH_EVERY_MS = 2_000;

export async function switchRelease(site: Site, run: StepContext): Promise<undefined> {
  const { release } = run;
  if (release === undefined) return;
  const { clock } = run.ports;
  await watchSite(site, run.settings.app);
  const written = { run: run.id, since: new Date(clock.now()).toISOString() };
  const state = nextState(site, release.id, 'switching', written);
  // To what it runs already: then it is asked to start afresh, where compose by itself would do nothing.
  const again = site.survey.current === release.id && site.survey.state?.release === release.id;
  site.survey = { ...site.survey, state };
  site.services = release.services;
  const timeoutMs = run.settings.rollout.healthTimeoutMs + STOPPING_MS;
  const command = switchCommand(release, state, { again, timeoutMs });
  const { code, stdout, stderr } = await startUnlessHopeless(site, run, command);
  if (code !== 0) throw startFailed(site.host.name, code, `${stdout}\n${stderr}`);
}

/**
 * Compose waits without an end for what a service depends on: a healthcheck that never passes, a one-shot service that
 * never ends. So the new containers are watched meanwhile, and the command is ended when they cannot become healthy.
 */
async function startUnlessHopeless(site: Site, run: StepContext, command: RemoteCommand): Promise<CommandResult> {
  const [hopeless, ended] = [new AbortController(), new AbortController()];
  let why: DeployError | undefined;
  const watching = watchStart(site, run, ended.signal).then((failure) => {
    why = failure;
    if (failure) hopeless.abort();
  });
  try {
    return await changeSite(site, command, hopeless.signal);
  } catch (error) {
    throw why ?? error;
  } finally {
    ended.abort();
    await watching;
  }
}

/** Why it is hopeless; undefined when the command has ended before. */
async function watchStart(site: Site, run: StepContext, ended: AbortSignal): Promise<DeployError | undefined> {
  const { clock } = run.ports;
  const { healthTimeoutMs } = run.settings.rollout;
  const before = new Set(site.containers.map(({ id }) => id));
  let came = { containers: 0, at: clock.now() };
  await clock.sleep(WATCH_AFTER_MS, ended);
  while (!ended.aborted) {
    const seen = await seeContainers(site, run.settings.app).catch(() => undefined);
    const fresh = seen?.containers.filter(({ id }) => !before.has(id)) ?? [];
    if (fresh.length > came.containers) came = { containers: fresh.length, at: clock.now() };
    const verdict = judgeHealth(site.services, fresh, seen?.now ?? 0);
    if (verdict.kind === 'failed') return unhealthy(site.host.name, verdict);
    if (came.containers > 0 && verdict.kind === 'waiting' && clock.now() - came.at >= healthTimeoutMs) {
      return notHealthyWithin(healthTimeoutMs, site.host.name, verdict.detail);
    }
    if (verdict.kind === 'waiting' && came.containers > 0) run.progress(verdict.detail);
    await clock.sleep(WATCH_EVERY_MS, ended);
  }
  return undefined;
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
      hint: 'Mend the image or its settings, then deploy again.',
    },
  );
}
