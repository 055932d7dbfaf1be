/** The images of a release on a droplet: pulled by digest, the same everywhere, or built there. */
import { z } from 'zod';
import type { Settings } from '../config/settings.js';
import { DeployError } from '../errors.js';
import { pullFailed } from './pull-failure.js';
import { imagesOverride, type ReleaseDraft, type ReleaseRecord } from './release.js';
import type { ComposeService } from './remote/compose-config.js';
import { buildCommand, pullCommand, type RegistryLogin } from './remote/release-commands.js';
import type { Site } from './site.js';

const PULL_WITHIN_MS = 15 * 60_000;
const BUILD_WITHIN_MS = 30 * 60_000;
/** Exit code of start-up.sh. */
const LOGIN_REFUSED = 77;

/** Pulls by the names in the compose files, and tells what they stand for just now. */
export async function pullByName(
  settings: Settings,
  draft: ReleaseDraft,
  site: Site,
  services: readonly ComposeService[],
): Promise<ReleaseRecord['images']> {
  const pulled = services.filter((service) => !service.built);
  const references = [...new Set(pulled.map((service) => service.image))];
  const unbuilt = pulled.length < services.length;
  const inspected = await pull(settings, draft, site, references, { unbuilt });
  const images: ReleaseRecord['images'] = {};
  for (const service of pulled) {
    const image = inspected[references.indexOf(service.image)];
    if (image === undefined) throw pullFailed(site, `${service.image} is not there after the pull`);
    images[service.name] = {
      reference: service.image,
      pinned: pinnedReference(service.image, image),
      imageId: image.Id,
    };
  }
  return images;
}

/** Whether a pull by name has brought what the first droplet has: a tag may have moved in between. */
export function areThose(pulled: ReleaseRecord['images'], record: ReleaseRecord): boolean {
  return Object.entries(record.images).every(
    ([service, image]) =>
      image.built || (pulled[service]?.imageId === image.imageId && pulled[service]?.pinned === image.pinned),
  );
}

/** Pulls exactly what the first droplet has. */
export async function pullPinned(
  settings: Settings,
  draft: ReleaseDraft,
  site: Site,
  record: ReleaseRecord,
): Promise<void> {
  const pulled = Object.fromEntries(Object.entries(record.images).filter(([, image]) => !image.built));
  const images = Object.values(pulled);
  const unbuilt = images.length < Object.keys(record.images).length;
  const inspected = await pull(
    settings,
    draft,
    site,
    images.map((image) => image.pinned),
    { unbuilt, override: imagesOverride(pulled) },
  );
  for (const [index, image] of images.entries()) {
    if (inspected[index]?.Id !== image.imageId) {
      throw pullFailed(site, `${image.reference} is not the same image as on the first droplet`);
    }
  }
}

const imageInspect = z.array(z.object({ Id: z.string(), RepoDigests: z.array(z.string()).nullish() }));
type InspectedImage = z.infer<typeof imageInspect>[number];

async function pull(
  settings: Settings,
  draft: ReleaseDraft,
  site: Site,
  images: string[],
  how: { unbuilt: boolean; override?: string },
): Promise<InspectedImage[]> {
  const login = loginOf(settings);
  const command = pullCommand(draft, images, { ...how, timeoutMs: PULL_WITHIN_MS, ...(login && { registry: login }) });
  const { code, stdout, stderr } = await site.connection.run(command);
  refuseLogin(settings, site, code, stderr);
  if (code !== 0) throw pullFailed(site, lastLine(stderr), settings.registry);
  return imageInspect.parse(JSON.parse(stdout));
}

/** Builds on the droplet what has a build context there. Throws DeployError build-failed: the old containers run on. */
export async function buildImages(
  settings: Settings,
  draft: ReleaseDraft,
  site: Site,
  services: readonly ComposeService[],
): Promise<ReleaseRecord['images']> {
  const built = services.filter((service) => service.built);
  const login = loginOf(settings);
  const names = built.map((service) => service.image);
  const command = buildCommand(draft, names, { timeoutMs: BUILD_WITHIN_MS, ...(login && { registry: login }) });
  const { code, stdout, stderr } = await site.connection.run(command);
  refuseLogin(settings, site, code, stderr);
  if (code !== 0) throw buildFailed(site, lastLine(stderr));
  const inspected = imageInspect.parse(JSON.parse(stdout));
  return Object.fromEntries(
    built.map(({ name, image }, index) => {
      const id = inspected[index]?.Id;
      if (id === undefined) throw buildFailed(site, `${image} is not there after the build`);
      return [name, { reference: image, pinned: id, imageId: id, built: true }];
    }),
  );
}

function loginOf({ registry }: Settings): RegistryLogin | undefined {
  return registry && { server: registry.server, username: registry.username, password: registry.password.reveal() };
}

function refuseLogin({ registry }: Settings, site: Site, code: number, stderr: string): void {
  if (code === LOGIN_REFUSED) {
    throw new DeployError(
      'registry-login',
      `The registry ${registry?.server} refused the login as ${registry?.username}: ${lastLine(stderr)}`,
      {
        source: 'user',
        droplet: site.host.name,
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

function buildFailed(site: Site, reason: string): DeployError {
  return new DeployError('build-failed', `The images cannot be built on ${site.host.name}: ${reason}`, {
    droplet: site.host.name,
    hint: 'Check the Dockerfile, and that everything it copies is among files: in config/deploy.yml.',
  });
}

/** What went wrong, out of many lines. */
export function lastLine(text: string): string {
  const lines = wordedLines(text);
  return (
    lines.findLast((line) => /error|denied|not found|unauthorized|manifest|no space/i.test(line)) ??
    lines.at(-1) ??
    'no reason given'
  );
}

/** What compose says of its files: the cause first, on several lines; its warnings only where there is nothing else. */
export function firstLines(text: string): string {
  const lines = wordedLines(text);
  const telling = lines.filter((line) => !/\blevel=(warning|info|debug)\b/.test(line));
  return (telling.length > 0 ? telling : lines).slice(0, 3).join(' ') || 'no reason given';
}

/** Without those that only draw: a caret below a word, a closing bracket. */
function wordedLines(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => /\p{L}/u.test(line));
}
