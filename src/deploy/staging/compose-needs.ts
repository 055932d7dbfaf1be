/** What a release requires of a droplet outside of its own files, and what of it is missing there. */
import type { RemoteCommand } from '../../ports.js';
import { command, quote } from '../core/shell.js';
import type { ComposeNeeds } from './check-compose.js';

export interface MissingNeed {
  code: 'compose-network-missing' | 'compose-volume-missing' | 'compose-path-missing' | 'container-name-taken';
  /** One sentence, without the droplet's name at its beginning. */
  message: string;
  /** A command to run on the droplet; absent if there is none. */
  fix?: string;
  /** What else can be done. */
  remedy?: string;
  at: string[];
}

/**
 * Prints the index of each need that is not met, with the compose project that holds a container's name. Undefined if the
 * release needs nothing. An answer of Docker that is no clear "no" counts as met: the check must not invent problems.
 */
export function needsCommand(app: string, needs: ComposeNeeds): RemoteCommand | undefined {
  const absent = (kind: 'network' | 'volume') => (name: string, index: number) =>
    `said=$(docker ${kind} inspect ${quote(name)} 2>&1 >/dev/null) || case $said in *[Nn]'o such'* | *'not found'*) echo "${kind} ${index}" ;; esac`;
  const label = `{{index .Config.Labels "com.docker.compose.project"}}`;
  const lines = [
    ...needs.networks.map(({ name }, index) => absent('network')(name, index)),
    ...needs.volumes.map(({ name }, index) => absent('volume')(name, index)),
    ...needs.containers.map(
      ({ name }, index) =>
        `if owner=$(docker inspect --type container --format ${quote(label)} ${quote(name)} 2>/dev/null) && [ "$owner" != ${quote(app)} ]; then echo "container ${index} $owner"; fi`,
    ),
    ...needs.paths.map(({ path }, index) => `[ -e ${quote(path)} ] || echo "path ${index}"`),
  ];
  return lines.length === 0 ? undefined : command('compose-needs', { app }, [...lines, 'exit 0'], { reads: true });
}

/** Reads what `needsCommand` has printed. */
export function readMissingNeeds(stdout: string, needs: ComposeNeeds): MissingNeed[] {
  return stdout.split('\n').flatMap((line) => {
    const [, kind, number, owner = ''] = /^(network|volume|container|path) (\d+) ?(.*)$/.exec(line) ?? [];
    const found = kind === undefined ? undefined : missingNeed(kind, Number(number), owner, needs);
    return found === undefined ? [] : [found];
  });
}

function missingNeed(kind: string, index: number, owner: string, needs: ComposeNeeds): MissingNeed | undefined {
  if (kind === 'network' || kind === 'volume') {
    const need = needs[`${kind}s`][index];
    return (
      need && {
        code: `compose-${kind}-missing`,
        message: `the external ${kind} ${need.name} does not exist`,
        fix: `docker ${kind} create ${quote(need.name)}`,
        at: need.at,
      }
    );
  }
  if (kind === 'path') {
    const need = needs.paths[index];
    const message = `${need?.what} uses ${need?.path}, which does not exist`;
    return need && { code: 'compose-path-missing', message, remedy: 'Create it on the droplet.', at: need.at };
  }
  const need = needs.containers[index];
  const holder = owner === '' ? 'another container' : `the compose project ${owner}`;
  return (
    need && {
      code: 'container-name-taken',
      message: `the container name ${need.name} of service ${need.service} is taken by ${holder}`,
      fix: `docker rm -f ${quote(need.name)}`,
      remedy: 'Or change container_name.',
      at: need.at,
    }
  );
}
