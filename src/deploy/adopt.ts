/**
 * `do-deploy adopt`: droplets that came to the fleet since the last deploy, or do not run its release for another reason,
 * are brought to it: the same rollout, in which the droplets that run the release take no part. Needs no files of the
 * project and no git: a droplet that has the release gives its files to those that lack them.
 */
import { asDeployError, DeployError } from '../errors.js';
import type { DeployResult } from '../rollout/model.js';
import type { Seen } from '../rollout/planner.js';
import { checkSite, otherEnvironment } from './check-site.js';
import { type DeployPorts, reportTo } from './context.js';
import { releaseOfFleet } from './drift.js';
import { type Fleet, findFleet, policyOf, previousReleases, startRollout } from './fleet.js';
import { findGoneImages } from './held-release.js';
import { infoOf, type ReleaseRecord } from './release.js';
import {
  announce,
  connectRunning,
  inSession,
  rollTo,
  type Session,
  type SessionOptions,
  stopIfInterrupted,
  takeLease,
} from './session.js';
import { changedFiles, type Site } from './site.js';
import { stageHeld } from './stage-held.js';
import { runsAlready, surveyAll, surveyEach } from './staging.js';
import { listenAll } from './watch-door.js';
import { lookAtWorld } from './world.js';

/** DigitalOcean's limit for a balancer without a tag. */
const MOST_BY_ID = 10;

export async function adopt(ports: DeployPorts, options: SessionOptions): Promise<DeployResult> {
  const unknown = { id: '', imageTag: '' };
  return await inSession('adopt', ports, options, unknown, async (session) => {
    const { settings } = options;
    const report = reportTo(ports);
    const warn = (droplet: string, message: string) => report({ type: 'notice', level: 'warning', message, droplet });
    report({ type: 'phase-started', phase: 'look' });
    const fleet = await findFleet(ports, settings, { newcomers: true });
    refuseTooMany(fleet);
    const policy = policyOf(settings, fleet.target, options.allowDowntime);
    announce(session, fleet);

    for (const { droplet } of fleet.look.droplets) {
      if (droplet.status !== 'active') warn(droplet.name, `${droplet.name} is ${droplet.status} and stays as it is.`);
    }
    const { unreachable } = await connectRunning(session, fleet);
    const [first] = unreachable;
    await leaveOthers(session);
    const { sites } = session;
    if (sites.length === 0) throw first?.error ?? new DeployError('droplet-off', 'No droplet is running.');

    const run = await takeLease(session, fleet);
    await surveyAll(ports, settings, sites, { prepare: true });
    const record = releaseToAdopt(sites, settings.environment);
    session.release = infoOf(record);
    const exempt = idsOf(membersOf(record, sites, await lookAtWorld(run, sites)));
    const strays = sites.filter((site) => !exempt.has(site.droplet.id));
    if (strays.length > 0) {
      report({ type: 'phase-started', phase: 'stage' });
      const names = strays.map((site) => site.host.name).join(', ');
      report({ type: 'notice', level: 'info', message: `Bringing ${names} to release ${record.id}.` });
      for (const site of strays) checkSite(site);
      await bringRelease(ports, options, record, sites, strays);
      stopIfInterrupted(session);
      if (policy.balanced) await listenAll(sites, fleet.target, ports.clock);
    }
    const seen = await lookAtWorld(run, sites);
    const previous = previousReleases(strays, record);
    const start = startRollout(
      seen,
      policy,
      idsOf(sites.filter((site) => isAsReleased(site, record))),
      previous,
      exempt,
    );
    const result = await rollTo(session, run, start, record, previous);
    if (first === undefined) return result;
    return { ...result, outcome: 'failed', error: result.error ?? asDeployError(first.error).info() };
  });
}

/** Droplets that run the app for another environment stay as they are. Throws DeployError when there is no other droplet. */
async function leaveOthers(session: Session): Promise<void> {
  const { ports, options, sites } = session;
  const { app } = options.settings;
  await surveyEach(sites, options.settings);
  const others = sites.filter((site) => site.survey.otherEnvironment !== undefined);
  const [first] = others;
  if (first === undefined) return;
  if (others.length === sites.length) throw otherEnvironment(first, options.settings);
  for (const { droplet, survey } of others) {
    const message = `${droplet.name} runs ${app} for ${survey.otherEnvironment} and stays as it is.`;
    reportTo(ports)({ type: 'notice', level: 'warning', message, droplet: droplet.name });
  }
  session.sites = sites.filter((site) => !others.includes(site));
  session.others = idsOf(others);
  await Promise.allSettled(others.map((site) => site.connection.close()));
}

/** Droplets of the pool that the balancer could not take are not even begun. */
function refuseTooMany({ look, target }: Fleet): void {
  const { balancer, droplets } = look;
  if (balancer === undefined || balancer.tag !== undefined || droplets.length <= MOST_BY_ID) return;
  const message = `${target.description} takes at most ${MOST_BY_ID} droplets by id, and would have ${droplets.length}.`;
  throw new DeployError('balancer-full', message, {
    source: 'user',
    hint: 'Let it take its droplets by a tag, and give that tag to the autoscale pool’s droplets: then there is no limit.',
  });
}

function releaseToAdopt(sites: readonly Site[], environment: string): ReleaseRecord {
  const record = releaseOfFleet(sites);
  if (record !== undefined) return record;
  throw new DeployError('no-release', 'No droplet runs a release, so there is none to bring others to.', {
    source: 'user',
    hint: `Deploy one first: do-deploy ${environment}`,
  });
}

/** Droplets that run the release's bytes behind the balancer, whatever their health: those are never taken out. */
function membersOf(record: ReleaseRecord, sites: readonly Site[], seen: readonly Seen[]): Site[] {
  const placed = new Set(
    seen.filter((one) => !one.inLedger && (one.rotation === 'in' || one.rotation === 'none')).map(({ id }) => id),
  );
  return sites.filter((site) => placed.has(site.droplet.id) && isAsReleased(site, record));
}

function isAsReleased(site: Site, record: ReleaseRecord): boolean {
  return runsAlready(site, record) && changedFiles(site).length === 0;
}

/** What a droplet lacks of the release: its files, some of them, or its images. */
async function bringRelease(
  ports: DeployPorts,
  { settings }: SessionOptions,
  record: ReleaseRecord,
  sites: readonly Site[],
  strays: readonly Site[],
): Promise<void> {
  const whole = await Promise.all(
    strays.map(async (site) => {
      const has = site.survey.releases.some((release) => release.id === record.id);
      const intact = site.survey.current !== record.id || changedFiles(site).length === 0;
      return has && intact && (await findGoneImages([site], [record])).size === 0;
    }),
  );
  const lacking = strays.filter((_, index) => !whole[index]);
  if (lacking.length > 0) await stageHeld(ports, settings, record, { donors: sites, to: lacking });
}

function idsOf(sites: readonly Site[]): Set<number> {
  return new Set(sites.map((site) => site.droplet.id));
}
