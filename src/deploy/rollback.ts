/** `do-deploy rollback`: a full rollout to an earlier release, from what the droplets keep. */
import { DeployError } from '../errors.js';
import type { DeployResult } from '../rollout/model.js';
import { type DeployPorts, reportTo } from './context.js';
import { findFleet, policyOf, refuseImpossible } from './fleet.js';
import { rollToHeld } from './held-release.js';
import type { ReleaseRecord } from './release.js';
import { announce, inSession, reachAll, type SessionOptions } from './session.js';
import { beforeCurrent, provenOn, type Site } from './site.js';

export interface RollbackOptions extends SessionOptions {
  /** A release's id, or the tag of its images (the latest such release); absent: the one before the current. */
  wanted?: string;
}

export async function rollback(ports: DeployPorts, options: RollbackOptions): Promise<DeployResult> {
  const release = { id: '', imageTag: options.wanted ?? '' };
  return await inSession('rollback', ports, options, release, async (session) => {
    reportTo(ports)({ type: 'phase-started', phase: 'look' });
    const fleet = await findFleet(ports, options.settings);
    const policy = policyOf(options.settings, fleet.target, options.allowDowntime);
    refuseImpossible(fleet, policy);
    announce(session, fleet);
    await reachAll(session, fleet);
    return await rollToHeld(session, fleet, policy, (sites) => releaseToGoBackTo(sites, options));
  });
}

function releaseToGoBackTo(sites: readonly Site[], { wanted, settings }: RollbackOptions): ReleaseRecord {
  const all = new Map(sites.flatMap((site) => site.survey.releases).map((release) => [release.id, release]));
  const newestFirst = [...all.values()].sort((a, b) => (a.id < b.id ? 1 : -1));
  const held = newestFirst.filter((release) => lackers(sites, release).length === 0);
  const choice = wanted === undefined ? runBefore(sites, held) : newestFirst.find((one) => isCalled(one, wanted));
  const proven = new Set(sites.flatMap((site) => [...provenOn(site)]));
  const candidates = held.filter(({ id }) => proven.has(id) && sites.some((site) => site.survey.current !== id));
  const hint =
    candidates.length === 0
      ? 'Deploy the version that you want instead.'
      : `The fleet can go back to: ${candidates.map((release) => release.id).join(', ')}.`;
  if (choice === undefined) {
    const message =
      wanted === undefined
        ? `There is no earlier release of ${settings.app} that every droplet holds.`
        : `No droplet holds a release "${wanted}" of ${settings.app}.`;
    throw new DeployError('no-such-release', message, { source: 'user', hint });
  }
  const lacking = lackers(sites, choice);
  if (lacking.length > 0) {
    const message = `Release ${choice.id} is no longer on ${lacking.map((site) => site.host.name).join(', ')}.`;
    throw new DeployError('release-gone', message, { source: 'user', hint });
  }
  return choice;
}

function lackers(sites: readonly Site[], release: ReleaseRecord): Site[] {
  return sites.filter((site) => !site.survey.releases.some((one) => one.id === release.id));
}

function isCalled(release: ReleaseRecord, wanted: string): boolean {
  return release.id === wanted || release.imageTag === wanted;
}

/** What ran before, as the droplets tell it; of several the latest. Failed releases were never verified, so never named. */
function runBefore(sites: readonly Site[], held: readonly ReleaseRecord[]): ReleaseRecord | undefined {
  const before = new Set(sites.flatMap((site) => beforeCurrent(site) ?? []));
  const current = new Set(sites.flatMap((site) => site.survey.current ?? []));
  return held.find((release) => before.has(release.id) && (current.size > 1 || !current.has(release.id)));
}
