/** Lines that install packages of Debian and Ubuntu. */

/** Its commands wait that long for apt's lock themselves, if another program takes it after it was free. In s. */
const LOCK_SECONDS = 120;

/** Nothing is asked, and files that an administrator has changed stay as they are. Services are not restarted behind. */
const SILENT = [
  'export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1',
  'apt() {',
  `  apt-get -q -y -o DPkg::Lock::Timeout=${LOCK_SECONDS} -o Dpkg::Options::=--force-confold -o Acquire::Retries=3 "$@" >&2`,
  '}',
];

/**
 * The lists may be older than the mirror's packages, or missing. dpkg may have been interrupted, by a droplet that was
 * switched off or a run that was killed: until it has ended what it began, apt installs nothing.
 */
export const UPDATE_LISTS = [...SILENT, 'dpkg --force-confold --configure -a >&2', 'apt update'];

/** Prints the version that would be installed; nothing where there is none. */
export const CANDIDATE = `candidate() { apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: \\([^(].*\\)$/\\1/p'; }`;

/** @param packages as the shell reads them */
export function installLines(packages: string): string[] {
  return [...UPDATE_LISTS, `apt --no-install-recommends install ${packages}`];
}
