/**
 * Reads on a droplet what a pull has to bring: the manifests of the images, from their registries, and the layers that the
 * droplet has. Docker's API does not tell which compressed layers it has, so they are read from its files:
 *  - Docker's own image store: image/DRIVER/distribution/diffid-by-digest, from the digest of a compressed layer to that of
 *    the layer, and image/DRIVER/layerdb, the layers that are there (tried on Docker 20.10).
 *  - containerd's: the blobs in its content store (tried on Docker 26.1). Docker runs a containerd of its own, or uses the
 *    system's, in /var/lib/containerd; a folder may be left over from the other one.
 * Both are readable for root only.
 */
import { z } from 'zod';
import type { RemoteCommand } from '../../ports.js';
import { BEGIN_SECTIONS, beginSection, readSections } from '../core/sections.js';
import { command, quote, releaseFolder } from '../core/shell.js';
import { type ComposeRun, PARTIAL, variables } from '../release/compose-run.js';
import type { ReleaseDraft } from '../release/draft.js';
import { MACHINES } from './check-architecture.js';
import { loginInput, loginVariables, type RegistryLogin } from './registry-login.js';

/** Of each, 300 KB are read; together they stay below the limit of a command's output. */
const MAX_IMAGES = 12;

/** The registry has 5 s to answer, besides the login. */
const WITHIN_MS = 20_000;

export interface Room {
  freeBytes: number;
  /** Of the layers that the images have and the droplet has not, compressed. */
  missingBytes: number;
}

/** Undefined if there is nothing to ask. Asks from the folder in which the release is staged. */
export function roomCommand(
  draft: Pick<ReleaseDraft, 'id'> & ComposeRun,
  images: readonly string[],
  registry: RegistryLogin | undefined,
): RemoteCommand | undefined {
  return manifestsCommand(draft, draft.id + PARTIAL, images, registry);
}

/** The images that a registry is asked about: those of `images` that `readRoom` and `readDigests` know something of. */
export function askedImages(images: readonly string[]): string[] {
  return images.filter((image) => !isOnDockerHub(image)).slice(0, MAX_IMAGES);
}

/**
 * Leaves nothing behind: start-up.sh removes the folder of its login.
 * @param folder of a release whose start-up.sh asks
 */
export function manifestsCommand(
  run: ComposeRun,
  folder: string,
  images: readonly string[],
  registry: RegistryLogin | undefined,
): RemoteCommand | undefined {
  const asked = askedImages(images);
  if (asked.length === 0) return undefined;
  return command(
    'room',
    { app: run.app, release: folder.replace(PARTIAL, ''), images: asked },
    [
      'set -u',
      `cd ${releaseFolder(run.app, folder)} || exit 0`,
      // A script of the project's own, or of an older version of do-deploy, may not know the verb.
      "grep -q '^  manifests)' scripts/start-up.sh || exit 0",
      ...FIND_LAYERS,
      ...BEGIN_SECTIONS,
      beginSection('machine'),
      `printf '%s\\n' "$info" | sed -n 3p`,
      beginSection('found'),
      `printf '%s\\n' "$found"`,
      ...BEGIN_MANIFESTS,
      `${variables(run, false)} ${loginVariables(registry)}sh scripts/start-up.sh manifests ${asked.map(quote).join(' ')} 2>/dev/null`,
      'exit 0',
    ],
    { timeoutMs: WITHIN_MS, stdin: loginInput(registry), reads: true },
  );
}

/** Before what start-up.sh prints. The first of its lines may be empty, and a section has no empty lines at its beginning. */
export const BEGIN_MANIFESTS: readonly string[] = [beginSection('manifests'), 'echo manifests:'];

/** The lines of start-up.sh, one for each image that was asked about; empty ones at the end are missing. */
function manifestsIn(sections: ReadonlyMap<string, string>): string[] {
  return (sections.get('manifests') ?? '').split('\n').slice(1);
}

/** Prints Docker's folder, its storage driver, its processor and the state of the driver, which names the image store. */
export const DOCKER_INFO =
  "docker info --format '{{println .DockerRootDir}}{{println .Driver}}{{println .Architecture}}{{.DriverStatus}}'";

/**
 * Lines that set `found` to lines of `df`, and the digest of each compressed layer that is there, without `sha256:`; and
 * `info`, whose third line is what `uname -m` prints. They exit where that cannot be read.
 */
export const FIND_LAYERS: readonly string[] = [
  `in_docker=${quote(
    [
      'df -Pk "$1" | tail -n 1',
      'cd "$1/image/$2" && [ -d layerdb ] || exit 1',
      '{ find layerdb/sha256 -name diff -exec grep -h . {} +; grep -rsH . distribution/diffid-by-digest/sha256; } |',
      `  awk -F: 'NF == 2 { here[$2] } NF == 3 && ($3 in here) { sub(".*/", "", $1); print $1 }'`,
    ].join('\n'),
  )}`,
  `in_containerd=${quote(
    [
      'blobs=io.containerd.content.v1.content/blobs/sha256',
      'code=1',
      'for home in "$1/containerd/daemon" /var/lib/containerd; do',
      '  if [ -d "$home/io.containerd.metadata.v1.bolt" ]; then code=0; df -Pk "$home" | tail -n 1; ls "$home/$blobs"; fi',
      'done',
      'exit $code',
    ].join('\n'),
  )}`,
  'if [ "$(id -u)" = 0 ]; then as_root=; else as_root="sudo -n"; fi',
  `info=$(${DOCKER_INFO}) || exit 0`,
  `root=$(printf '%s\\n' "$info" | sed -n 1p)`,
  `driver=$(printf '%s\\n' "$info" | sed -n 2p)`,
  'case $info in',
  '  *io.containerd.snapshotter*) list=$in_containerd ;;',
  '  *) list=$in_docker ;;',
  'esac',
  'found=$($as_root sh -c "$list" sh "$root" "$driver" 2>/dev/null) || exit 0',
];

