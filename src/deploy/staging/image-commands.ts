import type { RemoteCommand } from '../../ports.js';
import { repositoryOf } from '../core/image-reference.js';
import { command, quote, releaseFolder } from '../core/shell.js';
import { PARTIAL, variables } from '../release/compose-run.js';
import type { ReleaseDraft } from '../release/draft.js';
import { loginInput, loginVariables, type RegistryLogin } from './registry-login.js';

/**
 * Pulls the release's images and prints `docker image inspect` of them. Exit code 77: the registry refused the login.
 * @param options.override written to images.yml first: exactly the images that it pins are pulled
 * @param options.unbuilt pulls only services without a build context
 */
export function pullCommand(
  draft: ReleaseDraft,
  images: readonly string[],
  options: { override?: string; unbuilt?: boolean; registry?: RegistryLogin; timeoutMs: number },
): RemoteCommand {
  const { registry, override, unbuilt, timeoutMs } = options;
  const pinned = override !== undefined;
  return command(
    'pull',
    { app: draft.app, release: draft.id, images, pinned },
    [
      'set -eu',
      `cd ${releaseFolder(draft.app, draft.id + PARTIAL)}`,
      pinned ? `printf '%s' ${quote(override)} >images.yml` : undefined,
      'here=$(docker image ls --quiet --no-trunc)',
      'code=0',
      // Standard output is for the inspected images only.
      `${variables(draft, pinned)} ${loginVariables(registry)}sh scripts/start-up.sh pull${unbuilt ? ' unbuilt' : ''} >&2 || code=$?`,
      ...keepPulled(images),
      ...keepImages(images),
    ],
    { timeoutMs, stdin: loginInput(registry) },
  );
}

/** Builds the release's images and prints `docker image inspect` of them. Exit code 77: the registry refused the login. */
export function buildCommand(
  draft: ReleaseDraft,
  images: readonly string[],
  { registry, timeoutMs }: { registry?: RegistryLogin; timeoutMs: number },
): RemoteCommand {
  return command(
    'build',
    { app: draft.app, release: draft.id, images },
    [
      'set -eu',
      `cd ${releaseFolder(draft.app, draft.id + PARTIAL)}`,
      `${variables(draft, false)} ${loginVariables(registry)}sh scripts/start-up.sh build >&2`,
      ...keepImages(images),
    ],
    { timeoutMs, stdin: loginInput(registry) },
  );
}

/**
 * Gives each image a name of its own, and prints `docker image inspect` of them. Another name may move to another image:
 * containerd's store then removes this one at once, and `docker image prune` does so with any store.
 */
function keepImages(images: readonly string[]): string[] {
  if (images.length === 0) return ["echo '[]'"];
  return [
    'keep() {',
    `  id=$(docker image inspect --format '{{.Id}}' "$1")`,
    `  ${NAME_IT}`,
    '}',
    ...images.map((one) => `keep ${withName(one)}`),
    `docker image inspect ${images.map(quote).join(' ')}`,
  ];
}

/** After a failed pull, names what it has brought nevertheless, so that a later deploy removes it; then exits. */
function keepPulled(images: readonly string[]): string[] {
  return [
    'if [ $code -ne 0 ]; then',
    '  keep_new() {',
    `    id=$(docker image inspect --format '{{.Id}}' "$1" 2>/dev/null) || return 0`,
    `    case $here in *"$id"*) ;; *) ${NAME_IT} ;; esac`,
    '  }',
    ...images.map((one) => `  keep_new ${withName(one)}`),
    '  exit $code',
    'fi',
  ];
}

/** The name ends with the first 12 digits of the image's id. */
const NAME_IT = 'docker image tag "$id" "$2-$(echo "$id" | cut -c 8-19)"';

/** In the image's repository: by a name in another one, containerd's store does not find REPOSITORY@DIGEST. */
function withName(image: string): string {
  return `${quote(image)} ${quote(`${repositoryOf(image)}:do-deploy`)}`;
}
