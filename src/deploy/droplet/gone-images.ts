/** Images of stored releases that were removed from a droplet by someone else. */
import { DeployError } from '../../errors.js';
import type { RemoteCommand } from '../../ports.js';
import { inParallel } from '../core/parallel.js';
import { command, quote } from '../core/shell.js';
import type { StoredRelease } from '../release/stored-release.js';
import { type Member, ownCopy } from './member.js';

export interface GoneImage {
  member: Member;
  /** As in the compose files. */
  reference: string;
}

/** By release id: an image that is missing on a droplet. Runs one command on each droplet. */
export async function findGoneImages(
  members: readonly Member[],
  releases: readonly StoredRelease[],
): Promise<Map<string, GoneImage>> {
  const found = await inParallel(members, (member) => goneFrom(member, releases));
  // Of several droplets, the first one's image is reported.
  return new Map(found.flat().reverse());
}

async function goneFrom(member: Member, releases: readonly StoredRelease[]): Promise<[string, GoneImage][]> {
  const [first] = releases;
  if (first === undefined) return [];
  const wanted = releases.map((release) => ({ release, images: Object.values(ownCopy(member, release).images) }));
  const pinned = new Set(wanted.flatMap(({ images }) => images.map((image) => image.pinned)));
  const { stdout } = await member.connection.run(imagesPresentCommand(first.app, [...pinned]));
  const printed = new Set(stdout.split('\n'));
  return wanted.flatMap(({ release, images }): [string, GoneImage][] => {
    const gone = images.find((image) => printed.has(`gone ${image.pinned}`));
    return gone === undefined ? [] : [[release.id, { member, reference: gone.reference }]];
  });
}

/** Throws DeployError image-gone, with the hint, when a droplet lacks an image of the release. */
export async function refuseGoneImages(
  members: readonly Member[],
  release: StoredRelease,
  hint: () => string | Promise<string>,
): Promise<void> {
  const gone = (await findGoneImages(members, [release])).get(release.id);
  if (gone === undefined) return;
  const droplet = gone.member.host.name;
  throw new DeployError('image-gone', `${droplet} no longer has ${gone.reference} of release ${release.id}.`, {
    droplet,
    hint: await hint(),
  });
}

/** Prints `gone REFERENCE` for each image that is not on the droplet. */
function imagesPresentCommand(app: string, references: readonly string[]): RemoteCommand {
  const lines = references.map(
    (one) => `docker image inspect ${quote(one)} >/dev/null 2>&1 || echo ${quote(`gone ${one}`)}`,
  );
  return command('images-present', { app, references }, [...lines, 'exit 0'], { reads: true });
}
