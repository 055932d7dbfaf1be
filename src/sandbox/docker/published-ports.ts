import { createHash } from 'node:crypto';
import type { Container, PublishedPort } from './container.js';
import { daemonError } from './failure.js';

/** A published port of a running container and Docker's DNAT rule for it. */
export interface PortRule extends PublishedPort {
  container: Container;
  /** Connections from outside since the rule was created, as the kernel counts them. */
  packets: number;
}

/** Which container serves which port of the droplet. Host ports are virtual: nothing listens on them. */
export class PublishedPorts {
  readonly #rules: PortRule[] = [];

  list(): readonly PortRule[] {
    return this.#rules;
  }

  open(container: Container): void {
    for (const port of container.spec.ports) {
      if (this.#rules.some((rule) => overlaps(rule, port))) {
        this.close(container);
        const endpoint = createHash('sha256').update(container.id).digest('hex');
        throw daemonError(
          `driver failed programming external connectivity on endpoint ${container.name} (${endpoint}): Bind for ${port.hostIp || '0.0.0.0'}:${port.hostPort} failed: port is already allocated`,
        );
      }
      this.#rules.push({ ...port, container, packets: 0 });
    }
  }

  close(container: Container): void {
    for (let i = this.#rules.length - 1; i >= 0; i -= 1) {
      if (this.#rules[i]?.container === container) this.#rules.splice(i, 1);
    }
  }

  /** The rule for a connection to `address:port`; a port may be published on one address only. */
  find(address: string, port: number): PortRule | undefined {
    return this.#rules.find(
      (rule) => rule.hostPort === port && (isEveryAddress(rule.hostIp) || rule.hostIp === address),
    );
  }
}

function overlaps(one: PublishedPort, other: PublishedPort): boolean {
  return (
    one.hostPort === other.hostPort &&
    (isEveryAddress(one.hostIp) || isEveryAddress(other.hostIp) || one.hostIp === other.hostIp)
  );
}

export function isEveryAddress(ip: string): boolean {
  return ip === '' || ip === '0.0.0.0';
}
