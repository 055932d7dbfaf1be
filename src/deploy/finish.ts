/** The end of a run on each droplet: the history line, and after a success the removal of what is kept no longer. */
import { DeployError } from '../errors.js';
import { releasesToRemove } from '../rollout/keep-releases.js';
import type { DeployResult, ReleaseInfo } from '../rollout/model.js';
import { changeSite } from './change-site.js';
import { type Run, reportTo } from './context.js';
import type { ReleaseRecord } from './release.js';
import { finishCommand, noteCommand, PULLING } from './remote/release-commands.js';
import { provenOn, type Site } from './site.js';

const NOTHING = { releases: [], images: [] };
/** A failed run is not to end later for its line in the history. */
const NOTE_WITHIN_MS = 5_000;

export async function finish(
  run: Run,
  sites: readonly Site[],
  command: string,
  record: ReleaseRecord,
  result: DeployResult,
): Promise<void> {
  const line = historyLine(run, command, record, result, sites);
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

/** The history line of a run that has rolled nothing. Where it cannot be written it is missing, and nothing else. */
export async function note(
  run: Run,
  sites: readonly Site[],
  command: string,
  release: ReleaseInfo,
  result: DeployResult,
): Promise<void> {
  const line = historyLine(run, command, release, result);
  const written = sites.map(async (site) => {
    await run.lease.ensure(site.droplet.id);
    await changeSite(site, noteCommand(run.settings.app, run.id, line));
  });
  const done = new AbortController();
  await Promise.race([Promise.allSettled(written), run.ports.clock.sleep(NOTE_WITHIN_MS, done.signal)]);
  done.abort();
}

/** @param rolled the droplets that were to be rolled */
function historyLine(
  run: Run,
  command: string,
  { id, imageTag }: Pick<ReleaseInfo, 'id' | 'imageTag'>,
  { release: { commit, dirty }, outcome, durationMs, probes }: DeployResult,
  rolled?: readonly Site[],
): string {
  return JSON.stringify({
    at: new Date(run.ports.clock.now()).toISOString(),
    run: run.id,
    environment: run.settings.environment,
    command,
    who: run.deployer.who,
    ...(run.deployer.url && { url: run.deployer.url }),
    release: id,
    imageTag,
    ...(commit !== undefined && { commit }),
    ...(dirty && { dirty }),
    outcome,
    durationMs,
    ...(probes && { probes: { total: probes.total, failed: probes.failed } }),
    ...(rolled && { droplets: rolled.map((site) => site.droplet.id) }),
  });
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
