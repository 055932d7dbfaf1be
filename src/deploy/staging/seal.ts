import type { RemoteCommand } from '../../ports.js';
import { inParallel } from '../core/parallel.js';
import { appFolder, command, quote } from '../core/shell.js';
import { heldRelease, type Member } from '../droplet/member.js';
import { PARTIAL } from '../release/compose-run.js';
import type { ReleaseDraft } from '../release/draft.js';
import { imagesOverride, type ReleaseImages, type StoredRelease } from '../release/stored-release.js';
import { storeFailed } from './store-failure.js';

/**
 * Turns what was staged into a release of the droplet. Throws DeployError seal-failed.
 * @param built the images that were built on this droplet
 */
export async function seal(
  draft: ReleaseDraft,
  release: StoredRelease,
  built: ReleaseImages,
  member: Member,
): Promise<void> {
  const own = { ...release, images: { ...release.images, ...built } };
  const { code, stderr } = await member.connection.run(sealCommand(draft, own));
  if (code !== 0) throw storeFailed(member, 'seal-failed', stderr);
  // A release that the droplet already held stays as it is.
  if (heldRelease(member, own.id) !== undefined) return;
  member.survey = { ...member.survey, releases: [...member.survey.releases, own] };
}

/**
 * Renames the staged folder to `release.id`. When the droplet holds that release already, files of it that were edited or
 * removed are restored from the staged folder, which is then removed.
 */
function sealCommand(draft: ReleaseDraft, release: StoredRelease): RemoteCommand {
  const part = quote(draft.id + PARTIAL);
  const final = quote(release.id);
  return command('seal', { app: draft.app, staged: draft.id, release: release.id }, [
    'set -eu',
    `cd ${appFolder(draft.app)}/releases`,
    `printf '%s' ${quote(imagesOverride(release.images))} >${part}/images.yml`,
    `if [ -f ${final}/release.json ]; then`,
    `  if ! { cmp -s ${part}/SHA256SUMS ${final}/SHA256SUMS && cmp -s ${part}/images.yml ${final}/images.yml && (cd ${final} && sha256sum -c SHA256SUMS >/dev/null 2>&1); }; then`,
    // File by file: folders that are mounted into running containers must stay the same inodes.
    `    (cd ${part} && find . -type f) | while read -r file; do`,
    `      if cmp -s ${part}/"$file" ${final}/"$file"; then continue; fi`,
    `      mkdir -p "$(dirname ${final}/"$file")"`,
    `      mv -f ${part}/"$file" ${final}/"$file"`,
    '    done',
    '  fi',
    `  rm -rf ${part}`,
    '  exit 0',
    'fi',
    `printf '%s\\n' ${quote(JSON.stringify(release))} >${part}/release.json`,
    `mv ${part} ${final}`,
  ]);
}

/** Removes what was staged from every droplet, as far as they can be reached. Never throws. */
export async function discard({ app, id }: ReleaseDraft, members: readonly Member[]): Promise<void> {
  const remove = command('discard', { app, release: id }, [
    `cd ${appFolder(app)} && rm -rf releases/${quote(id + PARTIAL)} incoming-${quote(id)}.tgz`,
  ]);
  await inParallel(members, (member) => member.connection.run(remove).catch(() => {}));
}
