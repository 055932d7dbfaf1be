/** Brings the images of a release to a droplet: pulled by digest, the same everywhere, or built there. */

import { z } from 'zod';
import type { Settings } from '../../config/settings.js';
import { DeployError } from '../../errors.js';
import type { CommandResult } from '../../ports.js';
import { configFile } from '../core/do-deploy.js';
import { repositoryOf, shortName } from '../core/image-reference.js';
import { errorLine } from '../core/output-lines.js';
import { unsupportedAnswer } from '../droplet/containers-command.js';
import type { Member } from '../droplet/member.js';
import { imagesOverride, type ReleaseImages, type StoredRelease } from '../release/stored-release.js';
import { refuseForeignImages } from './check-architecture.js';
import type { ComposeService } from './compose-config.js';
import { buildCommand, pullCommand } from './image-commands.js';
import { pullFailed } from './pull-failure.js';
import { LOGIN_REFUSED, loginName } from './registry-login.js';
import { isPassing, runWithRetries } from './retry-pull.js';
import type { Staging } from './staging.js';

const PULL_WITHIN_MS = 15 * 60_000;

const BUILD_WITHIN_MS = 30 * 60_000;

/** Pulls by the names in the compose files. Returns the images that they name at the moment. Throws as `pullPinned` does. */
export async function pullByName(
  staging: Staging,
  member: Member,
  services: readonly ComposeService[],
): Promise<ReleaseImages> {
  const pulled = services.filter((service) => !service.built);
  const references = namesToPull(services);
  const inspected = await pull(staging, member, references, { unbuilt: pulled.length < services.length });
  const ownPlatform = new Set(pulled.filter(({ platform }) => platform === undefined).map(({ image }) => image));
  await refuseForeignImages(
    member,
    references.flatMap((reference, index) =>
      ownPlatform.has(reference) ? [{ reference, architecture: inspected[index]?.Architecture }] : [],
    ),
  );
  const images: ReleaseImages = {};
  for (const { name, image: reference } of pulled) {
    const image = inspected[references.indexOf(reference)];
    if (image === undefined) throw pullFailed(member, `${reference} is missing after the pull`, staging.settings);
    images[name] = { reference, pinned: pinnedReference(reference, image), imageId: image.Id };
  }
  return images;
}

/** The images that `pullByName` pulls. */
export function namesToPull(services: readonly ComposeService[]): string[] {
  return [...new Set(services.filter((service) => !service.built).map((service) => service.image))];
}

/** The images that `pullPinned` pulls, one for each service. */
export function digestsToPull({ images }: StoredRelease): string[] {
  return Object.values(images).flatMap(({ built, pinned }) => (built ? [] : [pinned]));
}

/**
 * Whether these are the release's images: a tag may have moved between two pulls by name. Compares digests, because the id
 * of an image depends on the droplet's image store.
 */
export function isPulled({ images }: StoredRelease, pulled: ReleaseImages): boolean {
  return Object.entries(images).every(([service, { built, pinned }]) => built || pulled[service]?.pinned === pinned);
}

/**
 * Pulls exactly the release's images. Returns them with the ids that they have on this droplet.
 * Throws DeployError pull-failed, disk-full or registry-login.
 */
export async function pullPinned(staging: Staging, member: Member, release: StoredRelease): Promise<ReleaseImages> {
  const pulled = Object.fromEntries(Object.entries(release.images).filter(([, image]) => !image.built));
  const pinned = digestsToPull(release);
  const unbuilt = pinned.length < Object.keys(release.images).length;
  const inspected = await pull(staging, member, pinned, { unbuilt, override: imagesOverride(pulled) });
  return Object.fromEntries(
    Object.entries(pulled).map(([service, image], index) => {
      const found = inspected[index];
      if (found === undefined)
        throw pullFailed(member, `${image.reference} is missing after the pull`, staging.settings);
      return [service, { ...image, imageId: found.Id }];
    }),
  );
}

/** Builds the services that have a build context. Throws DeployError build-failed or registry-login. */
export async function buildImages(
  { settings, draft, login }: Staging,
  member: Member,
  services: readonly ComposeService[],
): Promise<ReleaseImages> {
  const built = services.filter((service) => service.built);
  const names = built.map((service) => service.image);
  const command = buildCommand(draft, names, { timeoutMs: BUILD_WITHIN_MS, registry: login });
  const failed = (reason: string) => buildFailed(member, settings, reason);
  const inspected = readInspected(settings, member, await member.connection.run(command), failed);
  return Object.fromEntries(
    built.map(({ name, image }, index) => {
      const id = inspected[index]?.Id;
      if (id === undefined) throw failed(`${image} is missing after the build`);
      return [name, { reference: image, pinned: id, imageId: id, built: true }];
    }),
  );
}

const imageInspect = z.array(
  z.object({ Id: z.string(), RepoDigests: z.array(z.string()).nullish(), Architecture: z.string().nullish() }),
);

type InspectedImage = z.infer<typeof imageInspect>[number];

async function pull(
  staging: Staging,
  member: Member,
  images: string[],
  how: { unbuilt: boolean; override?: string },
): Promise<InspectedImage[]> {
  const { settings, draft, login } = staging;
  const command = pullCommand(draft, images, { ...how, timeoutMs: PULL_WITHIN_MS, registry: login });
  const result = await runWithRetries(staging, member, command);
  return readInspected(settings, member, result, (reason) => pullFailed(member, reason, settings));
}

function readInspected(
  settings: Settings,
  member: Member,
  { code, stdout, stderr }: CommandResult,
  failed: (reason: string) => DeployError,
): InspectedImage[] {
  if (code === 0) return parseImages(stdout, member.host.name);
  const reason = errorLine(stderr);
  if (code !== LOGIN_REFUSED || isPassing(reason)) throw failed(reason);
  const { registry } = settings;
  const who = registry && ` as ${loginName(registry)}`;
  const message = `The registry ${registry?.server} refused the login${who ?? ''}: ${reason}`;
  throw new DeployError('registry-login', message, {
    source: 'user',
    droplet: member.host.name,
    hint: `Check registry: in ${configFile(settings)} and the variables that it names.`,
  });
}

/** Reads `docker image inspect`. Throws DeployError docker-answer. */
export function parseImages(stdout: string, droplet: string): InspectedImage[] {
  try {
    return imageInspect.parse(JSON.parse(stdout));
  } catch (cause) {
    throw unsupportedAnswer({ droplet, cause });
  }
}

/** `repo@sha256:…`; an image that was never in a registry is pinned by its id. */
function pinnedReference(reference: string, image: InspectedImage): string {
  const repository = repositoryOf(reference);
  const digests = image.RepoDigests ?? [];
  const names = [repository, shortName(repository)];
  return digests.find((digest) => names.includes(digest.split('@')[0] ?? '')) ?? digests[0] ?? image.Id;
}

function buildFailed(member: Member, settings: Settings, reason: string): DeployError {
  return new DeployError('build-failed', `The images cannot be built on ${member.host.name}: ${reason}`, {
    droplet: member.host.name,
    hint: `Check the Dockerfile, and that files: in ${configFile(settings)} includes everything that it copies.`,
  });
}
