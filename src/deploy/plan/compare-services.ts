/** Which images a release would bring, and whose containers compose would recreate. Pure. */
import type { PlannedFile, PlannedImage, PlannedService } from '../../rollout/plan.js';
import { repositoryOf } from '../core/image-reference.js';
import type { StoredRelease } from '../release/stored-release.js';
import type { ReadService } from './wanted.js';

export interface Compared {
  /** What runs; undefined: nothing that do-deploy has deployed. */
  current: StoredRelease | undefined;
  /** What is wanted, where its images are known: a release that droplets hold. */
  release: StoredRelease | undefined;
  /** The services before and after; undefined where only compose can read them. */
  before: ReadonlyMap<string, ReadService> | undefined;
  after: ReadonlyMap<string, ReadService> | undefined;
  files: readonly PlannedFile[];
  /** image → digest in its registry, as far as it is known. */
  digests: ReadonlyMap<string, string>;
  /** Why the digest of an image is not known. */
  unknown(image: string): string;
}

export function compareImages({ current, release, after, digests, unknown }: Compared): PlannedImage[] {
  const wanted = release
    ? Object.entries(release.images).map(([service, { reference, pinned }]) => ({ service, reference, to: pinned }))
    : [...(after ?? [])].flatMap(([service, { image }]) =>
        image === undefined ? [] : [{ service, reference: image, to: pinnedBy(image, digests.get(image)) }],
      );
  return wanted.map(({ service, reference, to }) => {
    const from = current?.images[service]?.pinned;
    return { service, reference, ...(from && { from }), ...(to ? { to } : { unknown: unknown(reference) }) };
  });
}

/** An image that is named by its digest says itself which one it is. */
function pinnedBy(image: string, digest: string | undefined): string | undefined {
  if (image.includes('@sha256:')) return image;
  return digest && `${repositoryOf(image)}@${digest}`;
}

export function isOtherImage({ from, to }: Pick<PlannedImage, 'from' | 'to'>): boolean {
  return from !== undefined && to !== undefined && digestOf(from) !== digestOf(to);
}

function digestOf(pinned: string): string {
  return pinned.replace(/^.*@/, '');
}

export function compareServices(compared: Compared, images: readonly PlannedImage[]): PlannedService[] {
  const { current, release, after, files } = compared;
  const names = release?.services.map(({ name }) => name) ?? (after && [...after.keys()]);
  const running = current?.services.map(({ name }) => name) ?? [];
  if (names === undefined) {
    const because = 'only compose on a droplet can read these compose files';
    return files.length === 0 ? [] : running.map((service) => ({ service, action: 'perhaps recreate', because }));
  }
  const changed = new Set(files.map(({ path }) => path));
  const services = names.flatMap((service): PlannedService[] => {
    if (!running.includes(service)) return [{ service, action: 'create', because: 'it is new' }];
    const image = images.find((one) => one.service === service);
    const certain = whyRecreated(service, compared, image, changed);
    if (certain !== undefined) return [{ service, action: 'recreate', because: certain }];
    const built = image === undefined && release === undefined;
    if (built && changed.size > 0)
      return [{ service, action: 'perhaps recreate', because: 'its image is built again' }];
    if (image?.unknown === undefined) return [];
    return [{ service, action: 'perhaps recreate', because: image.unknown }];
  });
  const gone = running.filter((service) => !names.includes(service));
  return [
    ...services,
    ...gone.map((service): PlannedService => ({ service, action: 'remove', because: 'no compose file has it' })),
  ];
}

function whyRecreated(
  service: string,
  { before, after }: Compared,
  image: PlannedImage | undefined,
  changed: ReadonlySet<string>,
): string | undefined {
  if (image !== undefined && isOtherImage(image)) return 'its image changes';
  const [old, now] = [before?.get(service), after?.get(service)];
  if (now === undefined) return undefined;
  if (old?.image !== undefined && old.image !== now.image && image?.to === undefined)
    return 'its image has another name';
  if (old !== undefined && old.definition !== now.definition) return 'its definition changes';
  const envFile = now.envFiles.find((path) => changed.has(path));
  if (envFile !== undefined) return `${envFile} changes`;
  return now.mountsRelease ? "it mounts files from the release's folder, which is a new one" : undefined;
}
