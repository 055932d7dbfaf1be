/**
 * The rules of the firewall, as a script that stays on the droplet and runs whenever it starts.
 *
 * Docker publishes ports by DNAT: their packets are forwarded, and never pass INPUT, where most firewalls look. Docker calls
 * the chain DOCKER-USER first, and leaves its rules alone, also when it restarts
 * (https://docs.docker.com/engine/network/packet-filtering-firewalls/). The port that was asked for is known only to the
 * connection by then (`--ctorigdstport`). Without ip6tables in its settings, Docker accepts IPv6 itself: that passes INPUT.
 *
 * What is allowed returns to the rules of others; only what is not ends here.
 */

export interface FirewallRules {
  /** Ports of sshd. */
  ssh: readonly number[];
  /** Addresses and ranges that reach everything. */
  from: readonly string[];
  /** Ports that everybody reaches. */
  open: readonly number[];
  /** Everybody reaches every port that Docker publishes. */
  openPublished: boolean;
  /** An administrator has rules for the droplet's own ports: only those of containers are guarded. */
  onlyContainers: boolean;
}

/** Chains of iptables. */
const [HOST, CONTAINERS] = ['DO-DEPLOY-HOST', 'DO-DEPLOY-CONTAINERS'];

/** Docker's networks; others can be given a name of their own, and are then treated like strangers. */
const BRIDGES = ['docker0', 'br-+'];

export const FIREWALL_SCRIPT = '/usr/local/lib/do-deploy/firewall';
export const FIREWALL_UNIT = '/etc/systemd/system/do-deploy-firewall.service';
/** The rules as iptables lists them after they were loaded: whoever changes them later is noticed. */
export const LOADED = '/run/do-deploy/firewall';

export const UNIT = `# Written by do-deploy bootstrap.
[Unit]
Description=Firewall of do-deploy: SSH, and what may reach published ports
DefaultDependencies=no
After=local-fs.target ufw.service netfilter-persistent.service
Before=network-pre.target docker.service shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=${FIREWALL_SCRIPT} start

[Install]
WantedBy=multi-user.target
`;

export function firewallScript(rules: FirewallRules): string {
  return [
    '#!/bin/sh',
    '# Written by do-deploy bootstrap. Run by do-deploy-firewall.service. Change it by running do-deploy bootstrap again.',
    'set -eu',
    'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
    '',
    'rules4() {',
    "  cat <<'RULES'",
    ...rulesOf(rules, 4),
    'RULES',
    '}',
    '',
    'rules6() {',
    "  cat <<'RULES'",
    ...rulesOf(rules, 6),
    'RULES',
    '}',
    '',
    '# In one step for each family: no packet passes between two rules.',
    'load() {',
    '  "rules$2" | "$1-restore" -w 10 --noflush',
    '  "$1" -w 10 -n -L DOCKER-USER >/dev/null 2>&1 || "$1" -w 10 -N DOCKER-USER',
    `  "$1" -w 10 -C DOCKER-USER -j ${CONTAINERS} 2>/dev/null || "$1" -w 10 -I DOCKER-USER 1 -j ${CONTAINERS}`,
    rules.onlyContainers
      ? `  while "$1" -w 10 -D INPUT -j ${HOST} 2>/dev/null; do :; done`
      : `  "$1" -w 10 -C INPUT -j ${HOST} 2>/dev/null || "$1" -w 10 -I INPUT 1 -j ${HOST}`,
    '}',
    '',
    'unload() {',
    `  while "$1" -w 10 -D INPUT -j ${HOST} 2>/dev/null; do :; done`,
    `  while "$1" -w 10 -D DOCKER-USER -j ${CONTAINERS} 2>/dev/null; do :; done`,
    `  for chain in ${HOST} ${CONTAINERS}; do`,
    '    "$1" -w 10 -F "$chain" 2>/dev/null && "$1" -w 10 -X "$chain" || :',
    '  done',
    '}',
    '',
    'list() {',
    `  "$1" -w 10 -S DOCKER-USER 2>/dev/null | grep -e '-j ${CONTAINERS}' || :`,
    `  "$1" -w 10 -S INPUT | grep -e '-j ${HOST}' || :`,
    `  for chain in ${HOST} ${CONTAINERS}; do "$1" -w 10 -S "$chain" 2>/dev/null || :; done`,
    '}',
    '',
    '# A kernel without IPv6 has no rules for it.',
    'families() {',
    '  echo iptables 4',
    '  ! ip6tables -w 10 -n -L INPUT >/dev/null 2>&1 || echo ip6tables 6',
    '}',
    '',
    `case \${1:-} in`,
    '  start)',
    '    families | while read -r program family; do load "$program" "$family"; done',
    '    mkdir -p /run/do-deploy',
    `    "$0" list >${LOADED}`,
    '    ;;',
    '  stop) families | while read -r program _; do unload "$program"; done ;;',
    '  list) families | while read -r program _; do list "$program"; done ;;',
    '  *)',
    '    echo "usage: $0 start|stop|list" >&2',
    '    exit 2',
    '    ;;',
    'esac',
    '',
  ].join('\n');
}

/** For iptables-restore: the two chains, emptied and filled. */
function rulesOf({ ssh, from, open, openPublished, onlyContainers }: FirewallRules, family: 4 | 6): string[] {
  const own = from.filter((range) => range.includes(':') === (family === 6));
  const established = '-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN';
  const bridges = BRIDGES.map((bridge) => `-i ${bridge} -j RETURN`);
  const sources = own.map((range) => `-s ${range} -j RETURN`);
  const protocols = ['tcp', 'udp'];
  const host = [
    established,
    '-i lo -j RETURN',
    ...bridges,
    // Addresses are given and found by these.
    ...(family === 6
      ? ['-p ipv6-icmp -j RETURN', '-s fe80::/10 -p udp -m udp --dport 546 -j RETURN']
      : ['-p icmp -j RETURN', '-p udp -m udp --sport 67 --dport 68 -j RETURN']),
    ...ssh.map((port) => `-p tcp -m tcp --dport ${port} -j RETURN`),
    ...sources,
    ...protocols.flatMap((protocol) => open.map((port) => `-p ${protocol} -m ${protocol} --dport ${port} -j RETURN`)),
    '-j DROP',
  ];
  const containers = [
    established,
    ...bridges,
    ...sources,
    ...protocols.flatMap((protocol) =>
      open.map((port) => `-p ${protocol} -m conntrack --ctorigdstport ${port} -j RETURN`),
    ),
    // Published ports, and containers' own addresses. What else the droplet forwards, such as a VPN, is not do-deploy's.
    `-m conntrack --ctstate DNAT -j ${openPublished ? 'RETURN' : 'DROP'}`,
    ...BRIDGES.map((bridge) => `-o ${bridge} -j DROP`),
  ];
  return [
    '*filter',
    ...(onlyContainers ? [] : [`:${HOST} - [0:0]`]),
    `:${CONTAINERS} - [0:0]`,
    ...(onlyContainers ? [] : host.map((rule) => `-A ${HOST} ${rule}`)),
    ...containers.map((rule) => `-A ${CONTAINERS} ${rule}`),
    'COMMIT',
  ];
}
