import { setMaxListeners } from 'node:events';
import { createServer, type Server as NetServer, type Socket } from 'node:net';
import ssh2, { type AuthContext, type Connection, type ParsedKey, type ServerChannel } from 'ssh2';
import { listen } from '../http.js';
import type { Executor } from './exec.js';
import type { DropletFaults } from './faults.js';
import { type KeyPair, makeKeyPair } from './keys.js';
import { type SftpSettings, serveSftp } from './sftp.js';
import { Wire, type WireConditions } from './wire.js';

/** By default sshd sends no keepalives (ClientAliveInterval 0), but ssh2 does. */
const NEVER_MS = 2 ** 31 - 1;

export interface SshServerOptions {
  user: string;
  /** The public key that may log in, as a line of authorized_keys. */
  authorizedKey: string;
  executor: Executor;
  sftp: SftpSettings;
  faults: Readonly<DropletFaults>;
  /** Connects to an address and port on the droplet, for direct-tcpip forwarding; rejects if nothing listens. */
  forward(address: string, port: number): Promise<Socket>;
}

/** A droplet's sshd on a free loopback port: public key authentication, exec, SFTP and local forwarding. */
export class SshServer {
  readonly #options: SshServerOptions;
  readonly #authorized: ParsedKey;
  readonly #hostKey = makeKeyPair();
  #otherHostKey: KeyPair | undefined;
  readonly #wires = new Set<Wire>();
  #listener: NetServer | undefined;
  #port = 0;

  private constructor(options: SshServerOptions) {
    this.#options = options;
    const parsed = ssh2.utils.parseKey(options.authorizedKey);
    if (parsed instanceof Error) throw parsed;
    this.#authorized = parsed;
  }

  static async start(options: SshServerOptions): Promise<SshServer> {
    const server = new SshServer(options);
    await server.#listen();
    return server;
  }

  get port(): number {
    return this.#port;
  }

  /** The droplet's own host key. */
  get hostKey(): string {
    return this.#hostKey.public;
  }

  /** Applies changed faults. */
  async resettle(): Promise<void> {
    const { ssh } = this.#options.faults;
    for (const wire of this.#wires) wire.resettle();
    if (ssh === 'refuse') this.#stopListening();
    else if (this.#listener === undefined) await this.#listen();
  }

  resetConnections(): void {
    for (const wire of this.#wires) wire.reset();
  }

  stop(): void {
    this.#stopListening();
    for (const wire of this.#wires) wire.destroy();
  }

  async #listen(): Promise<void> {
    const listener = createServer((socket) => this.#welcome(socket));
    this.#port = await listen(listener, this.#port);
    listener.on('error', () => {});
    this.#listener = listener;
  }

  /** Open connections continue. */
  #stopListening(): void {
    this.#listener?.close();
    this.#listener = undefined;
  }

  #welcome(socket: Socket): void {
    const { faults } = this.#options;
    const conditions: WireConditions = {
      get latencyMs() {
        return faults.sshLatencyMs;
      },
      get silent() {
        return faults.ssh === 'black-hole';
      },
    };
    const wire = new Wire(socket, conditions);
    this.#wires.add(wire);
    wire.on('close', () => this.#wires.delete(wire));
    wire.on('error', () => {});
    // One server per connection: each may present another host key.
    const server = new ssh2.Server(
      { hostKeys: [this.#currentHostKey().private], keepaliveInterval: NEVER_MS },
      (connection) => this.#serve(connection),
    );
    server.on('error', () => {});
    server.injectSocket(wire as unknown as Socket);
  }

  #currentHostKey(): KeyPair {
    if (!this.#options.faults.hostKeyChanged) return this.#hostKey;
    this.#otherHostKey ??= makeKeyPair();
    return this.#otherHostKey;
  }

  #serve(connection: Connection): void {
    // Without a listener, an RST from a client would end the sandbox.
    connection.on('error', () => {});
    const lost = new AbortController();
    // Every running command adds a listener.
    setMaxListeners(0, lost.signal);
    connection.on('close', () => lost.abort());
    connection.on('authentication', (context) => {
      if (this.#accepts(context)) context.accept();
      else context.reject(['publickey']);
    });
    connection.on('session', (accept) => {
      const session = accept();
      session.on('error', () => {});
      this.#options.executor.serve(session, lost.signal);
      session.on('sftp', (acceptSftp) => serveSftp(acceptSftp(), this.#options.sftp));
    });
    connection.on('tcpip', (accept, reject, { destIP, destPort }) => {
      this.#options.forward(destIP, destPort).then((socket) => join(accept(), socket), reject);
    });
  }

  #accepts(context: AuthContext): boolean {
    const { faults, user } = this.#options;
    if (faults.authRefused || context.method !== 'publickey' || context.username !== user) return false;
    if (!context.key.data.equals(this.#authorized.getPublicSSH())) return false;
    // Without a signature, the client only asks whether this key would be accepted.
    if (context.signature === undefined || context.blob === undefined) return true;
    return this.#authorized.verify(context.blob, context.signature, context.hashAlgo) === true;
  }
}

/** Connects both until either end closes. */
function join(channel: ServerChannel | undefined, socket: Socket): void {
  socket.on('error', () => {});
  if (channel === undefined) {
    socket.destroy();
    return;
  }
  channel.on('error', () => {});
  channel.pipe(socket).pipe(channel);
  channel.on('close', () => socket.destroy());
  socket.on('close', () => channel.end());
}
