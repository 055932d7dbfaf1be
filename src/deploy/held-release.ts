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

/** @param choose which of the droplets' releases, from their surveys; throws DeployError when there is none */
export async function rollToHeld(
  session: Session,
  fleet: Fleet,
  policy: Policy,
  choose: (sites: readonly Site[]) => ReleaseRecord,
): Promise<DeployResult> {
  const { ports, sites } = session;
  const run = await takeLease(session, fleet);
  await surveyAll(ports, session.options.settings, sites, { prepare: false });
  const record = choose(sites);
  session.release = infoOf(record);
  const message = `${session.command === 'heal' ? 'Healing' : 'Rolling back'} to release ${record.id}.`;
  reportTo(ports)({ type: 'notice', level: 'info', message });
  const limit = pLimit(AT_ONCE);
  await together(sites.map((site) => limit(() => imagesPresent(site, record))));
  if (policy.balanced) await listenAll(sites, fleet.target, ports.clock);
  const seen = await lookAtWorld(run, sites);
  const upToDate = new Set(sites.filter((site) => runsAlready(site, record)).map((site) => site.droplet.id));
  const previous = previousReleases(sites, record);
  return await rollTo(session, run, startRollout(seen, policy, upToDate, previous), record, previous);
}

/** Throws DeployError image-gone: somebody has removed what the release runs. */
async function imagesPresent(site: Site, record: ReleaseRecord): Promise<void> {
  const gone = await imagesGone(site, record);
  if (gone === undefined) return;
  throw new DeployError('image-gone', `${site.host.name} no longer has ${gone} of release ${record.id}.`, {
    droplet: site.host.name,
    hint: `Deploy that version again: do-deploy ${record.environment} ${record.imageTag}. It is pulled anew.`,
  });
}

/** An image of the release that is not on the droplet, as compose files name it; undefined when all are there. */
export async function imagesGone(site: Site, record: ReleaseRecord): Promise<string | undefined> {
  const images = Object.values(ownRecord(site, record).images);
  const { stdout } = await site.connection.run(
    imagesPresentCommand(
      record.app,
      images.map((image) => image.pinned),
    ),
  );
  return images.find((image) => stdout.split('\n').includes(`gone ${image.pinned}`))?.reference;
}
