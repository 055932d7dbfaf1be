import type { RemoteCommand } from '../../ports.js';
import { inParallel } from '../core/parallel.js';
import { appFolder, command, quote } from '../core/shell.js';
import { heldRelease, type Member } from '../droplet/member.js';
import { PARTIAL } from '../release/compose-run.js';
import type { ReleaseDraft } from '../release/draft.js';
import { releaseHash } from '../release/release-hash.js';
import { imagesOverride, type ReleaseImages, type StoredRelease } from '../release/stored-release.js';
import { storeFailed } from './store-failure.js';

/**
 * Turns what was staged into a release of the droplet. Throws DeployError seal-failed.
 * @param images with the ids that they have on this droplet
 */
export async function seal(
  draft: ReleaseDraft,
  release: StoredRelease,
  images: ReleaseImages,
  member: Member,
): Promise<void> {
  const own = { ...release, images: { ...release.images, ...images } };
  const held = heldRelease(member, own.id);
  const renew = held !== undefined && (releaseHash(held) !== releaseHash(own) || hasOtherIds(held, own));
  const { code, stderr } = await member.connection.run(sealCommand(draft, own, renew));
  if (code !== 0) throw storeFailed(member, 'seal-failed', stderr);
  // The record of a release that the droplet already held stays, unless it differs from what was deployed.
  if (held !== undefined && !renew) return;
  const others = member.survey.releases.filter((one) => one !== held);
  member.survey = { ...member.survey, releases: [...others, own] };
}

/** Another image store has been switched on: the same digests have other ids. */
function hasOtherIds(held: StoredRelease, own: StoredRelease): boolean {
  return Object.entries(own.images).some(
    ([service, { built, imageId }]) => !built && held.images[service]?.imageId !== imageId,
  );
}

/**
 * Renames the staged folder to `release.id`. When the droplet holds that release already, files of it that were edited or
 * removed are restored from the staged folder, which is then removed.
 * @param renew also replaces the record of a release that the droplet holds already
 */
export function sealCommand(draft: ReleaseDraft, release: StoredRelease, renew: boolean): RemoteCommand {
  const write = `printf '%s\\n' ${quote(JSON.stringify(release))}`;
  const part = quote(draft.id + PARTIAL);
  const final = quote(release.id);
  return command('seal', { app: draft.app, staged: draft.id, release: release.id }, [
    'set -eu',
    `cd ${appFolder(draft.app)}/releases`,
    `printf '%s' ${quote(imagesOverride(release.images))} >${part}/images.yml`,
    `if [ -f ${final}/release.json ]; then`,
    `  if ! { cmp -s ${part}/SHA256SUMS ${final}/SHA256SUMS && cmp -s ${part}/images.yml ${final}/images.yml && (cd ${final} && sha256sum -c SHA256SUMS >/dev/null 2>&1); }; then`,
    // File by file: folders that are mounted into running containers must stay the same inodes.
    `    (cd ${part} && find . -type f) | while IFS= read -r file; do`,
    `      if cmp -s ${part}/"$file" ${final}/"$file"; then continue; fi`,
    `      mkdir -p "$(dirname ${final}/"$file")"`,
    `      mv -f ${part}/"$file" ${final}/"$file"`,
    '    done',
    '  fi',
    renew ? `  ${write} >${part}/release.json\n  mv -f ${part}/release.json ${final}/release.json` : undefined,
    `  rm -rf ${part}`,
    '  exit 0',
    'fi',
    `${write} >${part}/release.json`,
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
