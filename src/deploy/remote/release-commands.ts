/** Commands that put a release on a droplet, start it and confirm it. Pure builders; secrets only by standard input. */
import type { RemoteCommand } from '../../ports.js';
import type { ReleaseDraft, ReleaseFile, ReleaseRecord } from '../release.js';
import { appFolder, command, quote, releaseFolder, SECOND } from './command.js';
import { asHolder } from './lease-command.js';
import type { DropletStateFile, OutRecord } from './survey.js';

/** While it is staged a release's folder has this ending: never mistaken for a whole one. */
const PARTIAL = '.partial';

export function incomingPath(app: string, id: string): string {
  return `~/do-deploy/${app}/incoming-${id}.tgz`;
}

/** What start-up.sh and compose need to know; the only variables that are set for them. */
export interface ComposeRun {
  app: string;
  environment: string;
  imageTag: string;
  composeFiles: readonly string[];
  envFiles: readonly string[];
}

function variables(run: ComposeRun, pinned: boolean): string {
  const files = pinned ? [...run.composeFiles, 'images.yml'] : run.composeFiles;
  return [
    `APP=${quote(run.app)}`,
    `DEPLOY_ENV=${quote(run.environment)}`,
    `IMAGE_TAG=${quote(run.imageTag)}`,
    `COMPOSE_FILES=${quote(files.join(' '))}`,
    `ENV_FILES=${quote(run.envFiles.join(' '))}`,
  ].join(' ');
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
    { app, release: id, ...(base !== undefined && { base }) },
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

/** Runs the release's own script in its folder: by its first line when it is executable, else by sh. */
export function prepareCommand(draft: ReleaseDraft, script: string, timeoutMs: number): RemoteCommand {
  const variables = { APP: draft.app, DEPLOY_ENV: draft.environment, IMAGE_TAG: draft.imageTag };
  return command(
    'prepare',
    { app: draft.app, release: draft.id, script },
    [
      'set -eu',
      `cd ${releaseFolder(draft.app, draft.id + PARTIAL)}`,
      `export ${Object.entries(variables)
        .map(([name, value]) => `${name}=${quote(value)}`)
        .join(' ')}`,
      `if [ -x ${quote(script)} ]; then exec ${quote(`./${script}`)} </dev/null; else exec sh ${quote(script)} </dev/null; fi`,
    ],
    // A script that is still running must not be started once more.
    { timeoutMs, repeatable: false },
  );
}

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

/**
 * Makes the staged folder a release, under `record.id`. When that one is there already the staged one goes, after a file
 * that somebody has edited or removed was replaced from it.
 */
export function sealCommand(draft: ReleaseDraft, record: ReleaseRecord, override: string): RemoteCommand {
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
    `  rm -rf ${part}`,
    '  exit 0',
    'fi',
    `printf '%s\\n' ${quote(JSON.stringify(record))} >${part}/release.json`,
    `mv ${part} ${final}`,
  ]);
}

/** Bytes of an archive that are read with one command: in base64 they stay below what a command's answer may hold. */
export const ARCHIVE_PART_BYTES = 2 * 1024 * 1024;

/**
 * Prints a part of the archive of a release's files, in base64; '' past its end. Secrets in them stay in memory on the
 * way. The archive is made anew each time, and is the same as long as the files are.
 */
export function fetchCommand(app: string, release: string, part: number): RemoteCommand {
  const first = part * ARCHIVE_PART_BYTES + 1;
  return command(
    'fetch',
    { app, release, part },
    [
      'set -eu',
      `cd ${releaseFolder(app, release)}`,
      `sed 's/^[0-9a-f]* [ *]//' SHA256SUMS | tar -cf - -T - | gzip -1n | tail -c +${first} | head -c ${ARCHIVE_PART_BYTES} | base64`,
    ],
    { timeoutMs: 120 * SECOND },
  );
}

/** Removes what a run staged and will not use. */
export function discardCommand(app: string, id: string): RemoteCommand {
  return command('discard', { app, release: id }, [
    `cd ${appFolder(app)} && rm -rf releases/${quote(id + PARTIAL)} incoming-${quote(id)}.tgz`,
  ]);
}

/** Writes state.json, then starts the release's containers; with `again`, also those that run as it wants them. */
export function switchCommand(
  record: ReleaseRecord,
  state: DropletStateFile,
  options: { again: boolean; timeoutMs: number },
): RemoteCommand {
  const verb = options.again ? 'up again' : 'up';
  return command(
    'switch',
    { app: record.app, release: record.id, state, again: options.again },
    [
      'set -eu',
      `cd ${appFolder(record.app)}`,
      // A run that died, or a lost connection, may have left the same command at work here: two would get in each
      // other's way, so this one waits for its end. compose inherits the descriptor, and with it the lock.
      'exec 8>>switch.lock',
      'flock 8',
      asHolder(record.app, state.run),
      ...writeFile('state.json', state),
      `${variables(record, true)} sh releases/${quote(record.id)}/scripts/start-up.sh ${verb} 2>&1`,
    ],
    { timeoutMs: options.timeoutMs },
  );
}

