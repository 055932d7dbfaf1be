/**
 * What commands know of containers that run once for a release: their labels, the record of their success, and functions of
 * POSIX sh that wait for their end and record it.
 */
import { quote } from '../core/shell.js';
import { ONE_OFF_LABEL, RELEASE_LABEL, RUN_LABEL } from './one-off.js';

/** Label only of containers that run once: the number of the record. */
export const NUMBER_LABEL = 'do-deploy.number';

/** How often Docker is asked again while it does not answer, 1 s apart. */
const DOCKER_ATTEMPTS = 300;

/** How often a lock is tried that is free within moments, 100 ms apart. */
const LOCK_ATTEMPTS = 600;

/**
 * Docker 24.0.0 to 24.0.2 report exit code 0 of a container whose end they have not seen, as after a power cut, instead of 255.
 * Source: https://github.com/moby/moby/issues/45788
 */
const INVENTS_SUCCESS = "'' | 24.0.[0-2] | 24.0.[0-2][!0-9]*";

/** Path of the record, relative to the app's folder. A layer's own names have no `_`. */
export function recordOf(key: string): string {
  return `done/${key}`;
}

function labelOf(name: string): string {
  return `{{index .Config.Labels "${name}"}}`;
}

const FACTS = [labelOf(NUMBER_LABEL), labelOf(RELEASE_LABEL), '{{.State.Status}}', '{{.Name}}', labelOf(RUN_LABEL)];

/** They need `record`, the path of the record. */
export const ONCE_FUNCTIONS = [
  'facts() {',
  `  found=$(docker inspect --format ${quote(FACTS.join(' '))} "$1" 2>/dev/null) || return 1`,
  '  set -- $found',
  `  number=\${1:-} release=\${2:-} status=\${3:-} name=\${4:-}`,
  // Names of runs have blanks.
  `  run=\${found#"$number $release $status $name "}`,
  `  name=\${name#/}`,
  '}',
  // Sets `code`; to nothing when the container is gone, or `missed`: Docker does not know. `$2`: its status, as far as Docker
  // has seen it without a break.
  'await_end() {',
  '  tries=0 missed=',
  '  until code=$(docker wait "$1" 2>/dev/null); do',
  '    code=',
  '    tries=$((tries + 1))',
  `    if [ $tries -ge ${DOCKER_ATTEMPTS} ]; then return; fi`,
  '    if ids=$(docker ps -aq --no-trunc --filter id="$1" 2>/dev/null) && [ -z "$ids" ]; then return; fi',
  '    sleep 1',
  '  done',
  // Seen as it happened.
  '  if [ "$code" != 0 ] || [ "$2:$tries" = running:0 ]; then return; fi',
  `  case $(docker version --format '{{.Server.Version}}' 2>/dev/null) in ${INVENTS_SUCCESS}) code= missed=yes ;; esac`,
  '}',
  // Takes the lock on a descriptor that is free within moments.
  'lock() {',
  '  tries=0',
  `  until flock -n "$1"; do tries=$((tries + 1)); [ $tries -lt ${LOCK_ATTEMPTS} ] || return 1; sleep 0.1; done`,
  '}',
  // Records that what has this number was done for a release, unless something later is recorded.
  'note() {',
  '  have=0; { read -r have _ <"$record"; } 2>/dev/null || :',
  "  case $have in '' | *[!0-9]*) have=0 ;; esac",
  '  [ "$have" -lt "$1" ] || return 0',
  // What a full disk has left of earlier attempts.
  `  find done -name "\${record##*/}.*" -mmin +60 -exec rm -f {} + 2>/dev/null || :`,
  '  { mkdir -p done && printf \'%s %s\\n\' "$1" "$2" >"$record.$$" && mv -f "$record.$$" "$record"; } 2>/dev/null || { rm -f "$record.$$"; return 1; }',
  '}',
  // What `facts` has read.
  'settle() { [ "$1" != 0 ] || note "$number" "$release"; }',
];

/**
 * A command for the app's folder that records the successes of ended containers whose keeper has died. `docker compose up
 * --remove-orphans` would remove them, and with them the only record. Fails if one cannot be recorded.
 */
export function settleEnded(app: string): string {
  const labels = [`com.docker.compose.project=${app}`, NUMBER_LABEL].map((one) => `--filter ${quote(`label=${one}`)}`);
  const lines = [
    ...ONCE_FUNCTIONS,
    `ids=$(docker ps -aq --no-trunc ${labels.join(' ')} --filter status=exited --filter status=dead) || exit 0`,
    // Ids are hexadecimal words.
    'for one in $ids; do',
    `  key=$(docker inspect --format ${quote(labelOf(ONE_OFF_LABEL))} "$one" 2>/dev/null) && facts "$one" || continue`,
    "  case $key in '' | *[!A-Za-z0-9-]*) continue ;; esac",
    '  record=done/$key',
    '  await_end "$one" "$status"',
    '  settle "$code" || exit 1',
    'done',
    'exit 0',
  ];
  return `(\n${lines.join('\n')}\n)`;
}
