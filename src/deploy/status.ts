/** `do-deploy status`: what each droplet is and runs. Reads only, and tells what it cannot read. */
import pLimit from 'p-limit';
import type { Settings } from '../config/settings.js';
import { DeployError, ShellError } from '../errors.js';
import { judgeHealth } from '../rollout/health.js';
import type { StatusRow } from '../rollout/model.js';
import type { Look, Target } from '../targets/target.js';
import type { DeployPorts } from './context.js';
import { findFleet } from './fleet.js';
import { infoOf } from './release.js';
import { addressOf, currentRelease, runningRelease, type Site } from './site.js';
import { connectAll, survey } from './staging.js';
import { probeOnce } from './steps/probe.js';

const AT_ONCE = 20;

export async function readStatus(ports: DeployPorts, settings: Settings): Promise<StatusRow[]> {
  const { target, look } = await findFleet(ports, settings, { newcomers: true });
  const droplets = look.droplets.map(({ droplet }) => droplet);
  const quiet = { ...ports, reporter: { report: () => {} } };
  const { sites, unreachable } = await connectAll(quiet, settings, droplets);
  const reach = new Map<number, Site | DeployError>([
    ...sites.map((site) => [site.droplet.id, site] as const),
    ...unreachable.map(({ droplet, error }) => [droplet.id, error] as const),
  ]);
  try {
    const limit = pLimit(AT_ONCE);
    return await Promise.all(
      look.droplets.map((found) => limit(() => rowOf(found, reach.get(found.droplet.id), target, settings))),
    );
  } finally {
    await Promise.allSettled(sites.map((site) => site.connection.close()));
  }
}

async function rowOf(
  { droplet, rotation, inLedger }: Look['droplets'][number],
  reached: Site | DeployError | undefined,
  target: Target,
  settings: Settings,
): Promise<StatusRow> {
  const address = addressOf(droplet, settings.ssh.address) ?? '';
  const base = { id: droplet.id, name: droplet.name, address, rotation, outcome: 'not deployed' } as const;
  const unknown = (error: DeployError): StatusRow => ({
    ...base,
    release: '',
    health: 'unknown',
    detail: error.message,
    ...(inLedger && { outSince: 'unknown' }),
  });
  if (reached === undefined || reached instanceof DeployError) {
    return unknown(reached ?? new DeployError('unreachable', 'It was not asked.'));
  }
  try {
    await survey(reached, settings, false);
    const { out, current, otherEnvironment } = reached.survey;
    if (otherEnvironment !== undefined && current === undefined) {
      return { ...base, release: '', health: `runs ${settings.app} for ${otherEnvironment}` };
    }
    return {
      ...base,
      release: current ?? '',
      ...versionOf(reached),
      health: await healthOf(reached, target),
      ...(isHalfDone(reached) && { detail: `half way to ${reached.survey.state?.release}` }),
      ...(inLedger && {
        outSince: out === undefined ? 'unknown' : `${out.since} by ${out.who}, in the run ${out.run}`,
      }),
    };
  } catch (error) {
    if (error instanceof DeployError) return unknown(error);
    throw error;
  }
}

function versionOf(site: Site): Pick<StatusRow, 'imageTag' | 'commit' | 'dirty'> {
  const release = currentRelease(site);
  if (release === undefined) return {};
  const { id: _, ...version } = infoOf(release);
  return version;
}

function isHalfDone(site: Site): boolean {
  return site.survey.state?.phase === 'switching';
}

/** What its survey has told, without asking more. */
export function surveyed(site: Site): Pick<StatusRow, 'release' | 'health' | 'imageTag' | 'commit' | 'dirty'> {
  return { release: runningRelease(site), ...versionOf(site), health: illness(site) ?? 'healthy' };
}

/** Undefined when all that its survey has told is well. */
function illness(site: Site): string | undefined {
  if (site.survey.docker === undefined) return 'Docker does not answer';
  const seen = site.survey.containers;
  if (seen === undefined || seen.containers.length === 0) return 'no containers';
  const verdict = judgeHealth(currentRelease(site)?.services ?? [], seen.containers, seen.now);
  if (verdict.kind === 'failed') return verdict.cause;
  return verdict.kind === 'waiting' ? verdict.detail : undefined;
}

async function healthOf(site: Site, target: Target): Promise<string> {
  const ill = illness(site);
  if (ill !== undefined) return ill;
  try {
    const result = await probeOnce(site, target);
    return result === undefined || result.passed ? 'healthy' : `the balancer’s check fails: ${result.detail}`;
  } catch (error) {
    if (error instanceof ShellError) return 'unknown';
    throw error;
  }
}
