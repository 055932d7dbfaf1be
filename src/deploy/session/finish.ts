/** The end of a run on each droplet: the history line, and after a success the removal of what is kept no longer. */

import { DeployError } from '../../errors.js';
import type { RemoteCommand } from '../../ports.js';
import { releasesToRemove } from '../../rollout/keep-releases.js';
import type { DeployResult, ReleaseInfo } from '../../rollout/model.js';
import { reportTo } from '../core/report.js';
import { appFolder, command, quote, SECOND } from '../core/shell.js';
import { type Member, provenOn } from '../droplet/member.js';
import { changeDroplet } from '../lease/change-droplet.js';
import { asHolder } from '../lease/lease-commands.js';
import { variables } from '../release/compose-run.js';
import type { StoredRelease } from '../release/stored-release.js';
import type { Run } from '../steps/run.js';

const NOTHING = { releases: [], images: [] };

/** A failed run is not to end later for its line in the history. */
const NOTE_WITHIN_MS = 5_000;

export async function finish(
  run: Run,
  members: readonly Member[],
  command: string,
  record: StoredRelease,
  result: DeployResult,
): Promise<void> {
  const line = historyLine(run, command, record, result, members);
  await Promise.all(
    members.map(async (member) => {
      const remove = result.outcome === 'succeeded' ? outdated(member, record, run.settings.keepReleases) : NOTHING;
      try {
        await run.lease.ensure(member.droplet.id);
        const { code, stderr } = await changeDroplet(member, finishCommand(record, run.id, line, remove));
        if (code === PULLING) throw new DeployError('pulling', 'another deploy is bringing images there');
        if (code !== 0) throw new DeployError('finish-failed', stderr.trim().split('\n').at(-1) ?? `exit code ${code}`);
      } catch (error) {
        // The deploy itself is done: what stays behind is told, and removed by the next one.
        const reason = error instanceof Error ? error.message : String(error);
        const message = `Old releases stay on ${member.host.name} until the next deploy: ${reason.replace(/\.$/, '')}.`;
        reportTo(run.ports)({ type: 'notice', level: 'warning', message, droplet: member.host.name });
      }
    }),
  );
}

/** The history line of a run that has rolled nothing. Where it cannot be written it is missing, and nothing else. */
export async function note(
  run: Run,
  members: readonly Member[],
  command: string,
  release: ReleaseInfo,
  result: DeployResult,
): Promise<void> {
  const line = historyLine(run, command, release, result);
  const written = members.map(async (member) => {
    await run.lease.ensure(member.droplet.id);
    await changeDroplet(member, noteCommand(run.settings.app, run.id, line));
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
  rolled?: readonly Member[],
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
    commit,
    ...(dirty && { dirty }),
    outcome,
    durationMs,
    ...(probes && { probes: { total: probes.total, failed: probes.failed } }),
    ...(rolled && { droplets: rolled.map((member) => member.droplet.id) }),
  });
}

/** What the droplet keeps no longer: folders, and the images of theirs that no kept release runs. */
function outdated(member: Member, record: StoredRelease, keep: number): { releases: string[]; images: string[] } {
  const { releases, state } = member.survey;
  // Both are the release that was just rolled out, but where a reverted droplet says otherwise.
  const running = [record.id, member.survey.current, state?.release];
  return releasesToRemove(
    releases.map(({ id, images }) => ({ id, images: Object.values(images).map(({ imageId }) => imageId) })),
    {
      keep,
      needed: [...running, state?.previous, state?.earlier].flatMap((id) => id ?? []),
      proven: provenOn(member),
    },
  );
}

/** Exit code of start-up.sh prune where another deploy is pulling. */
export const PULLING = 75;

/**
 * Writes the history line, and removes releases and images that are kept no longer. Failures here fail nothing.
 * Exit code 75: another app's deploy is bringing images to the droplet, so nothing was removed.
 */
export function finishCommand(
  record: StoredRelease,
  run: string,
  historyLine: string,
  remove: { releases: string[]; images: string[] },
): RemoteCommand {
  const prune = [...remove.releases, ...remove.images].map(quote).join(' ');
  return command(
    'finish',
    { app: record.app, run, release: record.id, remove },
    [
      'set -eu',
      `cd ${appFolder(record.app)}`,
      asHolder(record.app, run),
      `printf '%s\\n' ${quote(historyLine)} >>history.jsonl`,
      // Left behind by runs that died while staging, at least a day ago.
      "find . releases -maxdepth 1 \\( -name 'incoming-*.tgz' -o -name '*.partial' \\) -mtime +0 -exec rm -rf {} + 2>/dev/null || :",
      prune
        ? `${variables(record, true)} sh releases/${quote(record.id)}/scripts/start-up.sh prune ${prune}`
        : undefined,
    ],
    { timeoutMs: 120 * SECOND, repeatable: false },
  );
}

/** Writes the history line of a run that has rolled nothing, where the app is deployed already. */
export function noteCommand(app: string, run: string, historyLine: string): RemoteCommand {
  return command(
    'note',
    { app, run },
    ['set -eu', `cd ${appFolder(app)}`, asHolder(app, run), `printf '%s\\n' ${quote(historyLine)} >>history.jsonl`],
    { repeatable: false },
  );
}
