/**
 * `do-deploy heal`: after a crash, whatever was left behind is brought back: every droplet that can be reached into
 * rotation, all on one release that the droplets hold already. Needs no files, no registry and no memory of the run
 * that died: the ledger and each droplet's state.json say enough.
 */
import { DeployError } from '../errors.js';
import { chooseRelease } from '../rollout/choose-release.js';
import type { DeployResult } from '../rollout/model.js';
import { type DeployPorts, reportTo } from './context.js';
import { releaseOfFleet } from './drift.js';
import { findFleet, policyOf } from './fleet.js';
import { findGoneImages, imageGone, rollToHeld } from './held-release.js';
import type { ReleaseRecord } from './release.js';
import { announce, connectRunning, inSession, type SessionOptions } from './session.js';
import { holdingOf, type Site } from './site.js';

export async function heal(ports: DeployPorts, options: SessionOptions): Promise<DeployResult> {
  const unknown = { id: '', imageTag: '' };
  return await inSession('heal', ports, options, unknown, async (session) => {
    const { settings } = options;
    const report = reportTo(ports);
    report({ type: 'phase-started', phase: 'look' });
    const fleet = await findFleet(ports, settings);
    // What is broken already is to be mended, never to be left broken for the sake of a policy.
    const policy = { ...policyOf(settings, fleet.target, options.allowDowntime), onFailure: 'revert-droplet' as const };
    announce(session, fleet);

    const { sites, unreachable } = await connectRunning(session, fleet);
    const [first] = unreachable;
    if (sites.length === 0 && first) throw first.error;

    const result = await rollToHeld(session, fleet, policy, (all) => releaseToHealTo(all, settings.environment));
    return first === undefined ? result : { ...result, outcome: 'failed', error: result.error ?? first.error.info() };
  });
}

async function releaseToHealTo(sites: readonly Site[], environment: string): Promise<ReleaseRecord> {
  const id = chooseRelease(sites.map(holdingOf));
  const record = sites.flatMap((site) => site.survey.releases).find((release) => release.id === id);
  if (record !== undefined) {
    const gone = (await findGoneImages(sites, [record])).get(record.id);
    if (gone === undefined) return record;
    throw imageGone(gone, record, `Run do-deploy adopt ${environment}: it pulls exactly that image again.`);
  }
  const proven = releaseOfFleet(sites);
  const lacking = sites.filter(({ survey }) => !survey.releases.some((release) => release.id === proven?.id));
  const which =
    proven === undefined ? '' : `: ${proven.id} is not on ${lacking.map(({ host }) => host.name).join(', ')}`;
  throw new DeployError('nothing-to-heal-to', `There is no release that every droplet holds${which}.`, {
    hint:
      proven === undefined
        ? 'Deploy a release: that brings every droplet to it, those that are out first.'
        : `Run do-deploy adopt ${environment}: it brings them that release, and those that are out back.`,
  });
}
