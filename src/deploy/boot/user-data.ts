/** User data: the program that cloud-init runs as root when a droplet boots for the first time. */
import type { Settings, StorageKey } from '../../config/settings.js';
import { DeployError } from '../../errors.js';
import { docker } from '../bootstrap/actions/docker.js';
import { AWAIT_DOCKER } from '../bootstrap/docker-service.js';
import { ROOT_PATH } from '../bootstrap/facts-command.js';
import { Read } from '../bootstrap/read.js';
import { aptHolderCommand } from '../bootstrap/wait-commands.js';
import type { BundleKeys } from '../bundle/keys.js';
import { folderOf } from '../bundle/record.js';
import { configFile, doDeploy } from '../core/do-deploy.js';
import { quote, SECOND } from '../core/shell.js';
import { imageFolder } from './boot-script.js';
import { FETCH_PROGRAM } from './fetch-program.js';

/** DigitalOcean takes no more: https://docs.digitalocean.com/products/droplets/how-to/provide-user-data/ */
export const MAX_USER_DATA_BYTES = 64 * 1024;

const LOG = '/var/log/do-deploy-boot.log';

/** For network, storage and clock to be there. */
const FETCH_WITHIN_SECONDS = 600;

/** For the bundle itself, once the storage answers. */
const DOWNLOAD_WITHIN_SECONDS = 300;

/** Where Docker is installed: what bootstrap knows. */
const SYSTEMS = [
  { id: 'debian', version: '12', codename: 'bookworm' },
  { id: 'debian', version: '13', codename: 'trixie' },
  { id: 'ubuntu', version: '22.04', codename: 'jammy' },
  { id: 'ubuntu', version: '24.04', codename: 'noble' },
] as const;

export interface UserData {
  /** With `bundle`; with roles, those of one role. */
  settings: Settings;
  keys: BundleKeys;
  reader: StorageKey;
  /** No droplet takes a release of an earlier rollout. */
  sequence: number;
  /** Docker is installed if it is missing. */
  bootstrap: boolean;
}

/** Throws DeployError bootstrap-refused. */
export function userData({ settings, keys, reader, sequence, bootstrap }: UserData): string {
  const { app, environment, role, bundle, ssh } = settings;
  if (bundle === undefined) throw new Error('user data needs a bundle');
  const isIncluded = bundle.secrets === 'include';
  const values = {
    BOOT_ENDPOINT: bundle.endpoint,
    BOOT_BUCKET: bundle.bucket,
    BOOT_REGION: bundle.region,
    BOOT_FOLDER: folderOf(bundle, settings),
    BOOT_ACCESS_KEY: reader.accessKey,
    BOOT_SECRET_KEY: reader.secretKey.reveal(),
    BOOT_KEY: isIncluded ? keys.passphrase : '',
    BOOT_PUBLIC_KEY: keys.verifying.export({ format: 'pem', type: 'spki' }).toString(),
    BOOT_APP: app,
    BOOT_ENVIRONMENT: environment,
    BOOT_ROLE: role ?? '-',
    BOOT_SEQUENCE: String(sequence),
  };
  return [
    '#!/bin/sh',
    `# Made by \`${doDeploy(settings, 'cloud-init', ...(role === undefined ? [] : ['--role', role]))}\`. When a droplet boots, it fetches the release`,
    `# of ${app} ${environment}, verifies that deployers have signed it, and starts it. Its log: ${LOG}`,
    '#',
    ...secrecy(settings).map((line) => `# ${line}`),
    'set -eu',
    ROOT_PATH,
    'umask 077',
    `exec 4>&1 >>${LOG} 2>&1`,
    `say() { printf '%s %s\\n' "$(date -u +%H:%M:%S)" "$*"; }`,
    // cloud-init's own log says how it ended, and where to read why.
    `fail() { say "$*"; printf 'do-deploy: %s (%s)\\n' "$*" ${LOG} >&4; exit 1; }`,
    '[ "$(id -u)" = 0 ] || fail "this has to run as root"',
    'exec 5>>/run/do-deploy-boot.lock',
    'flock -n 5 || fail "it is running already"',
    `user=${quote(ssh.user)}`,
    'home=$(getent passwd "$user" | cut -d : -f 6)',
    `[ -n "$home" ] || fail "there is no user $user, as ${configFile(settings)} says in ssh.user"`,
    'for program in python3 openssl flock runuser; do',
    '  command -v $program >/dev/null || fail "$program is missing"',
    'done',
    'work=$(mktemp -d /run/do-deploy-boot.XXXXXX)',
    `trap 'rm -rf "$work"' EXIT`,
    `trap 'exit 1' HUP INT TERM`,
    ...dockerLines(settings, bootstrap),
    'code=0',
    `cat >"$work/fetch.py" <<'END-OF-FETCH'`,
    FETCH_PROGRAM.trimEnd(),
    'END-OF-FETCH',
    `wait=\${DO_DEPLOY_BOOT_WAIT:-${FETCH_WITHIN_SECONDS}}`,
    'BOOT_WAIT=$wait \\',
    ...Object.entries(values).map(([name, value]) => `${name}=${quote(value)} \\`),
    // Also of a storage that sends a byte now and then.
    `timeout -k 10 $((wait + ${DOWNLOAD_WITHIN_SECONDS})) python3 "$work/fetch.py" "$work" || code=$?`,
    'if [ $code -eq 3 ]; then fail "the bundle was refused, nothing was started"; fi',
    'if [ $code -ne 0 ]; then fail "the bundle was not fetched, nothing was started"; fi',
    'tar --no-same-owner -xf "$work/bundle.tar" -C "$work" boot.sh release.tgz',
    'rm -f "$work/bundle.tar"',
    ...registryLines(settings),
    'chown -R "$user": "$work"',
    'code=0',
    'cd /',
    'runuser -u "$user" -- env -i "HOME=$home" "USER=$user" "PATH=$PATH" LC_ALL=C "$@" sh "$work/boot.sh" "$work" 4>&- 5>&- || code=$?',
    'if [ $code -ne 0 ]; then fail "the release was not started, or is not healthy"; fi',
    'say "the droplet is ready"',
    '',
  ].join('\n');
}

