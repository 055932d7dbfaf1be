/**
 * boot.sh: what a booting droplet does with the bundle that it lies in. It consists of the commands that a deploy runs on a
 * droplet, in their order, so that the droplet ends up as if it had been deployed to.
 */
import type { Settings } from '../../config/settings.js';
import type { RemoteCommand } from '../../ports.js';
import { appFolder, quote, releaseFolder, SECOND } from '../core/shell.js';
import type { DropletStateFile } from '../droplet/survey-command.js';
import { holdLeaseCommand } from '../lease/lease-commands.js';
import { PARTIAL } from '../release/compose-run.js';
import { sha256 } from '../release/digests.js';
import type { ReleaseDraft, ReleaseFile } from '../release/draft.js';
import { releaseHash } from '../release/release-hash.js';
import { imagesOverride, type StoredRelease } from '../release/stored-release.js';
import { buildCommand, pullCommand } from '../staging/image-commands.js';
import { prepareCommand } from '../staging/prepare-release.js';
import { digestsToPull } from '../staging/release-images.js';
import { sealCommand } from '../staging/seal.js';
import { unpackCommand } from '../staging/unpack-command.js';
import { confirmCommand } from '../steps/clear-mark.js';
import { switchCommand } from '../steps/switch-release.js';
import { healthScript } from './health-script.js';

const PULL_WITHIN_MS = 15 * 60_000;

const BUILD_WITHIN_MS = 30 * 60_000;

/** For `up` besides waiting for the app: containers are created and started. */
const UP_OVERHEAD_MS = 120_000;

/** How long a deploy may hold the lock that has found the droplet before it was ready. */
const LOCK_WITHIN_SECONDS = 15 * 60;

/** Stands for the time at which the droplet boots. */
const NOW = '@NOW@';

/** Below releases/: a link to what the droplet's image has. No release has an id that begins with a dot. */
const FROM_IMAGE = '.from-image';

/** Where a droplet's image has the files that are not in the bundle. */
export function imageFolder(app: string): string {
  return `/etc/do-deploy/${app}`;
}

export interface Boot {
  draft: ReleaseDraft;
  release: StoredRelease;
  sequence: number;
  /** Files that are not in the bundle, because they are secret: the droplet's image has them. */
  leftOut: readonly ReleaseFile[];
}

