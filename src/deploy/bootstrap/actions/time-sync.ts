/** The right time: certificates, and the order of what droplets write, depend on it. */
import { type Action, left } from '../action.js';
import { installLines } from '../apt.js';
import { readOutput } from '../read.js';

/** Any of them is as good. */
const SERVICES = ['systemd-timesyncd', 'chrony', 'chronyd', 'ntp', 'ntpsec', 'ntpd', 'openntpd'];

export const timeSync: Action = {
  name: 'time-sync',
  reads: () => [readOutput('active', `systemctl is-active ${SERVICES.join(' ')} | grep -x active`)],
  plan(read, { system: { hasSystemd } }) {
    if (read.has('active')) return [];
    if (!hasSystemd) return [left('without systemd, do-deploy does not know whether its clock is kept right')];
    return [
      {
        kind: 'change',
        sentence: 'keep the clock right by systemd-timesyncd',
        files: [],
        script: [
          'if ! systemctl cat systemd-timesyncd >/dev/null 2>&1; then',
          ...installLines('systemd-timesyncd').map((line) => `  ${line}`),
          'fi',
          'systemctl enable --now systemd-timesyncd >&2',
        ],
        usesApt: true,
      },
    ];
  },
};
