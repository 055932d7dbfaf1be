/**
 * `do-deploy heal`: after a crash, whatever was left behind is brought back: every droplet that can be reached into
 * rotation, all on one release that the droplets hold already. Needs no files, no registry and no memory of the run
 * that died: the ledger and each droplet's state.json say enough.
 */

import { DeployError } from '../../errors.js';
import { chooseRelease } from '../../rollout/choose-release.js';
import type { DeployResult } from '../../rollout/model.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { reportTo } from '../core/report.js';
import { releaseOfFleet } from '../droplet/fleet-release.js';
import { findGoneImages, imageGone } from '../droplet/gone-images.js';
import { holdingOf, type Member } from '../droplet/member.js';
import { findFleet } from '../fleet/find-fleet.js';
import { policyOf } from '../fleet/policy.js';
import type { StoredRelease } from '../release/stored-release.js';
import { announce, connectRunning } from '../session/open-session.js';
import { inSession, type SessionOptions } from '../session/session.js';
import { rollToExisting } from './roll-existing-release.js';
export async function heal(ports: DeployPorts, options: SessionOptions): Promise<DeployResult> {
  const unknown = { id: '', imageTag: '' };
  return await inSession('heal', ports, options, unknown, async (session) => {
    const { settings } = options;
    const report = reportTo(ports);
    report({ type: 'phase-started', phase: 'discover' });
    const fleet = await findFleet(ports, settings);
    // What is broken already is to be mended, never to be left broken for the sake of a policy.
    const policy = { ...policyOf(settings, fleet.target, options.allowDowntime), onFailure: 'revert-droplet' as const };
    announce(session, fleet);

    const { members, unreachable } = await connectRunning(session, fleet);
    const [first] = unreachable;
    if (members.length === 0 && first) throw first.error;

    const result = await rollToExisting(session, fleet, policy, (all) => releaseToHealTo(all, settings.environment));
    return first === undefined ? result : { ...result, outcome: 'failed', error: result.error ?? first.error.info() };
  });
}

async function releaseToHealTo(members: readonly Member[], environment: string): Promise<StoredRelease> {
  const id = chooseRelease(members.map(holdingOf));
  const record = members.flatMap((member) => member.survey.releases).find((release) => release.id === id);
  if (record !== undefined) {
    const gone = (await findGoneImages(members, [record])).get(record.id);
    if (gone === undefined) return record;
    throw imageGone(gone, record, `Run do-deploy adopt ${environment}: it pulls exactly that image again.`);
  }
  const proven = releaseOfFleet(members);
  const lacking = members.filter(({ survey }) => !survey.releases.some((release) => release.id === proven?.id));
  const which =
    proven === undefined ? '' : `: ${proven.id} is not on ${lacking.map(({ host }) => host.name).join(', ')}`;
  throw new DeployError('nothing-to-heal-to', `There is no release that every droplet holds${which}.`, {
    hint:
      proven === undefined
        ? 'Deploy a release: that brings every droplet to it, those that are out first.'
        : `Run do-deploy adopt ${environment}: it brings them that release, and those that are out back.`,
  });
}
