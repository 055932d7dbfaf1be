/** SSH for everybody; the app's ports for the balancer's VPC, or for the addresses that the project names. */
import { DeployError } from '../../../errors.js';
import { type Action, left, type Planned, type Wanted } from '../action.js';
import { installLines } from '../apt.js';
import {
  type FirewallRules,
  firewallScript,
  LOADED,
  FIREWALL_SCRIPT as SCRIPT,
  UNIT,
  FIREWALL_UNIT as UNIT_FILE,
} from '../firewall-script.js';
import { networkOf } from '../network.js';
import { isOwn, type Read, readFile, readOutput, writeLines } from '../read.js';

/** Rules of INPUT that keep nobody out by themselves, or are do-deploy's. */
const HARMLESS = /^(-P INPUT ACCEPT|-A INPUT -j DO-DEPLOY-HOST|-A INPUT .*-j f2b-\S+)$/;

export const firewall: Action = {
  name: 'firewall',
  reads: () => [
    readOutput('iptables', 'command -v iptables'),
    "iptables -S INPUT 2>/dev/null | head -n 100 | sed 's/^/input /'",
    "ip -o -4 addr show 2>/dev/null | sed -n 's/^.* inet \\([0-9./]*\\) .*$/address \\1/p'",
    "mkdir -p /run/sshd && sshd -T 2>/dev/null | grep '^port '",
    // The port that this session came to.
    `[ -z "\${SSH_CONNECTION:-}" ] || printf 'port %s\\n' "\${SSH_CONNECTION##* }"`,
    readOutput('nftables', `grep -E '"firewall-backend" *: *"nftables"' /etc/docker/daemon.json`),
    readFile('script', SCRIPT),
    readFile('unit', UNIT_FILE),
    readOutput('enabled', 'systemctl is-enabled do-deploy-firewall'),
    `if [ -x ${SCRIPT} ] && [ -f ${LOADED} ] && [ "$(${SCRIPT} list)" = "$(cat ${LOADED})" ]; then echo loaded; fi`,
  ],
  plan(read, { wanted, system: { hasSystemd } }) {
    if (wanted.firewall === false) return [];
    if (read.has('nftables')) {
      return [
        left("Docker's firewall-backend is nftables, which has no DOCKER-USER chain: do-deploy adds no firewall"),
      ];
    }
    const current = { script: read.file('script'), unit: read.file('unit') };
    for (const [path, content] of [
      [SCRIPT, current.script],
      [UNIT_FILE, current.unit],
    ] as const) {
      if (content !== undefined && !isOwn(content)) return [left(`${path} is not do-deploy's`)];
    }
    const rules = rulesFor(read, wanted);
    const script = firewallScript(rules);
    const remarks: Planned[] = [
      ...(rules.onlyContainers ? [left('INPUT has rules already: do-deploy guards only the ports of containers')] : []),
      ...(hasSystemd
        ? []
        : [left(`without systemd, nothing loads the firewall when the droplet starts: ${SCRIPT} start`)]),
    ];
    const isInPlace =
      current.script === script && (!hasSystemd || (current.unit === UNIT && read.one('enabled') === 'enabled'));
    if (isInPlace && read.has('loaded')) return remarks;
    const isMissing = !read.has('iptables');
    const load = hasSystemd
      ? [
          'systemctl daemon-reload',
          'systemctl enable do-deploy-firewall >&2',
          // Its script has changed, perhaps: started again, also if it is active.
          'systemctl restart do-deploy-firewall >&2',
        ]
      : [`${SCRIPT} start`];
    return [
      {
        kind: 'change',
        sentence: `admit ${admitted(rules)}`,
        files: [SCRIPT, ...(hasSystemd ? [UNIT_FILE] : [])],
        script: [
          ...(isMissing ? installLines('iptables') : []),
          `if [ -f ${SCRIPT} ]; then cp -p ${SCRIPT} "$guard/before"; fi`,
          ...writeLines(SCRIPT, script, '755'),
          ...(hasSystemd ? writeLines(UNIT_FILE, UNIT, '644') : []),
          ...load,
        ],
        undo: [
          `${SCRIPT} stop || :`,
          'if [ -f "$guard/before" ]; then',
          `  cp -p "$guard/before" ${SCRIPT}; ${SCRIPT} start`,
          'else',
          ...(hasSystemd ? ['  systemctl disable do-deploy-firewall >&2 || :'] : []),
          `  rm -f ${SCRIPT} ${UNIT_FILE}`,
          'fi',
        ],
        ...(isMissing && { usesApt: true, timeoutMs: 5 * 60_000 }),
      },
      ...remarks,
    ];
  },
};

function rulesFor(read: Read, { firewall: written, privateAddress, openPorts }: Wanted): FirewallRules {
  const { from, open = [] } = written === false ? {} : written;
  const network = networkOf(privateAddress, read.all('address'));
  if (from === undefined && network === undefined && open.length + openPorts.length === 0) {
    throw new DeployError(
      'bootstrap-refused',
      'It has no address in a VPC: its firewall would let nobody reach the app.',
      {
        source: 'user',
        hint: 'Say who may: bootstrap: { firewall: { open: [80, 443] } }, or from: with addresses; or firewall: false.',
      },
    );
  }
  const ports = (list: readonly (number | string)[]) =>
    [...new Set(list.map(Number))].filter((port) => port >= 1 && port <= 65_535).sort((a, b) => a - b);
  return {
    ssh: ports([...read.all('port'), ...(read.has('port') ? [] : [22])]),
    from: [...(from ?? (network === undefined ? [] : [network]))],
    open: ports([...open, ...openPorts]),
    onlyContainers: read.all('input').some((rule) => !HARMLESS.test(rule)),
  };
}

/** "SSH, from 10.10.0.0/20 everything, and from everywhere port 443". */
function admitted({ from, open, onlyContainers }: FirewallRules): string {
  const parts = [
    ...(onlyContainers ? [] : ['SSH']),
    ...(from.length > 0 ? [`from ${from.join(', ')} ${onlyContainers ? 'every published port' : 'everything'}`] : []),
    ...(open.length > 0 ? [`from everywhere the ports ${open.join(', ')}`] : []),
  ];
  return `${parts.join('; ') || 'nothing'}; and nothing else`;
}
