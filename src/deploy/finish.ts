/** The end of a run on each droplet: the history line, and after a success the removal of what is kept no longer. */
import { DeployError } from '../errors.js';
import type { DeployResult } from '../rollout/model.js';
import { changeSite } from './change-site.js';
import { type Run, reportTo } from './context.js';
import type { ReleaseRecord } from './release.js';
import { finishCommand } from './remote/release-commands.js';
import type { Site } from './site.js';

/** Releases that stay on a droplet for going back, the current one included. */
const KEEP_RELEASES = 5;

export async function finish(
  run: Run,
  sites: readonly Site[],
  command: string,
  record: ReleaseRecord,
  result: DeployResult,
): Promise<void> {
  const { commit, dirty } = result.release;
  const line = JSON.stringify({
    at: new Date(run.ports.clock.now()).toISOString(),
    run: run.id,
    command,
    who: run.deployer.who,
    ...(run.deployer.url && { url: run.deployer.url }),
    release: record.id,
    imageTag: record.imageTag,
    ...(commit !== undefined && { commit }),
    ...(dirty && { dirty }),
    outcome: result.outcome,
    durationMs: result.durationMs,
  });
  await Promise.all(
    sites.map(async (site) => {
      const remove = result.outcome === 'succeeded' ? kept(site, record) : { releases: [], images: [] };
      try {
        await run.lease.ensure(site.droplet.id);
        const { code, stderr } = await changeSite(site, finishCommand(record, run.id, line, remove));
        if (code !== 0) throw new DeployError('finish-failed', stderr.trim().split('\n').at(-1) ?? `exit code ${code}`);
      } catch (error) {
        // The deploy itself is done: what stays behind is told, and removed by the next one.
        const reason = error instanceof Error ? error.message : String(error);
        const message = `Old releases could not be cleaned up on ${site.host.name}: ${reason}`;
        reportTo(run.ports)({ type: 'notice', level: 'warning', message, droplet: site.host.name });
      }
    }),
  );
}

/** Releases beyond the newest ones, and the images that only those used. */
function kept(site: Site, record: ReleaseRecord): { releases: string[]; images: string[] } {
  const { releases, state } = site.survey;
  const newestFirst = [...releases].sort((a, b) => (a.id < b.id ? 1 : -1));
  const stay = new Set(newestFirst.slice(0, KEEP_RELEASES).map((release) => release.id));
  for (const id of [record.id, site.survey.current, state?.release, state?.previous]) if (id) stay.add(id);
  const old = newestFirst.filter((release) => !stay.has(release.id));
  const imagesOf = (list: ReleaseRecord[]) =>
    list.flatMap((one) => Object.values(one.images).map((image) => image.imageId));
  const needed = new Set(imagesOf(newestFirst.filter((release) => stay.has(release.id))));
  const images = [...new Set(imagesOf(old))].filter((image) => !needed.has(image) && image.startsWith('sha256:'));
  return { releases: old.map((release) => release.id), images };
}
