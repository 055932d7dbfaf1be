/** SSH for everybody; the app's ports for the balancer's VPC, or for the addresses that the project names. */
import { DeployError } from '../../../errors.js';
import { type Action, type Change, left, type Planned, type Wanted } from '../action.js';
import { installLines } from '../apt.js';
import {
  type FirewallRules,
  firewallScript,
  LOADED,
  FIREWALL_SCRIPT as SCRIPT,
  UNIT,
  FIREWALL_UNIT as UNIT_FILE,
} from '../firewall-script.js';
import { NETWORKS, networkOf } from '../network.js';
import { isOwn, writeLines } from '../own-files.js';
import { type Read, readFile, readOutput } from '../read.js';

/** Rules of INPUT that keep nobody out by themselves, or are do-deploy's. */
const HARMLESS = /^(-P INPUT ACCEPT|-A INPUT -j DO-DEPLOY-HOST|-A INPUT .*-j f2b-\S+)$/;

const INSTALL: Change = {
  kind: 'change',
  sentence: 'install iptables',
  files: [],
  // Docker's packages may have brought it since the droplet was read.
  script: ['if ! command -v iptables >/dev/null; then', ...installLines('iptables').map((line) => `  ${line}`), 'fi'],
  usesApt: true,
};

export const firewall: Action = {
  name: 'firewall',
  reads: () => [
    readOutput('iptables', 'command -v iptables'),
    "iptables -S INPUT 2>/dev/null | head -n 100 | sed 's/^/input /'",
    NETWORKS,
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
    const load = hasSystemd
      ? [
          'systemctl daemon-reload',
          'systemctl enable do-deploy-firewall >&2',
          // Its script has changed, perhaps: started again, also if it is active.
          'systemctl restart do-deploy-firewall >&2',
        ]
      : [`${SCRIPT} start`];
    return [
      // A change of its own: a download may take longer than the guard of the next one waits.
      ...(read.has('iptables') ? [] : [INSTALL]),
      {
        kind: 'change',
        sentence: admit(rules),
        files: [SCRIPT, ...(hasSystemd ? [UNIT_FILE] : [])],
        script: [
          `if [ -f ${SCRIPT} ]; then cp -p ${SCRIPT} "$guard/before"; fi`,
          ...writeLines(SCRIPT, script, '755'),
          ...(hasSystemd ? writeLines(UNIT_FILE, UNIT, '644') : []),
          ...load,
        ],
        undo: [
          'code=0',
          `[ ! -x ${SCRIPT} ] || ${SCRIPT} stop || code=$?`,
          'if [ -f "$guard/before" ]; then',
          `  cp -p "$guard/before" ${SCRIPT}; ${SCRIPT} start`,
          'else',
          ...(hasSystemd ? ['  systemctl disable do-deploy-firewall >&2 || :'] : []),
          `  rm -f ${SCRIPT} ${UNIT_FILE}`,
          'fi',
          'exit "$code"',
        ],
      },
      ...remarks,
    ];
  },
};

function rulesFor(read: Read, { firewall: written, privateAddress, openPorts, isPublic }: Wanted): FirewallRules {
  const { from, open } = written === false ? {} : written;
  // Where nobody has said which ports: those that its containers publish.
  const openPublished = isPublic && open === undefined;
  const network = networkOf(privateAddress, read.all('network'));
  const isReached = openPublished || [...(open ?? []), ...openPorts].length > 0;
  if (from === undefined && network === undefined && !isReached) {
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
    open: ports([...(open ?? []), ...openPorts]),
    openPublished,
    onlyContainers: read.all('input').some((rule) => !HARMLESS.test(rule)),
  };
}

/** "80, 443 and 8080" */
function listed(words: readonly (string | number)[]): string {
  return words.length < 2 ? words.join() : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}

/** "admit only SSH, everything from 10.10.0.0/20 and port 443 from everywhere" */
function admit({ from, open, openPublished, onlyContainers }: FirewallRules): string {
  const published = onlyContainers ? 'connections to published ports' : 'everything';
  const parts = [
    ...(onlyContainers ? [] : ['SSH']),
    ...(from.length > 0 ? [`${published} from ${listed(from)}`] : []),
    ...(openPublished ? ['published ports from everywhere'] : []),
    ...(open.length > 0 ? [`${open.length === 1 ? 'port' : 'ports'} ${listed(open)} from everywhere`] : []),
  ];
  if (parts.length === 0) return 'admit nothing to published ports';
  return `admit only ${listed(parts)}`;
}
