/** Lines that install packages of Debian and Ubuntu. */

/** Its commands wait that long for apt's lock themselves, if another program takes it after it was free. In s. */
const LOCK_SECONDS = 120;

export const APT_MINUTES = 15;

/** Nothing is asked, and files that an administrator has changed stay as they are. Services are not restarted behind. */
const SILENT = [
  'export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1',
  'apt() {',
  `  apt-get -q -y -o DPkg::Lock::Timeout=${LOCK_SECONDS} -o Dpkg::Options::=--force-confold -o Acquire::Retries=3 "$@" >&2`,
  '}',
];

/** The lists may be older than the mirror's packages, or missing. */
export const UPDATE_LISTS = [...SILENT, 'apt update'];

/** Prints the version that would be installed; nothing where there is none. */
export const CANDIDATE = `candidate() { apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: \\([^(].*\\)$/\\1/p'; }`;

/** @param packages as the shell reads them */
export function installLines(packages: string): string[] {
  return [...UPDATE_LISTS, `apt --no-install-recommends install ${packages}`];
}

/** Files on which apt and dpkg hold locks of fcntl, in the order in which they take them. */
const LOCKS = [
  '/var/lib/dpkg/lock-frontend',
  '/var/lib/dpkg/lock',
  '/var/lib/apt/lists/lock',
  '/var/cache/apt/archives/lock',
];

/** Lines that print the program that holds one of them, or nothing. /proc/locks (proc(5)) has the inode behind two numbers. */
export const APT_HOLDER = [
  `for file in ${LOCKS.join(' ')}; do`,
  '  inode=$(stat -c %i "$file" 2>/dev/null) || continue',
  `  pid=$(awk -v inode="$inode" '$2 == "POSIX" { n = split($6, at, ":"); if (at[n] == inode) { print $5; exit } }' /proc/locks)`,
  '  [ -n "$pid" ] || continue',
  '  cat "/proc/$pid/comm" 2>/dev/null || echo "another program"',
  '  break',
  'done',
];
