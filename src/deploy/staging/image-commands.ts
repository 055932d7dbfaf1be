import type { RemoteCommand } from '../../ports.js';
import { command, quote, releaseFolder } from '../core/shell.js';
import { PARTIAL, variables } from '../release/compose-run.js';
import type { ReleaseDraft } from '../release/draft.js';
/**
 * Pulls the release's images and prints `docker image inspect` of them. With `pinned`, images.yml is written first and
 * exactly those digests are pulled. Exit code 77: the registry refused the login.
 */
export function pullCommand(
  draft: ReleaseDraft,
  images: readonly string[],
  options: { override?: string; unbuilt?: boolean; registry?: RegistryLogin; timeoutMs: number },
): RemoteCommand {
  const { registry, override, unbuilt } = options;
  return command(
    'pull',
    { app: draft.app, release: draft.id, images, pinned: override !== undefined },
    [
      'set -eu',
      `cd ${releaseFolder(draft.app, draft.id + PARTIAL)}`,
      override === undefined ? undefined : `printf '%s' ${quote(override)} >images.yml`,
      // Its progress would be taken for the answer.
      `${variables(draft, override !== undefined)} ${loginVariables(registry)}sh scripts/start-up.sh pull${unbuilt ? ' unbuilt' : ''} >&2`,
      inspectImages(images),
    ],
    { timeoutMs: options.timeoutMs, ...(registry && { stdin: `${registry.password}\n` }) },
  );
}

/** Builds the release's images and prints `docker image inspect` of them. Exit code 77: the registry refused the login. */
export function buildCommand(
  draft: ReleaseDraft,
  images: readonly string[],
  options: { registry?: RegistryLogin; timeoutMs: number },
): RemoteCommand {
  const { registry, timeoutMs } = options;
  return command(
    'build',
    { app: draft.app, release: draft.id, images },
    [
      'set -eu',
      `cd ${releaseFolder(draft.app, draft.id + PARTIAL)}`,
      `${variables(draft, false)} ${loginVariables(registry)}sh scripts/start-up.sh build >&2`,
      inspectImages(images),
    ],
    { timeoutMs, ...(registry && { stdin: `${registry.password}\n` }) },
  );
}

export interface RegistryLogin {
  server: string;
  username: string;
  password: string;
}

function loginVariables(registry: RegistryLogin | undefined): string {
  if (registry === undefined) return '';
  return `REGISTRY_SERVER=${quote(registry.server)} REGISTRY_USERNAME=${quote(registry.username)} `;
}

function inspectImages(images: readonly string[]): string {
  return images.length > 0 ? `docker image inspect ${images.map(quote).join(' ')}` : "echo '[]'";
}
