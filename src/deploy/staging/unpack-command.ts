import type { RemoteCommand } from '../../ports.js';
import { appFolder, command, quote, SECOND } from '../core/shell.js';
import { type ComposeRun, composeVariables, PARTIAL } from '../release/compose-run.js';
import type { ReleaseDraft, ReleaseFile } from '../release/draft.js';

/** Where the archive is uploaded to. */
export function incomingPath(app: string, id: string): string {
  return `~/do-deploy/${app}/incoming-${id}.tgz`;
}

/**
 * Unpacks the uploaded archive beside the other releases, verifies its files by SHA-256, copies unchanged files from the
 * release `base`, whose hashes come from the survey, and prints `docker compose config`, which holds secrets and is never
 * shown. Exit code 76: a file of `shared:` is missing there; its path is on standard error. compose takes as long as
 * everything else, so it runs simultaneously, on hard links where files are not copied yet.
 * @param declared names of variables whose values compose is to print too: see `readDeclared`
 */
export function unpackCommand(
  draft: ReleaseDraft,
  base: string | undefined,
  reused: readonly ReleaseFile[],
  declared: readonly string[] = [],
): RemoteCommand {
  const { app, id, shared = [] } = draft;
  const incoming = `incoming-${id}.tgz`;
  const modes = new Set(reused.map(({ mode }) => mode.toString(8)));
  return command(
    'unpack',
    { app, release: id, base },
    [
      'set -eu',
      'umask 022',
      `cd ${appFolder(app)}`,
      ...provideShared(shared),
      `part=$PWD/releases/${quote(id + PARTIAL)}`,
      `base=$PWD/releases/${quote(base ?? id)}`,
      'rm -rf "$part"',
      // Waits for another app's prune to end; from here on, prune sees the folder and keeps all images.
      'flock "$HOME"/do-deploy/images.lock mkdir -p "$part"',
      // After a dropped connection the command runs again, so the archive stays until everything has succeeded.
      `tar --no-same-owner -xpzf ${quote(incoming)} -C "$part"`,
      'complete() (',
      ...COPY_REUSED,
      '  cd "$part"',
      ...[...modes].map((mode) => `  sed -n 's/^${mode} //p' .modes | tr '\\n' '\\0' | xargs -0 chmod ${mode} --`),
      '  if [ -s .sent ]; then sha256sum -c .sent >/dev/null; fi',
      ')',
      ...LINK_VIEW,
      'if ! [ -s "$part/.reuse" ]; then',
      '  complete & cd "$part"',
      'elif view; then',
      '  complete & cd "$part/.view"',
      'else',
      '  complete',
      '  : & cd "$part"',
      'fi',
      'completed=$!',
      ...linkShared(shared),
      declared.length === 0 ? undefined : `printf '%s\\n' ${quote(askFor(declared))} >${ASKED}`,
      `${composeConfig(draft, declared.length > 0)} || { code=$?; wait; exit $code; }`,
      'wait $completed',
      'cd "$part"',
      `rm -rf .view .sent .reuse .modes ${ASKED}`,
      `rm -f ../../${quote(incoming)}`,
    ],
    { timeoutMs: 120 * SECOND },
  );
}

/** Exit code when a droplet lacks a file of `shared:`; its path is on standard error. */
export const NOT_SHARED = 76;

/** Lines that create the folders that all releases share, for every user to read. Files are the user's to put there. */
function provideShared(paths: readonly string[]): string[] {
  return paths.map((path) => {
    const place = quote(`shared/${path}`);
    if (path.endsWith('/')) return `mkdir -p ${place}`;
    const folder = quote(`shared/${path}`.replace(/[^/]*$/, ''));
    return `[ -f ${place} ] || { mkdir -p ${folder}; echo ${quote(path)} >&2; exit ${NOT_SHARED}; }`;
  });
}

/** Lines that link them into the release, and into the folder in which compose reads it. */
export function linkShared(paths: readonly string[]): string[] {
  return paths.map((path) => {
    const link = path.replace(/\/$/, '');
    const folder = link.includes('/') ? `/${quote(link.replace(/\/[^/]*$/, ''))}` : '';
    const target = `"$part"/../../shared/${quote(link)}`;
    return `for to in "$part" "$PWD"; do mkdir -p "$to"${folder} && ln -sfn "$(realpath ${target})" "$to"/${quote(link)}; done`;
  });
}

/**
 * Copies, sharing blocks on file systems that can. Not hard links: an edit of one release would change the other. Uses
 * tar where cp or xargs are not GNU's.
 */
const COPY_REUSED = [
  '  if [ -s "$part/.reuse" ]; then',
  `    (cd "$base" && xargs -d '\n' cp -p --parents --reflink=auto -t "$part" -- <"$part/.reuse") 2>/dev/null ||`,
  `      sed 's|^|./|' "$part/.reuse" | tar -cf - -C "$base" -T - | tar --no-same-owner -xpf - -C "$part"`,
  '  fi',
];

/** Links the whole release into .view, for reading. Fails where cp or xargs are not GNU's. */
const LINK_VIEW = [
  'view() {',
  '  mkdir "$part/.view" &&',
  `    (cd "$base" && xargs -d '\n' cp -l --parents -t "$part/.view" -- <"$part/.reuse") 2>/dev/null &&`,
  `    (cd "$part" && cut -c 67- .sent | xargs -r -d '\n' cp -l --parents -t "$part/.view" --) 2>/dev/null`,
  '}',
];

/** A compose file that holds nothing but the variables: compose prints what it puts in their places. */
export const ASKED = '.declared.yml';

/** An extension, which compose interpolates and passes through. */
export const DECLARED = 'x-do-deploy-variables';

export function askFor(names: readonly string[]): string {
  return JSON.stringify({ [DECLARED]: Object.fromEntries(names.map((name) => [name, `\${${name}-}`])) });
}

/** Prints the project as compose reads it. @param asks also the variables, of which `askFor` has written a file */
export function composeConfig(run: ComposeRun, asks: boolean): string {
  const files = [...run.composeFiles, ...(asks ? [ASKED] : [])].map((file) => `-f ${quote(file)}`);
  const envFiles = run.envFiles.map((file) => `--env-file ${quote(file)}`);
  return `${composeVariables(run)} docker compose --project-name ${quote(run.app)} ${[...files, ...envFiles].join(' ')} config --format json`;
}
