/** `do-deploy status`: what each droplet is and runs. Reads only, and tells what it cannot read. */
import pLimit from 'p-limit';
import type { Settings } from '../config/settings.js';
import { ShellError } from '../errors.js';
import { judgeHealth } from '../rollout/health.js';
import type { StatusRow } from '../rollout/model.js';
import type { Target } from '../targets/target.js';
import type { DeployPorts } from './context.js';
import { findFleet } from './fleet.js';
import { addressOf, currentRelease, type Site } from './site.js';
import { connectAll } from './staging.js';
import { probeOnce } from './steps/probe.js';

export async function readStatus(ports: DeployPorts, settings: Settings): Promise<StatusRow[]> {
  const { target, look } = await findFleet(ports, settings);
  const droplets = look.droplets.map(({ droplet }) => droplet);
  const quiet = { ...ports, reporter: { report: () => {} } };
  const { sites, unreachable } = await connectAll(quiet, settings, droplets, { prepare: false });
  try {
    const limit = pLimit(20);
    return await Promise.all(
      look.droplets.map(({ droplet, rotation, inLedger }) =>
        limit(async (): Promise<StatusRow> => {
          const site = sites.find((one) => one.droplet.id === droplet.id);
          const failure = unreachable.find((one) => one.droplet.id === droplet.id);
          const out = site?.survey.out;
          return {
            id: droplet.id,
            name: droplet.name,
            address: addressOf(droplet, settings.ssh.address) ?? '',
            rotation,
            release: site?.survey.current ?? '',
            health: site === undefined ? 'unknown' : await healthOf(site, target),
            outcome: 'not deployed',
            ...(failure && { detail: failure.error.message }),
            ...(site && isHalfDone(site) && { detail: `half way to ${site.survey.state?.release}` }),
            ...(inLedger && { outSince: out === undefined ? 'unknown' : `${out.since} by ${out.who}` }),
          };
        }),
      ),
    );
  } finally {
    await Promise.allSettled(sites.map((site) => site.connection.close()));
  }
}

function isHalfDone(site: Site): boolean {
  return site.survey.state?.phase === 'switching';
}

async function healthOf(site: Site, target: Target): Promise<string> {
  if (site.survey.docker === undefined) return 'Docker does not answer';
  const seen = site.survey.containers;
  if (seen === undefined || seen.containers.length === 0) return 'no containers';
  const verdict = judgeHealth(currentRelease(site)?.services ?? [], seen.containers, seen.now);
  if (verdict.kind === 'failed') return verdict.cause;
  if (verdict.kind === 'waiting') return verdict.detail;
  try {
    const result = await probeOnce(site, target);
    return result === undefined || result.passed ? 'healthy' : `the balancer’s check fails: ${result.detail}`;
  } catch (error) {
    if (error instanceof ShellError) return 'unknown';
    throw error;
  }
}
