/** What the user that deploys may do as root: read how many connections there are, and nothing else. */
import { OPEN_SOCKETS } from '../../drain/open-connections.js';
import { PORT_COUNTERS } from '../../drain/traffic-command.js';
import { type Action, left } from '../action.js';
import { installLines } from '../apt.js';
import { isOwn, writeLines } from '../own-files.js';
import { readFile, readOutput } from '../read.js';

/** sudo reads no file whose name has a dot. */
export const SUDOERS = '/etc/sudoers.d/do-deploy';

export const sudo: Action = {
  name: 'sudo',
  reads: () => [readFile('file', SUDOERS), readOutput('program', 'command -v visudo')],
  plan(read, { wanted: { user } }) {
    if (user === undefined) return [];
    const content = sudoers(user);
    const current = read.file('file');
    if (current === content) return [];
    if (current !== undefined && !isOwn(current)) return [left(`${SUDOERS} is not do-deploy's`)];
    const isMissing = !read.has('program');
    const fresh = `${SUDOERS}.checked`;
    return [
      {
        kind: 'change',
        sentence: `${isMissing ? 'install sudo, and ' : ''}let ${user} count connections as root`,
        files: [SUDOERS],
        script: [
          ...(isMissing ? installLines('sudo') : []),
          // Put where sudo reads it only when it is valid: a mistake in one file disables sudo for everybody.
          ...writeLines(fresh, content, '440'),
          `if ! visudo -q -c -f ${fresh} >&2; then rm -f ${fresh}; exit 1; fi`,
          `mv -f ${fresh} ${SUDOERS}`,
        ],
        ...(isMissing && { usesApt: true }),
      },
    ];
  },
};

/**
 * Without arguments of its own choice: exactly the commands of a drain. The second needs sudo 1.9.10, which knows regular
 * expressions; to an older one it is a text that nothing equals, and do-deploy waits for idle connections instead.
 * https://www.sudo.ws/docs/man/sudoers.man/#Regular_expressions
 */
export function sudoers(user: string): string {
  const counters = PORT_COUNTERS.replace(/^iptables/, '/usr/sbin/iptables');
  const sockets = `^-t [0-9]+ -n ${OPEN_SOCKETS} [(] sport = :[0-9]+( or sport = :[0-9]+)* [)]$`;
  return [
    '# Written by do-deploy bootstrap: what a deploy reads as root, to know when the balancer has let go of this droplet.',
    // Where sudo looks for a program that is named without its path. An administrator's list may lead elsewhere first.
    `Defaults:${user} secure_path="/usr/sbin:/usr/bin:/sbin:/bin"`,
    `${user} ALL=(root) NOPASSWD: ${counters}`,
    `${user} ALL=(root) NOPASSWD: /usr/bin/nsenter ${sockets.replaceAll(/[,:=]/g, String.raw`\$&`)}`,
    '',
  ].join('\n');
}