/**
 * Docker Hub counts each manifest as a pull (https://docs.docker.com/docker-hub/usage/pulls/), and `docker manifest inspect`
 * fetches those of all platforms: asking would use up what the pull needs.
 */
function isOnDockerHub(image: string): boolean {
  const [first = '', ...rest] = image.split('/');
  return rest.length === 0 || !/[.:]|^localhost$/.test(first) || /^(.+\.)?docker\.io$/.test(first);
}

/** No layer has a terabyte: what claims that is not believed. */
const layer = z.object({ digest: z.string().regex(/^sha256:[0-9a-f]{64}$/), size: z.int().nonnegative().max(1e12) });

const layers = z.object({ layers: z.array(layer).max(500) });

const manifest = z.object({
  Descriptor: z.object({
    digest: z
      .string()
      .regex(/^sha256:[0-9a-f]{64}$/)
      .optional(),
    platform: z.object({ os: z.string(), architecture: z.string() }).nullish(),
  }),
  SchemaV2Manifest: layers.nullish(),
  OCIManifest: layers.nullish(),
});

/** Of an image, or of each platform in a list. Format: Docker's `manifest inspect --verbose`, 20.10 to 29. */
const answer = z.union([manifest, z.array(manifest).max(200)]);

type Layer = z.infer<typeof layer>;

/**
 * Undefined if what the droplet has, or every size, is unknown. An image whose sizes are unknown counts as nothing, and so
 * does a list without the droplet's platform.
 */
export function readRoom(stdout: string): Room | undefined {
  const sections = readSections(stdout);
  const found = (sections.get('found') ?? '').split('\n');
  const free = found.flatMap(freeBytes);
  const here = new Set(found);
  const needed = manifestsIn(sections).map((line) => layersFor(line, sections.get('machine')));
  const missing = new Map<string, number>();
  for (const { digest, size } of needed.flatMap((known) => known ?? [])) {
    if (!here.has(digest.slice('sha256:'.length))) missing.set(digest, Math.min(size, missing.get(digest) ?? size));
  }
  if (free.length === 0 || needed.every((known) => known === undefined)) return undefined;
  const missingBytes = [...missing.values()].reduce((sum, size) => sum + size, 0);
  // Of two folders of containerd, only one is in use: with the larger room, no pull is refused that fits.
  return { freeBytes: Math.max(...free), missingBytes };
}

/**
 * By image: what its name stands for in the registry at the moment. Missing where that is not known, as of a list of several
 * platforms: Docker shows the digest of each of them, and pins that of the list.
 */
export function readDigests(stdout: string, images: readonly string[]): Map<string, string> {
  const lines = manifestsIn(readSections(stdout));
  return new Map(
    askedImages(images).flatMap((image, index) => {
      const read = parse(lines[index] ?? '');
      const digest = Array.isArray(read) ? undefined : read?.Descriptor.digest;
      return digest === undefined ? [] : [[image, digest] as const];
    }),
  );
}

/**
 * By image: the processors that it is built for, as Go names them; empty where that is not said, undefined where the registry
 * does not show the image.
 */
export function readArchitectures(stdout: string, images: readonly string[]): Map<string, string[] | undefined> {
  const lines = manifestsIn(readSections(stdout));
  return new Map(
    askedImages(images).map((image, index) => {
      const read = parse(lines[index] ?? '');
      const variants = read === undefined ? undefined : [read].flat();
      return [image, variants?.flatMap(({ Descriptor: { platform } }) => platform?.architecture ?? [])];
    }),
  );
}

/** Of a line of `df -Pk`. */
function freeBytes(line: string): number[] {
  const [, kilobytes] = /^\S+ +\d+ +\d+ +(\d{1,12}) +\d+% /.exec(line) ?? [];
  return kilobytes === undefined ? [] : [Number(kilobytes) * 1024];
}

/** The layers of the image in a line of `start-up.sh manifests`, for the droplet's platform. */
function layersFor(line: string, machine = ''): Layer[] | undefined {
  const read = parse(line);
  const own = Array.isArray(read) ? read.filter((one) => isFor(one, MACHINES[machine])) : [read];
  const variants = own.flatMap((one) => {
    const known = one?.SchemaV2Manifest ?? one?.OCIManifest;
    return known ? [known.layers] : [];
  });
  // Of several variants of the processor, Docker may pull the smallest.
  return variants.sort((one, other) => bytesOf(one) - bytesOf(other))[0];
}

function isFor({ Descriptor: { platform } }: z.infer<typeof manifest>, architecture: string | undefined): boolean {
  return platform?.os === 'linux' && platform.architecture === architecture;
}

function bytesOf(list: readonly Pick<Layer, 'size'>[]): number {
  return list.reduce((sum, { size }) => sum + size, 0);
}

function parse(line: string): z.infer<typeof answer> | undefined {
  try {
    return answer.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}