/** The gates have passed: `current` points to the release, and the droplet counts as verified. */
export function confirmCommand(app: string, state: DropletStateFile): RemoteCommand {
  return command('confirm', { app, release: state.release, state }, [
    'set -eu',
    `cd ${appFolder(app)}`,
    asHolder(app, state.run),
    // A rename replaces the link at once; where mv lacks -T the link is replaced in two moves.
    `ln -sfn releases/${quote(state.release)} current.new`,
    'mv -Tf current.new current 2>/dev/null || { rm -f current; mv current.new current; }',
    ...writeFile('state.json', state),
    'rm -f out.json',
  ]);
}

export function markOutCommand(app: string, out: OutRecord): RemoteCommand {
  return command('mark-out', { app, out }, [
    'set -eu',
    'umask 077',
    `mkdir -p ${appFolder(app)}`,
    `cd ${appFolder(app)}`,
    asHolder(app, out.run),
    ...writeFile('out.json', out),
  ]);
}

export function clearMarkCommand(app: string, run: string): RemoteCommand {
  return command('clear-mark', { app, run }, [asHolder(app, run), `rm -f ${appFolder(app)}/out.json`]);
}

/** Exit code of start-up.sh prune where another deploy is pulling. */
export const PULLING = 75;

/**
 * Writes the history line, and removes releases and images that are kept no longer. Failures here fail nothing.
 * Exit code 75: another app's deploy is bringing images to the droplet, so nothing was removed.
 */
export function finishCommand(
  record: ReleaseRecord,
  run: string,
  historyLine: string,
  remove: { releases: string[]; images: string[] },
): RemoteCommand {
  const prune = [...remove.releases, ...remove.images].map(quote).join(' ');
  return command(
    'finish',
    { app: record.app, run, release: record.id, remove },
    [
      'set -eu',
      `cd ${appFolder(record.app)}`,
      asHolder(record.app, run),
      `printf '%s\\n' ${quote(historyLine)} >>history.jsonl`,
      // Left behind by runs that died while staging, at least a day ago.
      "find . releases -maxdepth 1 \\( -name 'incoming-*.tgz' -o -name '*.partial' \\) -mtime +0 -exec rm -rf {} + 2>/dev/null || :",
      prune
        ? `${variables(record, true)} sh releases/${quote(record.id)}/scripts/start-up.sh prune ${prune}`
        : undefined,
    ],
    { timeoutMs: 120 * SECOND, repeatable: false },
  );
}

/** Writes the history line of a run that has rolled nothing, where the app is deployed already. */
export function noteCommand(app: string, run: string, historyLine: string): RemoteCommand {
  return command(
    'note',
    { app, run },
    ['set -eu', `cd ${appFolder(app)}`, asHolder(app, run), `printf '%s\\n' ${quote(historyLine)} >>history.jsonl`],
    { repeatable: false },
  );
}

/** Prints the last lines of the history, then release.json of each release: which environment they are of. */
export function historyCommand(app: string): RemoteCommand {
  return command('history', { app }, [
    `cd ${appFolder(app)} 2>/dev/null || exit 0`,
    'tail -n 500 history.jsonl 2>/dev/null',
    'echo',
    'for file in releases/*/release.json; do if [ -f "$file" ]; then cat "$file"; echo; fi; done',
    'exit 0',
  ]);
}

/** Prints `gone REFERENCE` for each image that is not on the droplet. */
export function imagesPresentCommand(app: string, references: readonly string[]): RemoteCommand {
  return command('images-present', { app, references }, [
    ...references.map((one) => `docker image inspect ${quote(one)} >/dev/null 2>&1 || echo ${quote(`gone ${one}`)}`),
    'exit 0',
  ]);
}

export function logsCommand(app: string, containerIds: readonly string[]): RemoteCommand {
  return command('logs', { app, containerIds }, [
    // Standard output and error come one after the other; by their timestamps they are what the container said.
    ...containerIds.map(
      (id) => `echo '--- ${id}'; docker logs --timestamps --tail 50 ${quote(id)} 2>&1 | LC_ALL=C sort -s -k1,1`,
    ),
    'exit 0',
  ]);
}

function writeFile(name: string, value: unknown): string[] {
  return [`printf '%s\\n' ${quote(JSON.stringify(value))} >${name}.new`, `mv -f ${name}.new ${name}`];
}
