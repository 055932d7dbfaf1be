/** One-off containers of a release: what compose is run with. */
import { quote } from '../core/shell.js';
import { composeVariables } from './compose-run.js';
import type { ReleaseImages, StoredRelease } from './stored-release.js';

export interface OneOff {
  service: string;
  words: readonly string[];
}

/**
 * `docker compose run` as a subshell, in the app's folder: the paths of records are relative to it.
 * @param how.flags further ones, as the shell reads them
 * @param how.terminal the container has the terminal that compose runs in
 */
export function composeRun(
  release: StoredRelease,
  { service, words }: OneOff,
  { flags, labels, terminal = false }: { flags: string; labels: Readonly<Record<string, string>>; terminal?: boolean },
): string {
  const { app, id, composeFiles, envFiles, images } = release;
  const files = [...composeFiles, 'images.yml'].flatMap((file) => ['-f', file]);
  const envs = envFiles.flatMap((file) => ['--env-file', file]);
  const compose = ['docker', 'compose', '--project-name', app, ...files, ...envs, 'run', '--no-deps'];
  if (!terminal) compose.push('-T');
  const labelled = Object.entries(labels).flatMap(([name, value]) => ['--label', `${name}=${value}`]);
  const quoted = (list: readonly string[]) => list.map(quote).join(' ');
  const line = `${quoted([...compose, ...labelled])} ${flags} ${quoted([service, ...words])}`;
  const names = service in images ? [] : nameImages(images);
  return `(cd releases/${quote(id)} && export ${composeVariables(release)} && ${[...names, line].join(' && ')})`;
}

/** A service whose profile is off is not in images.yml: compose finds its image by the name that another service has as well. */
function nameImages(images: ReleaseImages): string[] {
  const named = Object.values(images).filter(({ reference }) => !reference.includes('@'));
  return [...new Map(named.map(({ reference, pinned }) => [reference, pinned]))].map(
    ([reference, pinned]) => `docker image tag ${quote(pinned)} ${quote(reference)}`,
  );
}
