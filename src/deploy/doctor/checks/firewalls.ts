/** Whether cloud firewalls let the balancer and do-deploy in. A droplet without any is open. */
import type { Droplet, Firewall, InboundRule, LoadBalancer } from '../../../ports.js';
import type { Facts } from '../facts.js';
import type { Found } from '../found.js';

export function checkFirewalls({ firewalls = [], roles, refused }: Facts): Found[] {
  const unreached = new Set(refused.filter(({ error }) => error.code === 'ssh-unreachable').map((one) => one.droplet));
  return roles.flatMap(({ balancer, fleet, settings }) =>
    fleet.flatMap(({ droplet }): Found[] => {
      const own = firewalls.filter((one) => appliesTo(one, droplet));
      if (own.length === 0) return [];
      const rules = own.flatMap(({ inbound }) => inbound);
      const names = own.map(({ name }) => `"${name}"`).join(' and ');
      const which = own.length === 1 ? `The firewall ${names} of the droplet` : `The firewalls ${names} of the droplet`;
      const found: Found[] = [];
      const shut = portsOf(balancer).filter((port) => !rules.some((rule) => admits(rule, port, balancer, droplet)));
      if (balancer !== undefined && shut.length > 0) {
        found.push({
          name: 'firewall-balancer',
          droplet: droplet.name,
          message: `${which} ${own.length === 1 ? 'does' : 'do'} not admit load balancer "${balancer.name}" at ${listed(shut)}.`,
          fix: `Add an inbound rule: doctl compute firewall add-rules FIREWALL_ID --inbound-rules "protocol:tcp,ports:${shut[0]},load_balancer_uid:${balancer.id}"`,
        });
      }
      const { port } = settings.ssh;
      // What is reached is admitted in some way, such as from the VPC.
      if (unreached.has(droplet.name) && !rules.some(({ ports }) => isIn(port, ports))) {
        found.push({
          name: 'firewall-ssh',
          droplet: droplet.name,
          message: `${which} ${own.length === 1 ? 'admits' : 'admit'} nobody at port ${port}.`,
          fix: `Add an inbound rule: doctl compute firewall add-rules FIREWALL_ID --inbound-rules "protocol:tcp,ports:${port},address:0.0.0.0/0,address:::/0"`,
        });
      }
      return found;
    }),
  );
}

function appliesTo({ tags, dropletIds }: Firewall, droplet: Droplet): boolean {
  return dropletIds.includes(droplet.id) || tags.some((tag) => droplet.tags.includes(tag));
}

function portsOf(balancer: LoadBalancer | undefined): number[] {
  return balancer === undefined ? [] : [...new Set([...balancer.targetPorts, balancer.healthCheck.port])];
}

function admits(
  { ports, addresses, balancerIds }: InboundRule,
  port: number,
  balancer: LoadBalancer | undefined,
  { privateAddress }: Droplet,
): boolean {
  if (!isIn(port, ports)) return false;
  // The balancer's own address in the VPC is not known: it is in the droplet's network.
  return balancerIds.includes(balancer?.id ?? '') || addresses.some((range) => covers(range, privateAddress));
}

function isIn(port: number, { from, to }: InboundRule['ports']): boolean {
  return from <= port && port <= to;
}

/** Whether a range of IPv4 covers the address, and more than that one. */
export function covers(range: string, address: string | undefined): boolean {
  const [, first = '', bits = '32'] = /^([\d.]+)(?:\/(\d{1,2}))?$/.exec(range) ?? [];
  const [network, own] = [first, address ?? ''].map(numberOf);
  const size = 2 ** (32 - Number(bits));
  if (bits === '0' && network !== undefined) return true;
  if (network === undefined || own === undefined || size === 1) return false;
  return Math.floor(network / size) === Math.floor(own / size);
}

function numberOf(address: string): number | undefined {
  const parts = address.split('.').map(Number);
  return parts.length === 4 && parts.every((part) => part >= 0 && part < 256)
    ? parts.reduce((sum, part) => sum * 256 + part, 0)
    : undefined;
}

function listed(ports: readonly number[]): string {
  return `port${ports.length === 1 ? '' : 's'} ${ports.join(', ')}`;
}
