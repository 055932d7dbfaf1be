/** `do-deploy rollback`: a full rollout to an earlier release, from what the droplets keep. */
import { DeployError } from '../errors.js';
import type { DeployResult } from '../rollout/model.js';
import { type DeployPorts, reportTo } from './context.js';
import { findFleet, policyOf, refuseImpossible } from './fleet.js';
import { findGoneImages, imageGone, rollToHeld } from './held-release.js';
import type { ReleaseRecord } from './release.js';
import { announce, inSession, reachAll, type SessionOptions } from './session.js';
import { beforeCurrent, provenOn, type Site } from './site.js';
import { connectAll, surveyEach } from './staging.js';

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

/** The release that a rollback goes back to, as things are now: for the question before it. Takes no lock. */
export async function findReleaseToGoBackTo(
  ports: DeployPorts,
  options: Pick<RollbackOptions, 'settings' | 'wanted'>,
): Promise<ReleaseRecord> {
  const { look } = await findFleet(ports, options.settings);
  const droplets = look.droplets.map(({ droplet }) => droplet);
  const quiet = { ...ports, reporter: { report: () => {} } };
  const { sites, unreachable } = await connectAll(quiet, options.settings, droplets);
  try {
    const [first] = unreachable;
    if (first) throw first.error;
    await surveyEach(sites, options.settings);
    return await releaseToGoBackTo(sites, options);
  } finally {
    await Promise.allSettled(sites.map((site) => site.connection.close()));
  }
}

async function releaseToGoBackTo(
  sites: readonly Site[],
  { wanted, settings: { app, environment } }: Pick<RollbackOptions, 'settings' | 'wanted'>,
): Promise<ReleaseRecord> {
  const all = new Map(sites.flatMap((site) => site.survey.releases).map((release) => [release.id, release]));
  const newestFirst = [...all.values()].sort((a, b) => (a.id < b.id ? 1 : -1));
  const held = newestFirst.filter((release) => lackers(sites, release).length === 0);
  const choice = wanted === undefined ? runBefore(sites, held) : newestFirst.find((one) => isCalled(one, wanted));
  const others = async () => await othersHint(sites, held);
  if (choice === undefined) {
    const message =
      wanted === undefined
        ? `There is no earlier release of ${app} that every droplet holds${missing(sites, runBefore(sites, newestFirst))}.`
        : `No droplet holds a release "${wanted}" of ${app}.`;
    throw new DeployError('no-such-release', message, { source: 'user', hint: await others() });
  }
  if (lackers(sites, choice).length > 0) {
    const message = `Release ${choice.id} is no longer on ${namesOf(lackers(sites, choice))}.`;
    throw new DeployError('release-gone', message, { source: 'user', hint: await others() });
  }
  const gone = (await findGoneImages(sites, [choice])).get(choice.id);
  if (gone === undefined) return choice;
  const anew = `do-deploy ${environment} ${choice.imageTag} deploys what that tag names today.`;
  throw imageGone(gone, choice, `${await others()} ${anew}`);
}

/** Names the releases that are whole on every droplet, have passed their gates, and do not run everywhere already. */
async function othersHint(sites: readonly Site[], held: readonly ReleaseRecord[]): Promise<string> {
  const proven = new Set(sites.flatMap((site) => [...provenOn(site)]));
  const candidates = held.filter(({ id }) => proven.has(id) && sites.some((site) => site.survey.current !== id));
  const gone = await findGoneImages(sites, candidates);
  const whole = candidates.filter(({ id }) => !gone.has(id));
  if (whole.length === 0) return 'Deploy the version that you want instead.';
  return `The fleet can go back to: ${whole.map(({ id }) => id).join(', ')}.`;
}

/** ": R is not on web-2", for the end of a sentence. */
function missing(sites: readonly Site[], release: ReleaseRecord | undefined): string {
  return release === undefined ? '' : `: ${release.id} is not on ${namesOf(lackers(sites, release))}`;
}

function namesOf(sites: readonly Site[]): string {
  return sites.map((site) => site.host.name).join(', ');
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