/** What is secret in it, for whoever pastes it somewhere. */
function secrecy({ app, bundle, registry }: Settings): string[] {
  if (bundle?.secrets !== 'include') {
    return [
      'SECRET: it holds a key that reads the bucket. Every process on a droplet can read its user data. Env files are',
      `not in the bundle: the droplet's image has them in ${imageFolder(app)}/.`,
    ];
  }
  const login = registry?.username === undefined ? '' : ', and the login to the registry';
  return [
    `SECRET: it holds a key that reads the bucket, the key that decrypts the env files there${login}.`,
    'Every process on a droplet, also in containers, can read its user data at 169.254.169.254. To rotate them, change',
    'the keys in the configuration, deploy, and give new user data to the pool.',
  ];
}

/** Makes the login of start-up.sh the words of `$@`, and the password a file that it reads. */
function registryLines({ bundle, registry }: Settings): string[] {
  if (bundle?.secrets !== 'include' || registry?.username === undefined) return ['set --', ': >"$work/registry"'];
  const { server, username, password } = registry;
  return [
    `set -- ${quote(`REGISTRY_SERVER=${server}`)} ${quote(`REGISTRY_USERNAME=${username}`)}`,
    `printf '%s\n' ${quote(password.reveal())} >"$work/registry"`,
  ];
}

function dockerLines(settings: Settings, bootstrap: boolean): string[] {
  const missing = 'Docker Engine is missing: use an image that has it, or make the user data with --bootstrap';
  return [
    'if ! command -v docker >/dev/null; then',
    ...(bootstrap ? installLines(settings) : [`fail ${quote(missing)}`]),
    'fi',
    ...AWAIT_DOCKER,
    'answers || fail "Docker Engine does not answer"',
    'docker compose version --short >/dev/null || fail "the compose plugin is missing"',
  ];
}

/** Not indented: lines of a here-document count as they are. */
function installLines(settings: Settings): string[] {
  const seconds = Math.ceil(settings.bootstrap.waitMs / SECOND);
  const file = (name: string, lines: readonly string[]) => [
    `cat >"$work/${name}.sh" <<'END-OF-SCRIPT'`,
    'set -eu',
    ...lines,
    'END-OF-SCRIPT',
  ];
  return [
    `system=$(. /etc/os-release; echo "$ID \${VERSION_CODENAME:-}")`,
    'case $system in',
    ...installScripts(settings).flatMap(({ id, codename, script }) => [
      `'${id} ${codename}')`,
      ...file('docker', script),
      ';;',
    ]),
    '*) fail "Docker Engine is missing, and is not installed on $system" ;;',
    'esac',
    ...file('apt-holder', [aptHolderCommand().script]),
    `until=$(($(date +%s) + ${seconds}))`,
    'while holder=$(sh "$work/apt-holder.sh"); [ -n "$holder" ]; do',
    `  [ "$(date +%s)" -lt $until ] || fail "$holder held apt's lock for too long"`,
    '  sleep 5',
    'done',
    'say "installing Docker Engine"',
    'timeout 900 sh "$work/docker.sh" 4>&- 5>&- || fail "Docker Engine could not be installed"',
  ];
}

/** The action of bootstrap on a droplet that has nothing yet, for each system. */
function installScripts(settings: Settings): { id: string; codename: string; script: readonly string[] }[] {
  const { bootstrap } = settings;
  if (bootstrap.docker === false) {
    throw new DeployError('bootstrap-refused', 'bootstrap.docker is false, so Docker is not installed.', {
      source: 'user',
      hint: `Leave out --bootstrap, or change bootstrap.docker in ${configFile(settings)}.`,
    });
  }
  const { authorizedKeys: _, ...rest } = bootstrap;
  const wanted = { ...rest, config: settings.config, openPorts: [], isPublic: false };
  return SYSTEMS.flatMap((system) => {
    try {
      const planned = docker.plan(new Read(''), { system: { ...system, hasSystemd: true }, wanted });
      return [{ ...system, script: planned.flatMap((one) => (one.kind === 'change' ? one.script : [])) }];
    } catch (error) {
      // Debian 12 has no package of compose 2.
      if (error instanceof DeployError && error.code === 'bootstrap-refused') return [];
      throw error;
    }
  });
}
