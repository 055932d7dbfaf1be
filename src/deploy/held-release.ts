/** Rolling to a release that the droplets hold already: no files, no registry. Heal and rollback differ only in which. */
import pLimit from 'p-limit';
import { DeployError } from '../errors.js';
import type { DeployResult } from '../rollout/model.js';
import type { Policy } from '../rollout/planner.js';
import { reportTo } from './context.js';
import { type Fleet, previousReleases, startRollout } from './fleet.js';
import { infoOf, type ReleaseRecord } from './release.js';
import { imagesPresentCommand } from './remote/release-commands.js';
import { rollTo, type Session, takeLease } from './session.js';
import { ownRecord, type Site } from './site.js';
import { runsAlready, surveyAll } from './staging.js';
import { together } from './together.js';
import { listenAll } from './watch-door.js';
import { lookAtWorld } from './world.js';

const AT_ONCE = 20;

/** @param choose which of the droplets' releases, all images there; throws DeployError when there is none */
export async function rollToHeld(
  session: Session,
  fleet: Fleet,
  policy: Policy,
  choose: (sites: readonly Site[]) => Promise<ReleaseRecord>,
): Promise<DeployResult> {
  const { ports, sites } = session;
  const run = await takeLease(session, fleet);
  await surveyAll(ports, session.options.settings, sites, { prepare: false });
  const record = await choose(sites);
  session.release = infoOf(record);
  const message = `${session.command === 'heal' ? 'Healing' : 'Rolling back'} to release ${record.id}.`;
  reportTo(ports)({ type: 'notice', level: 'info', message });
  if (policy.balanced) await listenAll(sites, fleet.target, ports.clock);
  const seen = await lookAtWorld(run, sites);
  const upToDate = new Set(sites.filter((site) => runsAlready(site, record)).map((site) => site.droplet.id));
  const previous = previousReleases(sites, record);
  return await rollTo(session, run, startRollout(seen, policy, upToDate, previous), record, previous);
}

export interface GoneImage {
  site: Site;
  /** As compose files name it. */
  reference: string;
}

/** By release: an image of it that somebody has removed from a droplet. Asks each droplet once. */
export async function findGoneImages(
  sites: readonly Site[],
  records: readonly ReleaseRecord[],
): Promise<Map<string, GoneImage>> {
  const limit = pLimit(AT_ONCE);
  const found = await together(sites.map((site) => limit(() => goneFrom(site, records))));
  return new Map(found.flat().reverse());
}

async function goneFrom(site: Site, records: readonly ReleaseRecord[]): Promise<[string, GoneImage][]> {
  const [first] = records;
  if (first === undefined) return [];
  const wanted = records.map((record) => ({ record, images: Object.values(ownRecord(site, record).images) }));
  const pinned = new Set(wanted.flatMap(({ images }) => images.map((image) => image.pinned)));
  const { stdout } = await site.connection.run(imagesPresentCommand(first.app, [...pinned]));
  const said = new Set(stdout.split('\n'));
  return wanted.flatMap(({ record, images }): [string, GoneImage][] => {
    const gone = images.find((image) => said.has(`gone ${image.pinned}`));
    return gone === undefined ? [] : [[record.id, { site, reference: gone.reference }]];
  });
}

export function imageGone({ site, reference }: GoneImage, record: ReleaseRecord, hint: string): DeployError {
  return new DeployError('image-gone', `${site.host.name} no longer has ${reference} of release ${record.id}.`, {
    droplet: site.host.name,
    hint,
  });
}
