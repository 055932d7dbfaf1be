/** Commands that put a release on a droplet, start it and confirm it. Pure builders; secrets only by standard input. */

import type { RemoteCommand } from '../../ports.js';
import { appFolder, command, quote, SECOND } from '../core/shell.js';
import { type ComposeRun, PARTIAL } from '../release/compose-run.js';
import type { ReleaseDraft, ReleaseFile } from '../release/draft.js';
import type { StoredRelease } from '../release/stored-release.js';
export function incomingPath(app: string, id: string): string {
  return `~/do-deploy/${app}/incoming-${id}.tgz`;
}

function composeConfig(run: ComposeRun): string {
  const files = run.composeFiles.map((file) => `-f ${quote(file)}`);
  const envFiles = run.envFiles.map((file) => `--env-file ${quote(file)}`);
  const exported = `DEPLOY_ENV=${quote(run.environment)} IMAGE_TAG=${quote(run.imageTag)}`;
  return `${exported} docker compose --project-name ${quote(run.app)} ${[...files, ...envFiles].join(' ')} config --format json`;
}

/**
 * Unpacks the uploaded archive beside the other releases, verifies by SHA-256 what came in it, copies what did not change
 * from `base`, whose hashes the survey has taken, and prints `docker compose config` (which holds secrets: it is read and
 * never shown). compose takes as long as all the rest; so it reads meanwhile, where files are still missing by links.
 */
export function unpackCommand(
  draft: ReleaseDraft,
  base: string | undefined,
  reused: readonly ReleaseFile[],
): RemoteCommand {
  const { app, id } = draft;
  const incoming = `incoming-${id}.tgz`;
  const chmods = [0o600, 0o755].flatMap((mode) => {
    const paths = reused.filter((file) => file.mode === mode).map((file) => quote(file.path));
    return paths.length > 0 ? [`chmod ${mode.toString(8)} ${paths.join(' ')}`] : [];
  });
  return command(
    'unpack',
    { app, release: id, base },
    [
      'set -eu',
      'umask 022',
      `cd ${appFolder(app)}`,
      `part=$PWD/releases/${quote(id + PARTIAL)}`,
      `base=$PWD/releases/${quote(base ?? id)}`,
      'rm -rf "$part"',
      // Not in the middle of another app's clean-up: from here on it sees that images are being brought here.
      'flock "$HOME"/do-deploy/images.lock mkdir -p "$part"',
      // After a dropped connection the command is run again: the archive stays until all is well.
      `tar --no-same-owner -xpzf ${quote(incoming)} -C "$part"`,
      'complete() (',
      ...COPY_REUSED,
      '  cd "$part"',
      ...chmods.map((line) => `  ${line}`),
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
      `${composeConfig(draft)} || { code=$?; wait; exit $code; }`,
      'wait $completed',
      'cd "$part"',
      'rm -rf .view .sent .reuse',
      `rm -f ../../${quote(incoming)}`,
    ],
    { timeoutMs: 120 * SECOND },
  );
}

/**
 * Copies, where the file system can by sharing blocks: links would let an edit of one release change the other. Where cp
 * or xargs are not GNU's, tar does it.
 */
const COPY_REUSED = [
  '  if [ -s "$part/.reuse" ]; then',
  `    (cd "$base" && xargs -d '\n' cp -p --parents --reflink=auto -t "$part" -- <"$part/.reuse") 2>/dev/null ||`,
  '      tar -cf - -C "$base" -T "$part/.reuse" | tar --no-same-owner -xpf - -C "$part"',
  '  fi',
];

/** The whole release by hard links, for reading; fails where cp or xargs are not GNU's. */
const LINK_VIEW = [
  'view() {',
  '  mkdir "$part/.view" &&',
  `    (cd "$base" && xargs -d '\n' cp -l --parents -t "$part/.view" -- <"$part/.reuse") 2>/dev/null &&`,
  `    (cd "$part" && cut -c 67- .sent | xargs -r -d '\n' cp -l --parents -t "$part/.view" --) 2>/dev/null`,
  '}',
];

/**
 * Makes the staged folder a release, under `record.id`. When that one is there already the staged one goes, after a file
 * that somebody has edited or removed was replaced from it.
 * @param renew also writes the record of a release that is there already
 */
export function sealCommand(
  draft: ReleaseDraft,
  record: StoredRelease,
  override: string,
  renew = false,
): RemoteCommand {
  const write = (folder: string) => `printf '%s\\n' ${quote(JSON.stringify(record))} >${folder}/release.json`;
  const part = quote(draft.id + PARTIAL);
  const final = quote(record.id);
  return command('seal', { app: draft.app, staged: draft.id, release: record.id }, [
    'set -eu',
    `cd ${appFolder(draft.app)}/releases`,
    `printf '%s' ${quote(override)} >${part}/images.yml`,
    `if [ -f ${final}/release.json ]; then`,
    `  if ! { cmp -s ${part}/SHA256SUMS ${final}/SHA256SUMS && cmp -s ${part}/images.yml ${final}/images.yml && (cd ${final} && sha256sum -c SHA256SUMS >/dev/null 2>&1); }; then`,
    // One by one: a folder that is mounted into a running container stays the same one.
    `    (cd ${part} && find . -type f) | while read -r file; do`,
    `      if cmp -s ${part}/"$file" ${final}/"$file"; then continue; fi`,
    `      mkdir -p "$(dirname ${final}/"$file")"`,
    `      mv -f ${part}/"$file" ${final}/"$file"`,
    '    done',
    '  fi',
    renew ? `  ${write(part)}\n  mv -f ${part}/release.json ${final}/release.json` : undefined,
    `  rm -rf ${part}`,
    '  exit 0',
    'fi',
    write(part),
    `mv ${part} ${final}`,
  ]);
}

/** Removes what a run staged and will not use. */
export function discardCommand(app: string, id: string): RemoteCommand {
  return command('discard', { app, release: id }, [
    `cd ${appFolder(app)} && rm -rf releases/${quote(id + PARTIAL)} incoming-${quote(id)}.tgz`,
  ]);
}
