/**
 * Staging: all that can be done while every droplet still serves. Upload, prepare, pull and build run on all droplets in
 * parallel. A failure here leaves rotation and containers as they were.
 */

import { DeployError } from '../../errors.js';
import { inParallel, waitForAll } from '../core/parallel.js';
import { reportStep } from '../core/report.js';
import { heldRelease, type Member } from '../droplet/member.js';
import { type ReleaseDraft, storedReleaseOf } from '../release/draft.js';
import type { ReleaseImages, StoredRelease } from '../release/stored-release.js';
import type { ComposeService } from './compose-config.js';
import { mostCommonBy } from './most-common.js';
import { prepareRelease } from './prepare-release.js';
import { buildImages, digestsToPull, isPulled, namesToPull, pullByName, pullPinned } from './release-images.js';
import { discard, seal } from './seal.js';
import type { Staging } from './staging.js';
import { uploadAll } from './upload.js';

/** The droplets of a role, or of the whole environment, and the draft that they get. */
export interface Drafted {
  staging: Staging;
  members: readonly Member[];
}

/**
 * Brings the drafts of all roles to their droplets and returns the releases that they became, which have one id. All droplets
 * pull simultaneously. The images that most droplets of a role got are the release's; a droplet that got others, because a
 * tag moved meanwhile, pulls those. Throws the first droplet's error after removing what was staged.
 */
export async function stageDrafts(drafted: readonly Drafted[]): Promise<StoredRelease[]> {
  if (drafted.some(({ members }) => members.length === 0)) {
    throw new DeployError('no-droplets', 'There is no droplet to deploy to.');
  }
  return await orDiscardAll(drafted, async () => {
    const brought = await inParallel(drafted, bring);
    const ids = new Set(brought.map(({ known }) => known.id));
    // Roles that already hold it, and others that do not: it is a new release for all.
    const isKnown = ids.size === 1 && !brought.some(({ isOutdated }) => isOutdated);
    const releases = brought.map(({ known, draft }) =>
      isKnown ? known : storedReleaseOf(draft, known.services, known.images),
    );
    await waitForAll(
      brought.flatMap(({ draft, droplets }, index) =>
        droplets.map(({ member, images }) => seal(draft, releases[index] as StoredRelease, images, member)),
      ),
    );
    return releases;
  });
}

async function bring({ staging, members }: Drafted) {
  const { draft } = staging;
  const services = await uploadAll(staging, members, namesToPull);
  const brought = await inParallel(members, async (member) => {
    await prepare(staging, member);
    const pulled = await pull(staging, member, () => pullByName(staging, member, services));
    return { member, pulled, built: await build(staging, member, services) };
  });
  const usual = mostCommonBy(brought, ({ pulled }) => digestsOf(pulled));
  const known = knownRelease(draft, services, { ...usual?.pulled, ...usual?.built }, members);
  const droplets = await inParallel(brought, async ({ member, pulled, built }) => {
    const same = isPulled(known, pulled);
    const own = same ? pulled : await pull(staging, member, () => pullPinned(staging, member, known));
    return { member, images: { ...own, ...built } };
  });
  return { draft, known, droplets, isOutdated: isOutdated(known, brought) };
}

/** One of several droplets may answer what it likes. */
function digestsOf(images: ReleaseImages): string[][] {
  return Object.entries(images).map(([service, { pinned }]) => [service, pinned]);
}

/** Brings a release whose images are known to droplets that lack it. Removes what was staged when it fails. */
export async function stagePinned(staging: Staging, release: StoredRelease, members: readonly Member[]): Promise<void> {
  await orDiscard(staging, members, async () => {
    const services = await uploadAll(staging, members, () => digestsToPull(release));
    const brought = await inParallel(members, async (member) => {
      await prepare(staging, member);
      const pulled = await pull(staging, member, () => pullPinned(staging, member, release));
      return { member, images: { ...pulled, ...(await build(staging, member, services)) } };
    });
    await inParallel(brought, ({ member, images }) => seal(staging.draft, release, images, member));
  });
}

async function orDiscard<T>(staging: Staging, members: readonly Member[], task: () => Promise<T>): Promise<T> {
  return await orDiscardAll([{ staging, members }], task);
}

async function orDiscardAll<T>(drafted: readonly Drafted[], task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (error) {
    await Promise.all(drafted.map(({ staging, members }) => discard(staging.draft, members)));
    throw error;
  }
}

async function prepare({ ports, draft }: Staging, member: Member): Promise<void> {
  const { prepare: script } = draft;
  if (script === undefined) return;
  await reportStep(ports, { droplet: member.host.name, step: 'prepare' }, () => prepareRelease(draft, script, member));
}

async function pull<T>({ ports }: Staging, member: Member, task: () => Promise<T>): Promise<T> {
  return await reportStep(ports, { droplet: member.host.name, step: 'pull' }, task);
}

/** Returns the images that were built on the droplet: every droplet has its own. */
async function build(staging: Staging, member: Member, services: readonly ComposeService[]): Promise<ReleaseImages> {
  if (!services.some((service) => service.built)) return {};
  const step = { droplet: member.host.name, step: 'build' } as const;
  return await reportStep(staging.ports, step, () => buildImages(staging, member, services));
}

/**
 * The staged release, under the id that a droplet already holds the same bytes by, if any does. Only what names the release
 * is taken from that droplet's record, and no id by which a droplet holds other bytes.
 */
function knownRelease(
  draft: ReleaseDraft,
  services: ComposeService[],
  images: ReleaseImages,
  members: readonly Member[],
): StoredRelease {
  const specs = services.map(
    ({
      built: _built,
      checked: _checked,
      startInterval: _interval,
      published: _published,
      platform: _platform,
      ...spec
    }) => spec,
  );
  const release = storedReleaseOf(draft, specs, images);
  const held = members.flatMap((member) => member.survey.releases);
  const isSame = ({ identity }: StoredRelease) => identity === release.identity;
  const same = held.filter((one) => isSame(one) && held.every((other) => other.id !== one.id || isSame(other)));
  const known = mostCommonBy(
    same.sort((a, b) => (a.id < b.id ? 1 : -1)),
    ({ id }) => id,
  );
  if (known === undefined) return release;
  const { id, createdAt, createdBy, commit, dirty } = known;
  return { ...release, id, createdAt, createdBy, commit, dirty };
}

/** Whether a droplet holds the release with images that it built earlier, which may be gone: then this is a new release. */
function isOutdated(release: StoredRelease, brought: readonly { member: Member; built: ReleaseImages }[]): boolean {
  return brought.some(({ member, built }) => {
    const held = heldRelease(member, release.id);
    if (held === undefined) return false;
    return Object.entries(built).some(([service, { imageId }]) => held.images[service]?.imageId !== imageId);
  });
}
