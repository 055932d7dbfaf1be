/** Everything that is known of a droplet before it is changed, read by one command. */
import { DeployError } from '../../errors.js';
import type { RemoteCommand } from '../../ports.js';
import { BEGIN_SECTIONS, beginSection, readSections } from '../core/sections.js';
import { command, SECOND } from '../core/shell.js';
import type { System, Wanted } from './action.js';
import { ACTIONS } from './actions.js';
import { PENDING_GUARDS } from './guards.js';
import { Read } from './read.js';

/**
 * Environment variable of a droplet whose system is not its own to change, as in the sandbox, where it is that of the user's
 * machine. Its text says why.
 */
export const NO_BOOTSTRAP_VARIABLE = 'DO_DEPLOY_NO_BOOTSTRAP';

/** Programs of administrators are not on every user's path. */
export const ROOT_PATH = 'export PATH="/usr/local/sbin:/usr/sbin:/sbin:$PATH" LC_ALL=C';

export interface Facts {
  system: System;
  /** By the name of the action. */
  read: ReadonlyMap<string, Read>;
  /** Actions of an earlier run that are about to be taken back. */
  pending: readonly string[];
}

export function factsCommand(wanted: Wanted): RemoteCommand {
  return command(
    'bootstrap-facts',
    { user: wanted.user },
    [
      ROOT_PATH,
      'set -u',
      ...BEGIN_SECTIONS,
      beginSection('system'),
      `printf 'refused %s\\n' "\${${NO_BOOTSTRAP_VARIABLE}:-}"`,
      'printf \'uid %s\\n\' "$(id -u)"',
      // In a subshell: the file sets variables.
      `(. /etc/os-release 2>/dev/null; printf 'id %s\\nversion %s\\ncodename %s\\n' "\${ID:-}" "\${VERSION_ID:-}" "\${VERSION_CODENAME:-}")`,
      '[ ! -d /run/systemd/system ] || echo systemd',
      ...PENDING_GUARDS,
      // A droplet that refuses is not even read.
      `[ -z "\${${NO_BOOTSTRAP_VARIABLE}:-}" ] || exit 0`,
      ...ACTIONS.flatMap((action) => [beginSection(action.name), ...action.reads(wanted)]),
      'exit 0',
    ],
    { timeoutMs: 60 * SECOND, reads: true },
  );
}

/** Throws DeployError bootstrap-refused where the droplet is none that can be bootstrapped. */
export function readFacts(stdout: string): Facts {
  const sections = readSections(stdout);
  const own = new Read(sections.get('system') ?? '');
  const reason = own.one('refused');
  if (reason) throw refused(`This droplet cannot be bootstrapped: ${reason}.`);
  if (own.one('uid') !== '0') {
    throw refused('The login as root does not run as root.', "Give root's authorized_keys a key without command=.");
  }
  const id = own.one('id');
  if (id !== 'debian' && id !== 'ubuntu') {
    throw refused(`It runs ${id || 'an unknown system'}: do-deploy bootstraps Debian and Ubuntu.`, OTHER_SYSTEM);
  }
  const [version, codename] = [own.one('version') ?? '', own.one('codename') ?? ''];
  return {
    system: { id, version, codename, hasSystemd: own.has('systemd') },
    pending: ACTIONS.map(({ name }) => name).filter((name) => own.all('pending').includes(name)),
    read: new Map(ACTIONS.map(({ name }) => [name, new Read(sections.get(name) ?? '')])),
  };
}

const OTHER_SYSTEM = 'Install Docker Engine and the compose plugin yourself: see "Prepare the droplets" in the README.';

function refused(message: string, hint?: string): DeployError {
  return new DeployError('bootstrap-refused', message, { source: 'user', ...(hint && { hint }) });
}
