/** Docker Engine and the compose plugin, from the distribution or from Docker. */
import { DeployError } from '../../../errors.js';
import { configFile } from '../../core/do-deploy.js';
import { quote } from '../../core/shell.js';
import { type About, type Action, type Change, left, type System } from '../action.js';
import { CANDIDATE, installLines, UPDATE_LISTS } from '../apt.js';
import { AWAIT_DOCKER, engineVersion } from '../docker-service.js';
import { readOutput } from '../read.js';

/** Of Docker's key for Debian and Ubuntu. Source: https://docs.docker.com/engine/install/debian/ */
export const DOCKER_KEY_FINGERPRINT = '9DC858229FC7DD38854AE2D88D81803C0EBFCD88';

const KEY_FILE = '/etc/apt/keyrings/do-deploy-docker.asc';
const SOURCE_FILE = '/etc/apt/sources.list.d/do-deploy-docker.sources';

export const docker: Action = {
  name: 'docker',
  reads: () => [
    readOutput('client', 'docker --version'),
    readOutput('server', engineVersion(10)),
    readOutput('compose', 'docker compose version --short'),
    readOutput('packages', `dpkg-query -W -f '\${Package} \${db:Status-Status}\\n' docker-ce docker.io || :`),
    // As apt reads them, in both of its formats, without those that are switched off. Lists that were never downloaded count.
    readOutput(
      'sources',
      `apt-get indextargets --no-release-info --format '$(SITE)' | grep download.docker.com | sort -u || :`,
    ),
  ],
  plan(read, { wanted, system }) {
    const [hasDocker, hasCompose] = [read.has('client'), read.has('compose')];
    const isReady = hasDocker && hasCompose && read.has('server');
    if (isReady) return [];
    if (wanted.docker === false) {
      const missing = hasDocker && hasCompose ? 'running' : 'installed';
      return [left(`Docker Engine with the compose plugin is not ${missing}, and bootstrap.docker is false`)];
    }
    if (hasDocker && hasCompose) return [start(system)];
    // What is there decides where the rest comes from: the packages of both exclude one another.
    const isDockers = hasDocker
      ? /\bdocker-ce installed\b/.test(read.one('packages') ?? '')
      : wanted.docker === 'docker';
    if (isDockers) return [fromDocker(system, hasDocker, read.one('sources') ?? '')];
    refuseWithoutCompose({ wanted, system }, hasCompose);
    return [fromDistribution(system, hasDocker, hasCompose)];
  },
};

function start(system: System): Change {
  return {
    kind: 'change',
    sentence: 'start Docker Engine, also when the droplet starts',
    files: [],
    script: startLines(system),
  };
}

/** Without systemd, the script of its package starts it. */
function startLines({ hasSystemd }: System): string[] {
  return [
    hasSystemd ? 'systemctl enable --now docker >&2' : 'service docker start >&2',
    ...AWAIT_DOCKER,
    'answers || { echo "Docker Engine does not answer" >&2; exit 1; }',
  ];
}

/** Debian has a package of compose 2 from 13 on. */
function refuseWithoutCompose({ wanted, system: { id, version } }: About, hasCompose: boolean): void {
  if (hasCompose || id !== 'debian' || Number(version) >= 13) return;
  throw new DeployError('bootstrap-refused', `Debian ${version} has no package of the compose plugin.`, {
    source: 'user',
    hint: `Take both from Docker: set bootstrap: { docker: docker } in ${configFile(wanted)}.`,
  });
}

function fromDistribution(system: System, hasDocker: boolean, hasCompose: boolean): Change {
  const name = system.id === 'ubuntu' ? 'Ubuntu' : 'Debian';
  const what = [hasDocker ? [] : 'Docker Engine', hasCompose ? [] : 'the compose plugin'].flat().join(' and ');
  return {
    kind: 'change',
    sentence: `install ${what} from ${name}`,
    files: [],
    script: [
      ...UPDATE_LISTS,
      CANDIDATE,
      'set --',
      // The command line is a package of its own from Debian 13 on.
      ...(hasDocker ? [] : ['set -- docker.io iptables', '[ -z "$(candidate docker-cli)" ] || set -- "$@" docker-cli']),
      ...(hasCompose ? [] : findCompose()),
      // With what Docker recommends: AppArmor's parser, without which no container starts where the kernel has AppArmor.
      'apt install "$@"',
      ...startLines(system),
    ],
    usesApt: true,
  };
}

