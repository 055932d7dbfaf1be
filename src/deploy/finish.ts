/** The end of a run on each droplet: the history line, and after a success the removal of what is kept no longer. */
import { DeployError } from '../errors.js';
import { releasesToRemove } from '../rollout/keep-releases.js';
import type { DeployResult } from '../rollout/model.js';
import { changeSite } from './change-site.js';
import { type Run, reportTo } from './context.js';
import type { ReleaseRecord } from './release.js';
import { finishCommand, PULLING } from './remote/release-commands.js';
import { provenOn, type Site } from './site.js';

const NOTHING = { releases: [], images: [] };

export async function finish(
  run: Run,
  sites: readonly Site[],
  command: string,
  record: ReleaseRecord,
  result: DeployResult,
): Promise<void> {
  const { commit, dirty } = result.release;
  const { probes } = result;
  const line = JSON.stringify({
    at: new Date(run.ports.clock.now()).toISOString(),
    run: run.id,
    environment: run.settings.environment,
    command,
    who: run.deployer.who,
    ...(run.deployer.url && { url: run.deployer.url }),
    release: record.id,
    imageTag: record.imageTag,
    ...(commit !== undefined && { commit }),
    ...(dirty && { dirty }),
    outcome: result.outcome,
    durationMs: result.durationMs,
    ...(probes && { probes: { total: probes.total, failed: probes.failed } }),
    droplets: sites.map((site) => site.droplet.id),
  });
  await Promise.all(
    sites.map(async (site) => {
      const remove = result.outcome === 'succeeded' ? outdated(site, record, run.settings.keepReleases) : NOTHING;
      try {
        await run.lease.ensure(site.droplet.id);
        const { code, stderr } = await changeSite(site, finishCommand(record, run.id, line, remove));
        if (code === PULLING) throw new DeployError('pulling', 'another deploy is bringing images there');
        if (code !== 0) throw new DeployError('finish-failed', stderr.trim().split('\n').at(-1) ?? `exit code ${code}`);
      } catch (error) {
        // The deploy itself is done: what stays behind is told, and removed by the next one.
        const reason = error instanceof Error ? error.message : String(error);
        const message = `Old releases stay on ${site.host.name} until the next deploy: ${reason.replace(/\.$/, '')}.`;
        reportTo(run.ports)({ type: 'notice', level: 'warning', message, droplet: site.host.name });
      }
    }),
  );
}

/** What the droplet keeps no longer: folders, and the images of theirs that no kept release runs. */
function outdated(site: Site, record: ReleaseRecord, keep: number): { releases: string[]; images: string[] } {
  const { releases, state } = site.survey;
  // Both are the release that was just rolled out, but where a reverted droplet says otherwise.
  const running = [record.id, site.survey.current, state?.release];
  return releasesToRemove(
    releases.map(({ id, images }) => ({ id, images: Object.values(images).map(({ imageId }) => imageId) })),
    {
      keep,
      needed: [...running, state?.previous, state?.earlier].flatMap((id) => id ?? []),
      proven: provenOn(site),
    },
  );
}