/** @returns a program for sh. Its argument is a folder with release.tgz; standard input may have the registry's password */
export function bootScript(
  { draft, release, sequence, leftOut }: Boot,
  { rollout }: Pick<Settings, 'rollout'>,
): string {
  const { app, environment, id } = release;
  const run = `boot-${sequence}-${releaseHash(release).slice(0, 12)}`;
  const holder = { run, app, who: 'cloud-init', release: id, since: NOW };
  const state = (phase: DropletStateFile['phase']): DropletStateFile => {
    return { release: id, phase, ...(phase === 'verified' && { proven: [id] }), run, since: NOW };
  };
  const staged = { ...draft, id };
  const built = Object.values(release.images).filter((image) => image.built);
  const pulled = Object.fromEntries(Object.entries(release.images).filter(([, image]) => !image.built));
  const pins = { unbuilt: built.length > 0, override: imagesOverride(pulled), timeoutMs: PULL_WITHIN_MS };
  const base = leftOut.length === 0 ? undefined : FROM_IMAGE;
  const upMs = rollout.healthTimeoutMs + UP_OVERHEAD_MS;
  const health = { timeoutMs: rollout.healthTimeoutMs, http: rollout.healthHttp };
  return [
    '#!/bin/sh',
    `# Brings a droplet that boots to release ${id} of ${app} ${environment}. Written and signed by do-deploy.`,
    'set -eu',
    'umask 077',
    'here=$1',
    'now=$(date -u +%Y-%m-%dT%H:%M:%S.000Z)',
    `say() { printf '%s %s\\n' "$(date -u +%H:%M:%S)" "$*"; }`,
    // A step is a script of its own, from standard input: what it names, and how it ends, stays with it.
    'step() {',
    '  name=$1 seconds=$2',
    `  sed "s/${NOW}/$now/g" >"$here/$name.sh"`,
    '}',
    // As in a session of SSH: what a script creates is for everybody to read. Descriptor 3 holds the lock.
    'run() {',
    '  code=0',
    '  (umask 022; exec timeout -k 10 "$seconds" sh "$here/$name.sh" "$here") 3>&- || code=$?',
    '  if [ $code -ne 0 ]; then say "$name failed with exit code $code" >&2; exit 1; fi',
    '}',
    `mkdir -p ${appFolder(app)}/releases`,
    `cd ${appFolder(app)}`,
    ...ALREADY_BROUGHT,
    'stop_if_brought',
    ...withLock(holdLeaseCommand(app, holder, { rotation: false }), release),
    'stop_if_brought',
    'rm -f out.json',
    `mv -f "$here/release.tgz" incoming-${quote(id)}.tgz`,
    ...linkImage(app, id, leftOut),
    // What compose prints holds the values of env files.
    ...stepOf('unpack', unpackCommand(staged, base, leftOut), '>/dev/null'),
    base === undefined ? '' : `rm -f releases/${FROM_IMAGE}`,
    ...check(app, id),
    ...(release.prepare === undefined ? [] : stepOf('prepare', prepareCommand(staged, release.prepare), '</dev/null')),
    ...stepOf('pull', pullCommand(staged, digestsToPull(release), pins), '<"$here/registry" >/dev/null'),
    ...(built.length === 0
      ? []
      : stepOf(
          'build',
          buildCommand(staged, [...new Set(built.map(({ reference }) => reference))], { timeoutMs: BUILD_WITHIN_MS }),
          '<"$here/registry" >/dev/null',
        )),
    ...stepOf('seal', sealCommand(staged, release, false), '', ownIds(release)),
    ...stepOf(
      'switch',
      { ...switchCommand(release, state('switching'), { again: false, timeoutMs: upMs }), timeoutMs: upMs },
      '</dev/null',
    ),
    ...stepOf(
      'health',
      { script: healthScript(app, release.services, health), timeoutMs: rollout.healthTimeoutMs + 60 * SECOND },
      '</dev/null',
    ),
    ...stepOf('confirm', confirmCommand(app, state('verified')), '</dev/null'),
    'instance >booted',
    `say ${quote(`runs release ${id}, verified`)}`,
    '',
  ].join('\n');
}

/** @param more lines between the writing of the script and its run */
function stepOf(
  name: string,
  { script, timeoutMs }: Pick<RemoteCommand, 'script' | 'timeoutMs'>,
  streams: string,
  more: string[] = [],
): string[] {
  const end = `END-${sha256(script).slice(0, 16)}`;
  const seconds = Math.ceil(timeoutMs / SECOND);
  return [`say ${name}`, `step ${name} ${seconds} <<'${end}'`, script, end, ...more, `run ${streams}`.trimEnd()];
}

/**
 * A droplet that this has booted, or that a deploy has changed since it booted, is the deployers' own: it may serve. A
 * droplet that was made from another one's image has older records.
 */
const ALREADY_BROUGHT = [
  'instance() { cat /var/lib/cloud/data/instance-id 2>/dev/null || hostname; }',
  'stop_if_brought() {',
  '  if [ "$(cat booted 2>/dev/null)" = "$(instance)" ]; then',
  '    say "this droplet was brought to a release before: deployers change it from here on"',
  '    exit 0',
  '  fi',
  '  up=$(($(date +%s) - $(cut -d . -f 1 /proc/uptime)))',
  `  if [ -f state.json ] && [ "$(date -r state.json +%s)" -gt "$up" ] && ! grep -q '"run":"boot-' state.json; then`,
  '    say "a deploy has reached this droplet already"',
  '    exit 0',
  '  fi',
  '}',
];

