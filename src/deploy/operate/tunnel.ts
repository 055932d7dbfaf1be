/** A port of this machine that leads to a port of a container. */
import { isIP } from 'node:net';
import { type Duplex, pipeline } from 'node:stream';
import type { Settings } from '../../config/settings.js';
import { asDeployError, DeployError, ShellError } from '../../errors.js';
import { command, quote } from '../core/shell.js';
import type { Member } from '../droplet/member.js';
import { readRelease, runningContainer } from './services.js';

/**
 * Connects to the port of the service's container, at the container's own address. A deploy gives it another one: the
 * address is looked up again when it does not answer.
 */
export class ContainerPort {
  readonly #member: Member;
  readonly #settings: Settings;
  readonly #wanted: { service: string; port: number };
  #address: Promise<string> | undefined;

  constructor(member: Member, settings: Settings, wanted: { service: string; port: number }) {
    this.#member = member;
    this.#settings = settings;
    this.#wanted = wanted;
  }

  /** Throws DeployError no-release, unknown-service, not-running or no-address, or ShellError. */
  async find(): Promise<string> {
    this.#address = addressOf(this.#member, this.#settings, this.#wanted.service);
    return await this.#address;
  }

  /** Throws like `find`. */
  async connect(): Promise<Duplex> {
    const { port } = this.#wanted;
    const { connection } = this.#member;
    const known = this.#address;
    try {
      return await connection.forward(await (known ?? this.find()), port);
    } catch (error) {
      if (!(error instanceof ShellError) || error.kind !== 'unreachable') throw error;
      // Connections that fail at the same time look it up once.
      if (this.#address === known) this.#address = undefined;
      return await connection.forward(await (this.#address ?? this.find()), port);
    }
  }
}

/** Joins the connection to one there. Never throws: what fails is told, and both ends are closed. */
export async function lead(from: Duplex, to: ContainerPort, tell: (error: DeployError) => void): Promise<void> {
  try {
    const stream = await to.connect();
    pipeline(from, stream, from, () => {
      from.destroy();
      stream.destroy();
    });
  } catch (error) {
    from.destroy();
    tell(asDeployError(error));
  }
}

async function addressOf(member: Member, settings: Settings, service: string): Promise<string> {
  const release = await readRelease(member, settings);
  const container = runningContainer(member, release, service);
  if (container.hostNetwork) return '127.0.0.1';
  const { stdout } = await member.connection.run(addressCommand(container.id));
  const address = stdout.split('\n').find((line) => isIP(line.trim()) !== 0);
  if (address !== undefined) return address.trim();
  throw new DeployError('no-container-address', `The container of ${service} on ${member.host.name} has no address.`, {
    droplet: member.host.name,
    hint: 'It has no network of its own (network_mode): tunnel to the service whose network it uses.',
  });
}

function addressCommand(container: string) {
  const format = '{{range .NetworkSettings.Networks}}{{println .IPAddress}}{{end}}';
  const inspect = `docker inspect --format ${quote(format)} ${quote(container)} 2>/dev/null || :`;
  return command('container-address', { container }, [inspect], { reads: true });
}