/** Ubuntu's package, Docker's if its repository is there, Debian's from 13 on; before, that was compose 1. */
function findCompose(): string[] {
  return [
    'compose=',
    'for package in docker-compose-v2 docker-compose-plugin docker-compose; do',
    '  case $(candidate "$package") in',
    "    '' | 1.*) ;;",
    '    *) compose=$package; break ;;',
    '  esac',
    'done',
    '[ -n "$compose" ] || { echo "there is no package of compose 2: set bootstrap.docker: docker" >&2; exit 1; }',
    'set -- "$@" "$compose"',
  ];
}

function fromDocker(system: System, hasDocker: boolean, sources: string): Change {
  // An administrator's own, or one that Docker's script wrote.
  const hasRepository = sources.trim() !== '';
  return {
    kind: 'change',
    sentence: `install ${hasDocker ? 'the compose plugin' : 'Docker Engine and the compose plugin'} from Docker's repository`,
    files: hasRepository ? [] : [KEY_FILE, SOURCE_FILE],
    script: [
      ...(hasRepository ? UPDATE_LISTS : addRepository(system)),
      hasDocker
        ? 'apt install docker-compose-plugin'
        : 'apt install docker-ce docker-ce-cli containerd.io docker-buildx-plugin docker-compose-plugin iptables',
      ...startLines(system),
    ],
    usesApt: true,
  };
}

/** The key is used only if it is Docker's: one key, with the known fingerprint. */
function addRepository({ id, codename }: System): string[] {
  const repository = `https://download.docker.com/linux/${id}`;
  return [
    ...installLines('ca-certificates curl gpg'),
    'work=$(mktemp -d)',
    `trap 'rm -rf "$work"' EXIT`,
    `curl -fsSL --proto '=https' --max-time 60 --retry 3 --max-filesize 1000000 -o "$work/key.asc" ${quote(`${repository}/gpg`)}`,
    ...verifyKey('"$work/key.asc"', '"$work"'),
    'mkdir -p /etc/apt/keyrings',
    `install -m 644 "$work/key.asc" ${KEY_FILE}`,
    'architecture=$(dpkg --print-architecture)',
    `printf '%s\\n' ${sourceLines(repository, codename).map(quote).join(' ')} "Architectures: $architecture" >${SOURCE_FILE}`,
    'apt update',
  ];
}

/** In the format of deb822, all but the architecture. See sources.list(5). */
function sourceLines(repository: string, codename: string): string[] {
  return [
    '# Written by do-deploy bootstrap.',
    'Types: deb',
    `URIs: ${repository}`,
    `Suites: ${codename}`,
    'Components: stable',
    `Signed-By: ${KEY_FILE}`,
  ];
}

/** Lines that fail unless the file holds one key, and that is Docker's. Paths are as the shell reads them. */
export function verifyKey(file: string, home: string): string[] {
  return [
    // Field 10 of the line after that of a primary key is its fingerprint (gnupg's doc/DETAILS).
    `found=$(gpg --batch --no-options --homedir ${home} --with-colons --show-keys ${file} 2>/dev/null |`,
    `  awk -F: '$1 == "pub" { own = 1 } $1 == "fpr" && own { print $10; own = 0 }')`,
    `if [ "$found" != ${DOCKER_KEY_FINGERPRINT} ]; then`,
    `  printf 'the key of the repository is not Docker'\\''s: its fingerprint is %s\\n' "\${found:-unknown}" >&2`,
    '  exit 1',
    'fi',
  ];
}
