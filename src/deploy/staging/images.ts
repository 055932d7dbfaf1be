/** The images of a release on a droplet: pulled by digest, the same everywhere, or built there. */

import { z } from 'zod';
import type { Settings } from '../../config/settings.js';
import { DeployError } from '../../errors.js';
import { lastLine } from '../core/output-lines.js';
import type { Member } from '../droplet/member.js';
import { imagesOverride } from '../release/digests.js';
import type { ReleaseDraft } from '../release/draft.js';
import type { StoredRelease } from '../release/stored-release.js';
import { refuseForeignImages } from './check-architecture.js';
import type { ComposeService } from './compose-config.js';
import { buildCommand, pullCommand, type RegistryLogin } from './image-commands.js';
import { pullFailed } from './pull-failure.js';

const PULL_WITHIN_MS = 15 * 60_000;

const BUILD_WITHIN_MS = 30 * 60_000;

/** Exit code of start-up.sh. */
const LOGIN_REFUSED = 77;

/** Pulls by the names in the compose files, and tells what they stand for just now. */
export async function pullByName(
  settings: Settings,
  draft: ReleaseDraft,
  member: Member,
  services: readonly ComposeService[],
): Promise<StoredRelease['images']> {
  const pulled = services.filter((service) => !service.built);
  const references = [...new Set(pulled.map((service) => service.image))];
  const unbuilt = pulled.length < services.length;
  const inspected = await pull(settings, draft, member, references, { unbuilt });
  const ownPlatform = new Set(pulled.filter(({ platform }) => platform === undefined).map(({ image }) => image));
  await refuseForeignImages(
    member,
    references.flatMap((reference, index) =>
      ownPlatform.has(reference) ? [{ reference, architecture: inspected[index]?.Architecture }] : [],
    ),
  );
  const images: StoredRelease['images'] = {};
  for (const service of pulled) {
    const image = inspected[references.indexOf(service.image)];
    if (image === undefined) throw pullFailed(member, `${service.image} is not there after the pull`);
    images[service.name] = {
      reference: service.image,
      pinned: pinnedReference(service.image, image),
      imageId: image.Id,
    };
  }
  return images;
}

/**
 * Whether a pull by name has brought what the first droplet has: a tag may have moved in between. Compares digests, because
 * the id of an image depends on the droplet's image store.
 */
export function areThose(pulled: StoredRelease['images'], record: StoredRelease): boolean {
  return Object.entries(record.images).every(
    ([service, image]) => image.built || pulled[service]?.pinned === image.pinned,
  );
}

/** Pulls exactly what the first droplet has. Returns the images with the ids that they have on this droplet. */
export async function pullPinned(
  settings: Settings,
  draft: ReleaseDraft,
  member: Member,
  record: StoredRelease,
): Promise<StoredRelease['images']> {
  const pulled = Object.fromEntries(Object.entries(record.images).filter(([, image]) => !image.built));
  const images = Object.values(pulled);
  const unbuilt = images.length < Object.keys(record.images).length;
  const inspected = await pull(
    settings,
    draft,
    member,
    images.map((image) => image.pinned),
    { unbuilt, override: imagesOverride(pulled) },
  );
  return Object.fromEntries(
    Object.entries(pulled).map(([service, image], index) => {
      const found = inspected[index];
      if (found === undefined) throw pullFailed(member, `${image.reference} is not there after the pull`);
      return [service, { ...image, imageId: found.Id }];
    }),
  );
}

const imageInspect = z.array(
  z.object({ Id: z.string(), RepoDigests: z.array(z.string()).nullish(), Architecture: z.string().nullish() }),
);

type InspectedImage = z.infer<typeof imageInspect>[number];

async function pull(
  settings: Settings,
  draft: ReleaseDraft,
  member: Member,
  images: string[],
  how: { unbuilt: boolean; override?: string },
): Promise<InspectedImage[]> {
  const login = loginOf(settings);
  const command = pullCommand(draft, images, { ...how, timeoutMs: PULL_WITHIN_MS, ...(login && { registry: login }) });
  const { code, stdout, stderr } = await member.connection.run(command);
  refuseLogin(settings, member, code, stderr);
  if (code !== 0) throw pullFailed(member, lastLine(stderr), settings.registry);
  return imageInspect.parse(JSON.parse(stdout));
}

/** Builds on the droplet what has a build context there. Throws DeployError build-failed: the old containers run on. */
export async function buildImages(
  settings: Settings,
  draft: ReleaseDraft,
  member: Member,
  services: readonly ComposeService[],
): Promise<StoredRelease['images']> {
  const built = services.filter((service) => service.built);
  const login = loginOf(settings);
  const names = built.map((service) => service.image);
  const command = buildCommand(draft, names, { timeoutMs: BUILD_WITHIN_MS, ...(login && { registry: login }) });
  const { code, stdout, stderr } = await member.connection.run(command);
  refuseLogin(settings, member, code, stderr);
  if (code !== 0) throw buildFailed(member, lastLine(stderr));
  const inspected = imageInspect.parse(JSON.parse(stdout));
  return Object.fromEntries(
    built.map(({ name, image }, index) => {
      const id = inspected[index]?.Id;
      if (id === undefined) throw buildFailed(member, `${image} is not there after the build`);
      return [name, { reference: image, pinned: id, imageId: id, built: true }];
    }),
  );
}

function loginOf({ registry }: Settings): RegistryLogin | undefined {
  return registry && { server: registry.server, username: registry.username, password: registry.password.reveal() };
}

function refuseLogin({ registry }: Settings, member: Member, code: number, stderr: string): void {
  if (code === LOGIN_REFUSED) {
    throw new DeployError(
      'registry-login',
      `The registry ${registry?.server} refused the login as ${registry?.username}: ${lastLine(stderr)}`,
      {
        source: 'user',
        droplet: member.host.name,
        hint: 'Check registry: in config/deploy.yml and the variables it names.',
      },
    );
  }
}

/** `repo@sha256:…`; an image that was never in a registry is pinned by its id. */
function pinnedReference(reference: string, image: InspectedImage): string {
  const repository = reference.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
  const digests = image.RepoDigests ?? [];
  const short = repository.replace(/^docker\.io\/(library\/)?/, '');
  return digests.find((digest) => [repository, short].includes(digest.split('@')[0] ?? '')) ?? digests[0] ?? image.Id;
}

function buildFailed(member: Member, reason: string): DeployError {
  return new DeployError('build-failed', `The images cannot be built on ${member.host.name}: ${reason}`, {
    droplet: member.host.name,
    hint: 'Check the Dockerfile, and that everything it copies is among files: in config/deploy.yml.',
  });
}