/** Holds the lock of deploys until the script ends: the process that holds it hears heartbeats only from this one. */
function withLock(lease: RemoteCommand, { app, id }: Pick<StoredRelease, 'app' | 'id'>): string[] {
  return [
    ...stepOf('lease', lease, '').slice(0, -1),
    'mkfifo "$here/beats"',
    'take_lock() {',
    '  : >"$here/answers"',
    '  sh "$here/lease.sh" <"$here/beats" >"$here/answers" 2>&1 &',
    '  lease=$!',
    '  exec 3>"$here/beats"',
    '  tries=0',
    '  until [ -s "$here/answers" ] || ! kill -0 $lease 2>/dev/null || [ $tries -ge 150 ]; do',
    '    tries=$((tries + 1))',
    '    sleep 0.2',
    '  done',
    '  answer=$(head -n 1 "$here/answers")',
    '  [ "$answer" = held ]',
    '}',
    'beater=',
    // What was staged, and is no release yet, would keep other apps from removing images. Without the lock it is a deploy's.
    'clean_up() {',
    '  if [ -n "$beater" ]; then',
    `    rm -rf ${releaseFolder(app, id + PARTIAL)} ${appFolder(app)}/incoming-${quote(id)}.tgz`,
    '    kill $beater 2>/dev/null || :',
    '  fi',
    '  exec 3>&-',
    '}',
    'trap clean_up EXIT',
    `trap 'exit 1' HUP INT TERM`,
    `until=$(($(date +%s) + ${LOCK_WITHIN_SECONDS}))`,
    'until take_lock; do',
    '  exec 3>&-',
    '  wait $lease || :',
    '  case $answer in busy*) ;; *) until=0 ;; esac',
    '  if [ "$(date +%s)" -ge $until ]; then say "the lock cannot be taken: $answer" >&2; exit 1; fi',
    '  say "waiting for the lock: $answer"',
    '  sleep 10',
    'done',
    '{ while kill -0 $$ 2>/dev/null && echo beat >&3; do sleep 4 3>&-; done; } 2>/dev/null &',
    'beater=$!',
  ];
}

/** Refuses where the image lacks files that are not in the bundle, or has other ones. */
function linkImage(app: string, id: string, leftOut: readonly ReleaseFile[]): string[] {
  const folder = imageFolder(app);
  const checks = leftOut.map(({ path, sha256 }) => {
    const wrong = quote(`refused: ${folder}/${path} is missing, or is not that of release ${id}. Make the image anew.`);
    return `printf '%s\\n' ${quote(`${sha256}  ./${path}`)} | (cd ${quote(folder)} && sha256sum -c --status) 2>/dev/null || { say ${wrong} >&2; exit 1; }`;
  });
  return leftOut.length === 0 ? [] : [...checks, `ln -sfn ${quote(folder)} releases/${FROM_IMAGE}`];
}

/** Of all files, also of those from the image. */
function check(app: string, id: string): string[] {
  return [
    `(cd ${releaseFolder(app, id + PARTIAL)} && sha256sum -c SHA256SUMS >/dev/null) || { say 'refused: the files are not those of the release' >&2; exit 1; }`,
  ];
}

/**
 * Lines that put the ids of images on this droplet into its record: they depend on its image store, and those of images that
 * were built differ from droplet to droplet.
 */
function ownIds({ images }: StoredRelease): string[] {
  return Object.values(images).flatMap(({ reference, pinned, imageId, built }) => {
    const name = quote(built ? reference : pinned);
    const [from, to] = built ? [`"${imageId}"`, '"$id"'] : [`"imageId":"${imageId}"`, '"imageId":"$id"'];
    const escaped = to.replaceAll('"', '\\"');
    return [
      `id=$(docker image inspect --format '{{.Id}}' ${name})`,
      `sed -i ${quote(`s|${from}|`)}"${escaped}|g" "$here/seal.sh"`,
    ];
  });
}
