/** Docker's daemon.json: the keys that are missing are added to those that are there. */
import { quote } from '../../core/shell.js';
import { type Action, left, type Planned, type System } from '../action.js';
import { AWAIT_DOCKER } from '../docker-service.js';
import { readFile, readOutput } from '../read.js';

const FILE = '/etc/docker/daemon.json';

/** Drivers that keep their logs on the droplet and rotate them by these options. */
const OWN_DRIVERS = ['json-file', 'local'];
const ROTATION = { 'max-size': '10m', 'max-file': '3' };

export const daemonSettings: Action = {
  name: 'daemon-settings',
  reads: () => [
    readFile('file', FILE),
    readOutput('swarm', "timeout 10 docker info --format '{{.Swarm.LocalNodeState}}'"),
    readOutput('running', 'timeout 10 docker ps -q | wc -l'),
  ],
  plan(read, { wanted, system }) {
    if (wanted.docker === false) return [];
    const text = read.file('file');
    const current = text === undefined ? {} : parse(text);
    if (current === undefined) return [left(`${FILE} is no JSON object: do-deploy adds no settings to it`)];
    const isSwarm = read.one('swarm') === 'active';
    const { settings, added } = merge(current, isSwarm);
    const remarks = current['live-restore'] === false ? [left(`${FILE} sets live-restore to false`)] : [];
    if (added.length === 0) return remarks;
    const isBusy = Number(read.one('running') ?? 0) > 0;
    const change: Planned = {
      kind: 'change',
      sentence: `add ${added.join(' and ')} to Docker's settings${isBusy ? ', and reload them: containers run, so log rotation begins after its next restart' : ''}`,
      files: [FILE],
      script: replaceLines(`${JSON.stringify(settings, undefined, 2)}\n`, system),
    };
    return [change, ...remarks];
  },
};

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return text.trim() === '' ? {} : undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What is set already stays as it is. */
function merge(
  current: Record<string, unknown>,
  isSwarm: boolean,
): { settings: Record<string, unknown>; added: string[] } {
  const settings = { ...current };
  const added: string[] = [];
  const driver = current['log-driver'];
  const options = current['log-opts'];
  // Another driver takes other options: Docker would refuse these.
  if (driver === undefined || OWN_DRIVERS.includes(String(driver))) {
    if (!isRecord(options) || options['max-size'] === undefined) {
      if (driver === undefined) settings['log-driver'] = 'json-file';
      settings['log-opts'] = { ...ROTATION, ...(isRecord(options) ? options : {}) };
      added.push('log rotation');
    }
  }
  // Swarm refuses it.
  if (current['live-restore'] === undefined && !isSwarm) {
    settings['live-restore'] = true;
    added.push('live-restore');
  }
  return { settings, added };
}

/**
 * Checked before it is put there, where Docker can (from 23 on). A Docker that does not start with it gets the old file back.
 * Running containers are not interrupted: live-restore takes effect by a reload, log options only by a restart.
 */
function replaceLines(content: string, { hasSystemd }: System): string[] {
  const service = (verb: string) => (hasSystemd ? `systemctl ${verb} docker` : `service docker ${verb}`);
  return [
    // Read now: an answer from before the change is no reason to stop what runs.
    'running=$(timeout 10 docker ps -q) || { echo "Docker Engine does not answer" >&2; exit 1; }',
    'mkdir -p /etc/docker',
    // An administrator may have put a link there.
    `file=$(readlink -f ${FILE})`,
    'fresh=$file.do-deploy',
    `printf %s ${quote(content)} >"$fresh"`,
    // dockerd is asked only for what it can answer.
    'if dockerd --help 2>/dev/null | grep -q -e --validate; then dockerd --validate --config-file="$fresh" >&2; fi',
    'old=$(mktemp)',
    'if [ -f "$file" ]; then',
    '  cp -p "$file" "$old"',
    '  chown --reference="$file" "$fresh"; chmod --reference="$file" "$fresh"',
    'else',
    '  rm -f "$old"',
    'fi',
    'mv -f "$fresh" "$file"',
    ...AWAIT_DOCKER,
    'if [ -n "$running" ]; then',
    hasSystemd
      ? `  ${service('reload')} >&2`
      : '  kill -HUP "$(cat /run/docker.pid /var/run/docker.pid 2>/dev/null | head -n 1)"',
    `elif ! { ${service('restart')} >&2 && answers; }; then`,
    '  if [ -f "$old" ]; then cp -p "$old" "$file"; else rm -f "$file"; fi',
    `  ${service('restart')} >&2 || :`,
    '  echo "Docker did not start with the new settings: the old ones are back" >&2',
    '  exit 1',
    'fi',
    'rm -f "$old"',
  ];
}
