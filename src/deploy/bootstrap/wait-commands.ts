/** What a fresh droplet may still be busy with. */
import type { RemoteCommand } from '../../ports.js';
import { command } from '../core/shell.js';

/** Files on which apt and dpkg hold locks of fcntl, in the order in which they take them. */
const LOCKS = [
  '/var/lib/dpkg/lock-frontend',
  '/var/lib/dpkg/lock',
  '/var/lib/apt/lists/lock',
  '/var/cache/apt/archives/lock',
];

/** Prints the program that holds one of apt's locks, or nothing. /proc/locks (proc(5)) has the inode behind two numbers. */
export function aptHolderCommand(): RemoteCommand {
  return command('apt-lock', {}, [
    `for file in ${LOCKS.join(' ')}; do`,
    '  inode=$(stat -c %i "$file" 2>/dev/null) || continue',
    `  pid=$(awk -v inode="$inode" '$2 == "POSIX" { n = split($6, at, ":"); if (at[n] == inode) { print $5; exit } }' /proc/locks)`,
    '  [ -n "$pid" ] || continue',
    '  cat "/proc/$pid/comm" 2>/dev/null || echo "another program"',
    '  break',
    'done',
  ]);
}

/** Prints cloud-init's status, `status: running`; nothing where there is none. */
export function cloudInitCommand(): RemoteCommand {
  return command('cloud-init', {}, [
    'command -v cloud-init >/dev/null 2>&1 || exit 0',
    "cloud-init status 2>/dev/null | grep '^status: ' || :",
  ]);
}
