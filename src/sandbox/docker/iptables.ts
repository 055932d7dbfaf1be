import type { Engine } from './engine.js';
import { NotImplemented } from './failure.js';
import { bridgeName } from './inspect.js';

/** A SYN on the loopback or in a VPC: 20 bytes of IP, 40 bytes of TCP with options. */
const SYN_BYTES = 60;

/**
 * `iptables -t nat -L DOCKER -vnx`: Docker's DNAT rules. The nat table sees only the first packet of a connection, so
 * `pkts` counts connections since the port was published. As in NetworkSettings.Ports, the container's port is the one
 * on 127.0.0.1 that serves it. Protocols are named, as by most versions of iptables; 1.8.9 (Debian 12) numbers them.
 */
export function listNatRules(engine: Engine, args: readonly string[]): string {
  const listing = args.join(' ').replace(/^-w(?: \d+)? | -w(?: \d+)?$/, '');
  if (listing !== '-t nat -L DOCKER -vnx') throw new NotImplemented(`iptables ${args.join(' ')}`);

  const rules = engine.ports.list();
  const bridges = [...new Set(rules.map(({ container }) => bridgeName(container.spec.network)))];
  const lines = [
    'Chain DOCKER (2 references)',
    '    pkts      bytes target     prot opt in     out     source               destination         ',
    ...bridges.map(
      (bridge) => `${counters(0)} RETURN     all  --  ${bridge} *       0.0.0.0/0            0.0.0.0/0           `,
    ),
    ...rules.map(({ container, packets, hostIp, hostPort, containerPort }) => {
      const target = `${container.address}:${container.portOf(containerPort) ?? containerPort}`;
      const destination = (hostIp || '0.0.0.0') === '0.0.0.0' ? '0.0.0.0/0' : hostIp;
      return `${counters(packets)} DNAT       tcp  --  !${bridgeName(container.spec.network)} *       0.0.0.0/0            ${destination.padEnd(20)} tcp dpt:${hostPort} to:${target}`;
    }),
  ];
  return `${lines.join('\n')}\n`;
}

function counters(packets: number): string {
  return `${packets}`.padStart(8) + `${packets * SYN_BYTES}`.padStart(9);
}
