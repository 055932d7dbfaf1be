/**
 * The folder on a droplet that holds its locks: one place, whichever user logs in.
 *
 * It lies in /run/lock, or in /tmp where /run/lock is not open to every user (Fedora, AlmaLinux). Both are sticky, so
 * only root and its owner can replace it. It belongs to the group that may use Docker: exactly those users may
 * deploy, and no other user can open the lock files, hold them, or forge their holder.
 */

/** Environment variable of the droplet that names another folder. It must exist, and is used as it is. */
export const LOCK_FOLDER_VARIABLE = 'DO_DEPLOY_LOCK_DIR';

/** Exit code when the lock folder cannot be used; the last line printed is `foreign PATH` or `closed PATH`. */
export const BAD_LOCK_FOLDER = 70;

/** Sets `$locks`. Creates nothing. */
export const FIND_LOCK_FOLDER = `locks=\${${LOCK_FOLDER_VARIABLE}:-$([ -k /run/lock ] && echo /run/lock/do-deploy || echo /tmp/do-deploy)}`;

/** Files in the folder are as open as the folder itself: to the group, to all users where Docker's socket is, or to none. */
export const SHARED_UMASK =
  'case $(ls -ldn "$locks") in ????????w*) umask 000 ;; ?????w*) umask 007 ;; *) umask 077 ;; esac';

/**
 * Sets `$locks`, and creates the folder when it is missing. A folder, file or link that a user without access to Docker
 * has put there is refused, and replaced where the SSH user is root or has sudo without a password.
 */
export const OPEN_LOCK_FOLDER = [
  // Systems without systemd may start without it.
  `[ -n "\${${LOCK_FOLDER_VARIABLE}:-}" ] || [ -e /run/lock ] || [ -e /tmp/do-deploy ] || mkdir -m 1777 /run/lock 2>/dev/null || :`,
  FIND_LOCK_FOLDER,
  `if [ -z "\${${LOCK_FOLDER_VARIABLE}:-}" ]; then`,
  '  set -- $(ls -ldnL /var/run/docker.sock 2>/dev/null)',
  `  docker=\${4:-$(getent group docker 2>/dev/null | cut -d : -f 3)}`,
  // Docker's socket may be open to all users; then they all may deploy.
  `  case \${1:-} in ????????w*) open=yes mode=2777 ;; *) open= mode=2770 ;; esac`,
  // Only members of a group can give a folder to it.
  '  trusted() {',
  '    set -- $(ls -ldn "$1" 2>/dev/null)',
  `    case \${1:-} in d*) ;; *) return 1 ;; esac`,
  `    [ "$3" = 0 ] || [ "$3" = "$(id -u)" ] || [ "$4" = "\${docker:-none}" ] || [ -n "$open" ]`,
  '  }',
  // Another run may have replaced it a moment ago: what was moved aside is looked at again before it is removed.
  '  remove() {',
  `    if [ "$(id -u)" = 0 ]; then sudo=; else sudo='sudo -n'; fi`,
  '    old=$(mktemp -d "$locks.XXXXXX") || return 1',
  '    if $sudo mv -T "$locks" "$old/stranger" 2>/dev/null && trusted "$old/stranger"; then',
  '      $sudo mv -T "$old/stranger" "$locks" || :',
  '    fi',
  '    $sudo rm -rf "$old" 2>/dev/null || rm -rf "$old"',
  '  }',
  // Complete before it gets its name, and not empty: another user who creates it at the same moment cannot replace it.
  '  create() {',
  '    new=$(mktemp -d "$locks.XXXXXX") || return 1',
  '    : >"$new/in-use"',
  '    { [ -n "$docker" ] && chgrp "$docker" "$new"; } 2>/dev/null || [ -n "$open" ] || mode=700',
  '    chmod "$mode" "$new"',
  '    mv -T "$new" "$locks" 2>/dev/null || rm -rf "$new"',
  '  }',
  '  if ! trusted "$locks"; then',
  '    if { [ -e "$locks" ] || [ -L "$locks" ]; } && ! trusted "$locks"; then remove || :; fi',
  '    [ -e "$locks" ] || create || :',
  '  fi',
  `  trusted "$locks" || { printf 'foreign %s\\n' "$locks"; exit ${BAD_LOCK_FOLDER}; }`,
  'fi',
  `{ [ -w "$locks" ] && [ -x "$locks" ]; } || { printf 'closed %s\\n' "$locks"; exit ${BAD_LOCK_FOLDER}; }`,
];
