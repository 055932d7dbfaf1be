/** What is asked before anything changes: whether the release may be rolled out at all, and whether the questions are right. */

import type { ProbeSettings } from '../../config/settings.js';
import { DeployError, ShellError } from '../../errors.js';
import type { HealthResponse } from '../../ports.js';
import { judgeHealth } from '../../rollout/health.js';
import { variablesOf } from '../../rollout/lifecycle-variables.js';
import { isServing, type RolloutState } from '../../rollout/rollout-state.js';
import { configFile } from '../core/do-deploy.js';
import { inParallel } from '../core/parallel.js';
import { inform, reportTask, warn } from '../core/report.js';
import { isHalfDone, type Member, runningRelease, runsSomething } from '../droplet/member.js';
import type { StoredRelease } from '../release/stored-release.js';
import type { Run } from '../steps/run.js';
import { isExpected, type Probe } from './availability.js';
import { again } from './continue-command.js';
import { payloadOf } from './lifecycle.js';
import { askApp } from './observe-fleet.js';
import type { Watched } from './rollout-watch.js';
import type { Session } from './session.js';
import { askGates } from './watch-gates.js';

/** Other commands bring no new release: they are not refused, and what fails then does not stop them. */
function leadsToRelease({ command }: Session): boolean {
  return command === 'deploy' || command === 'adopt';
}

/** `rollback` and `heal` ask no gate, and their probe only counts. */
export function watchedIn(session: Session, probe: Probe | undefined): Watched {
  const { gates = [] } = session.options.settings.rollout;
  const variables = { ...variablesOf(payloadOf(session, 'deploy', {})), DO_DEPLOY_EVENT: 'gate' };
  if (leadsToRelease(session)) return { gates, variables, askedAt: session.gatesAskedAt, probe };
  return { gates: [], variables, probe: probe && { ...probe, maxFailures: undefined } };
}

/**
 * Asks the gates and the probe. To be called once something is about to change. Throws DeployError gate-failed, gate-unusable,
 * probe-failed or probe-unanswered.
 */
export async function askFirst(session: Session, starts: readonly RolloutState[]): Promise<void> {
  if (!leadsToRelease(session)) return;
  const { probe } = await session.probe;
  const { gates, variables } = watchedIn(session, probe);
  if (gates.length > 0) {
    const asked = { gates, variables, signal: session.options.interrupted };
    await reportTask(session.ports, 'ask-gates', () => askGates(session.ports, asked, again(session)));
  }
  session.gatesAskedAt = session.ports.clock.now();
  // Where nothing serves, nothing can answer.
  const isUp = starts.some(({ droplets }) => droplets.some(isServing));
  const { probe: written } = session.options.settings.rollout;
  const isNamed = written !== undefined && written !== false && written.url !== undefined;
  if (probe !== undefined && isNamed && isUp) await askProbe(session, probe);
}

/** One lost request is no proof of a wrong address. */
const PROBES = 3;

async function askProbe({ ports, options }: Session, probe: Probe): Promise<void> {
  const { url, timeoutMs, intervalMs, expect, maxFailures } = probe;
  let isAnswered = false;
  let last = '';
  for (let asked = 0; asked < PROBES && !options.interrupted.aborted; asked += 1) {
    if (asked > 0) await ports.clock.sleep(intervalMs, options.interrupted);
    const { status, detail } = await ports.web.get(url, timeoutMs);
    if (isExpected(status, expect)) return;
    isAnswered ||= status !== undefined;
    last = detail;
  }
  if (options.interrupted.aborted) return;
  if (!isAnswered) {
    throw new DeployError('probe-unanswered', `${url} does not answer from here: ${last}.`, {
      source: 'user',
      hint: `Correct rollout.probe.url in ${configFile(options.settings)}, or set \`probe: false\`.`,
    });
  }
  const found = `${url} answers ${last}, not ${rangesIn(expect)}, before any droplet has changed.`;
  if (maxFailures === undefined) {
    warn(ports, `${found} Every such answer counts as a failed request.`);
    return;
  }
  throw new DeployError('probe-failed', found, {
    source: 'user',
    hint: `Look at that address. Correct rollout.probe (url, expect) in ${configFile(options.settings)}; without \`max_failures\`, failures are only counted.`,
  });
}

/** "200-399, 404" */
function rangesIn(expect: ProbeSettings['expect']): string {
  return expect.map(({ from, to }) => (from === to ? String(from) : `${from}-${to}`)).join(', ');
}

/**
 * Asks the app on the droplets that serve, by `rollout.health.http`. A check that none of them answers is wrong, or new: what
 * they run is not judged by it, so that a droplet can go back to it.
 * @param goals releases that the rollout brings
 * @returns ids of the releases that are not to be judged by the check
 * Throws DeployError app-check-wrong where a release is brought that would be judged by it; DeployError lease-lost.
 */
export async function askApps(
  session: Session,
  { run, members }: { run: Run; members: readonly Member[] },
  goals: readonly StoredRelease[],
): Promise<ReadonlySet<string>> {
  const check = run.settings.rollout.healthHttp;
  if (check === undefined) return new Set();
  const answers = (await inParallel(members.filter(seemsToServe), (member) => askOne(run, member))).flat();
  const silent = answers.filter(({ passed }) => !passed);
  const [first] = silent;
  if (first === undefined || silent.length < answers.length) return new Set();
  const { role } = run.settings;
  const what = `No droplet that serves${role === undefined ? '' : ` in ${role}`} answers rollout.health.http (http port ${check.port} ${check.path}): ${first.member.host.name}: ${first.detail}.`;
  const releases = new Set(silent.map(({ member }) => runningRelease(member)));
  if (!leadsToRelease(session)) {
    warn(session.ports, `${what} So what they run is not judged by it.`);
    return releases;
  }
  if (session.options.skipFirstCheck !== true) {
    throw new DeployError('app-check-wrong', what, {
      source: 'user',
      hint: `Correct rollout.health.http in ${configFile(run.settings)}.${onlyTheNew(session)}`,
    });
  }
  inform(session.ports, `${what} Only the new release is judged by it.`);
  for (const { id } of goals) releases.delete(id);
  return releases;
}

function onlyTheNew(session: Session): string {
  const { command, options } = session;
  if (command !== 'deploy' || options.ends !== undefined) return '';
  return ` If only the release that you deploy answers there: ${again(session, '--skip-first-check')}`;
}

function seemsToServe(member: Member): boolean {
  const { services, containers, survey } = member;
  if (!runsSomething(member) || isHalfDone(member)) return false;
  return judgeHealth(services, containers, survey.containers?.now ?? 0).kind === 'healthy';
}

type Asked = HealthResponse & { member: Member };

/** Empty where the droplet does not answer SSH: that says nothing of the app. */
async function askOne(run: Run, member: Member): Promise<Asked[]> {
  try {
    const response = await askApp(run, member);
    return response === undefined ? [] : [{ ...response, member }];
  } catch (error) {
    if (error instanceof ShellError) return [];
    throw error;
  }
}
