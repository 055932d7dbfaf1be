/** A swap file for small droplets: a deploy runs the old and the new containers' images side by side for moments. */
import { type Action, left } from '../action.js';
import { readOutput } from '../read.js';

const FILE = '/do-deploy.swap';
const GIB = 1024;

/** With less memory than this, in MiB; a droplet of 2 GiB shows a little less. */
const SMALL = 2 * GIB;
/** What stays free on the disk, in MiB. */
const RESERVE = 4 * GIB;

export const swap: Action = {
  name: 'swap',
  reads: () => [
    readOutput('memory', 'awk \'$1 == "MemTotal:" { print int($2 / 1024) }\' /proc/meminfo'),
    'awk \'NR > 1 { print "swap", $1 }\' /proc/swaps',
    readOutput('free', "df -Pm / | awk 'NR == 2 { print $4 }'"),
    readOutput('filesystem', "df -PT / | awk 'NR == 2 { print $2 }'"),
  ],
  plan(read, { wanted }) {
    const memory = Number(read.one('memory') ?? Number.NaN);
    if (wanted.swap === false || read.has('swap') || !(memory < SMALL)) return [];
    const size = memory < GIB ? GIB : SMALL;
    // Of others, only some can hold one, in their own ways.
    if (!/^(ext[34]|xfs)$/.test(read.one('filesystem') ?? ''))
      return [left('its file system takes no swap file as it is')];
    if (!(Number(read.one('free')) >= size + RESERVE)) return [left('its disk has no room for a swap file')];
    return [
      {
        kind: 'change',
        sentence: `add ${size / GIB} GiB of swap to ${memory} MiB of memory`,
        files: [FILE, '/etc/fstab'],
        script: [
          'umask 077',
          `rm -f ${FILE}`,
          `fallocate -l ${size}M ${FILE}`,
          `mkswap ${FILE} >&2`,
          `swapon ${FILE}`,
          `grep -q '^${FILE} ' /etc/fstab || printf '# Written by do-deploy bootstrap.\\n%s none swap sw 0 0\\n' ${FILE} >>/etc/fstab`,
        ],
      },
    ];
  },
};
