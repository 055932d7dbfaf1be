import pLimit from 'p-limit';
import { DeployError } from '../../errors.js';
import type { RemoteCommand } from '../../ports.js';
import { AT_ONCE, waitForAll } from '../core/parallel.js';
import { command, quote } from '../core/shell.js';
import type { StoredRelease } from '../release/stored-release.js';
import { type Member, ownCopy } from './member.js';
export interface GoneImage {
  member: Member;
  /** As compose files name it. */
  reference: string;
}

/** By release: an image of it that somebody has removed from a droplet. Asks each droplet once. */
export async function findGoneImages(
  members: readonly Member[],
  records: readonly StoredRelease[],
): Promise<Map<string, GoneImage>> {
  const limit = pLimit(AT_ONCE);
  const found = await waitForAll(members.map((member) => limit(() => goneFrom(member, records))));
  return new Map(found.flat().reverse());
}

async function goneFrom(member: Member, records: readonly StoredRelease[]): Promise<[string, GoneImage][]> {
  const [first] = records;
  if (first === undefined) return [];
  const wanted = records.map((record) => ({ record, images: Object.values(ownCopy(member, record).images) }));
  const pinned = new Set(wanted.flatMap(({ images }) => images.map((image) => image.pinned)));
  const { stdout } = await member.connection.run(imagesPresentCommand(first.app, [...pinned]));
  const said = new Set(stdout.split('\n'));
  return wanted.flatMap(({ record, images }): [string, GoneImage][] => {
    const gone = images.find((image) => said.has(`gone ${image.pinned}`));
    return gone === undefined ? [] : [[record.id, { member, reference: gone.reference }]];
  });
}

export function imageGone({ member, reference }: GoneImage, record: StoredRelease, hint: string): DeployError {
  return new DeployError('image-gone', `${member.host.name} no longer has ${reference} of release ${record.id}.`, {
    droplet: member.host.name,
    hint,
  });
}

/** Prints `gone REFERENCE` for each image that is not on the droplet. */
export function imagesPresentCommand(app: string, references: readonly string[]): RemoteCommand {
  return command('images-present', { app, references }, [
    ...references.map((one) => `docker image inspect ${quote(one)} >/dev/null 2>&1 || echo ${quote(`gone ${one}`)}`),
    'exit 0',
  ]);
}
