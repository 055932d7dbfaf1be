/** No passwords over SSH, by a file that sshd reads first. */
import { type Action, left, type System } from '../action.js';
import { isOwn, writeLines } from '../own-files.js';
import { readFile, readOutput } from '../read.js';

/** sshd takes the first value of a setting, and reads these files by name: before cloud-init's 50-cloud-init.conf. */
const FILE = '/etc/ssh/sshd_config.d/00-do-deploy.conf';

const CONTENT = `# Written by do-deploy bootstrap: keys only.
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
`;

export const sshd: Action = {
  name: 'sshd',
  reads: () => [
    // What holds for everybody. What an administrator allows some users in a Match block is not shown, and stays.
    // Its folder lies in /run, which is empty after a start where nothing has logged in by systemd's socket.
    readOutput(
      'settings',
      `mkdir -p /run/sshd && sshd -T | grep -E '^(passwordauthentication|kbdinteractiveauthentication|permitrootlogin) '`,
    ),
    readOutput(
      'include',
      `grep -qiE '^[[:space:]]*Include[[:space:]]+"?(/etc/ssh/)?sshd_config\\.d/\\*\\.conf' /etc/ssh/sshd_config`,
    ),
    readFile('file', FILE),
  ],
  plan(read, { wanted, system }) {
    if (!wanted.hardenSsh || isHard(read.one('settings') ?? '')) return [];
    const current = read.file('file');
    if (!read.has('settings')) return [left("sshd's settings cannot be read: passwords may be allowed over SSH")];
    if (!read.has('include')) {
      return [left('/etc/ssh/sshd_config does not include sshd_config.d/*.conf: passwords may be allowed over SSH')];
    }
    if (current !== undefined && !isOwn(current)) return [left(`${FILE} is not do-deploy's`)];
    if (current === CONTENT)
      return [left("another file for sshd comes before do-deploy's: passwords may be allowed over SSH")];
    return [
      {
        kind: 'change',
        sentence: 'allow no passwords over SSH, and root only with a key',
        files: [FILE],
        script: [
          `if [ -f ${FILE} ]; then cp -p ${FILE} "$guard/before"; fi`,
          ...writeLines(FILE, CONTENT, '644'),
          'sshd -t',
          ...reload(system),
        ],
        undo: [
          `if [ -f "$guard/before" ]; then cp -p "$guard/before" ${FILE}; else rm -f ${FILE}; fi`,
          ...reload(system),
        ],
      },
    ];
  },
};

/** A stricter setting for root stays. */
function isHard(settings: string): boolean {
  return (
    /\bpasswordauthentication no\b/.test(settings) &&
    /\bkbdinteractiveauthentication no\b/.test(settings) &&
    /\bpermitrootlogin (no|prohibit-password|without-password|forced-commands-only)\b/.test(settings)
  );
}

/** Connections stay. Where sshd starts with the next connection, there is nothing to reload. */
function reload({ hasSystemd }: System): string[] {
  return hasSystemd
    ? ['if systemctl is-active --quiet ssh; then systemctl reload ssh >&2; fi']
    : [`kill -HUP "$(cat "$(sshd -T | sed -n 's/^pidfile //p')")"`];
}
