/** An SSH server in this process for tests of the SSH adapter: real commands in its own folder, and faults on demand. */

import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { closeSync, fchmodSync, mkdtempSync, openSync, rmSync, unlinkSync, writeFileSync, writeSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server as NetServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import ssh2, { type Connection, type ServerChannel, type Session, type SFTPWrapper } from 'ssh2';

const { OPEN_MODE, STATUS_CODE } = ssh2.utils.sftp;

export interface KeyPair {
  private: string;
  /** A line of authorized_keys. */
  public: string;
  /** As in known_hosts, without the host: `ssh-ed25519 AAAA…`. */
  line: string;
  blob: Buffer;
}

export type HostKeyType = 'ed25519' | 'ecdsa' | 'rsa';

export function makeKey(type: HostKeyType = 'ed25519', passphrase?: string): KeyPair {
  const bits = type === 'rsa' ? { bits: 2048 } : type === 'ecdsa' ? { bits: 256 } : {};
  const locked = passphrase === undefined ? {} : { passphrase, cipher: 'aes256-ctr', rounds: 1 };
  let pair = ssh2.utils.generateKeyPairSync(type as 'ed25519', { ...bits, ...locked } as never);
  // One in 200 ed25519 keys that ssh2 generates is malformed.
  while (ssh2.utils.parseKey(pair.private, passphrase) instanceof Error) {
    pair = ssh2.utils.generateKeyPairSync(type as 'ed25519', { ...bits, ...locked } as never);
  }
  const line = pair.public.split(' ').slice(0, 2).join(' ');
  return { private: pair.private, public: pair.public, line, blob: Buffer.from(line.split(' ')[1] ?? '', 'base64') };
}

export interface SshServerOptions {
  hostKeys?: KeyPair[];
  /** Keys that may log in. */
  authorized: KeyPair[];
  /** The login shell, called with `-c COMMAND`. */
  shell?: string;
  /** What the login shell runs before a command, as a .bashrc. */
  loginScript?: string;
  forwarding?: boolean;
  /** As a server from before SHA-2: it announces no algorithms for signatures. */
  sha1Only?: boolean;
  /** Concurrent sessions allowed per connection. */
  maxSessions?: number;
}

interface Events {
  exec: [command: string];
  /** A write of an upload has arrived and is not answered yet. */
  write: [offset: number];
  forward: [address: string];
  login: [user: string];
  /** An attempt to log in. */
  attempt: [method: string];
  closed: [];
}

export class SshServer extends EventEmitter<Events> {
  readonly home = mkdtempSync(join(tmpdir(), 'ssh-home-'));
  readonly execs: string[] = [];
  /** Users who logged in, in order. */
  readonly logins: string[] = [];
  /** Attempts to log in: `publickey ssh-ed25519`. */
  readonly attempts: string[] = [];
  /** Maximum number of concurrent sessions so far. */
  mostSessions = 0;
  /** Do not answer the writes of uploads. */
  holdWrites = false;
  /** End commands with this exit code immediately, in one packet with the confirmation of their start. */
  instantExit: number | undefined;
  /** The status with which the next `open` of a file fails. */
  failOpen: number | undefined;
  readonly options: SshServerOptions;
  readonly #sockets = new Set<Socket>();
  readonly #children = new Set<ChildProcess>();
  readonly #listener: NetServer;
  #server: InstanceType<typeof ssh2.Server>;
  #sessions = 0;

  private constructor(options: SshServerOptions) {
    super();
    this.options = options;
    this.#server = this.#makeServer(options.hostKeys ?? [makeKey()]);
    this.#listener = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#sockets.delete(socket);
        this.emit('closed');
      });
      this.#server.injectSocket(socket);
    });
  }

  static async start(options: SshServerOptions): Promise<SshServer> {
    const server = new SshServer(options);
    await server.listen(0);
    return server;
  }

  async listen(port: number): Promise<void> {
    this.#listener.listen(port, '127.0.0.1');
    await once(this.#listener, 'listening');
    this.port = this.address().port;
  }

  port = 0;

  address(): AddressInfo {
    return this.#listener.address() as AddressInfo;
  }

  connections(): number {
    return this.#sockets.size;
  }

  /** Changes the host keys for new connections. */
  rekey(...hostKeys: KeyPair[]): void {
    this.#server = this.#makeServer(hostKeys);
  }

  /** Closes all connections. */
  drop(how: 'end' | 'reset' = 'end'): void {
    for (const socket of this.#sockets) how === 'reset' ? socket.resetAndDestroy() : socket.destroy();
  }

  /** Stops answering; connections stay open. */
  freeze(): void {
    for (const socket of this.#sockets) socket.pause();
  }

  /** Accepts no new connections; existing ones stay open. */
  async stopListening(): Promise<void> {
    this.#listener.close();
  }

  async stop(): Promise<void> {
    this.drop();
    for (const child of this.#children) signalGroup(child, 'SIGKILL');
    if (this.#listener.listening) await new Promise((done) => this.#listener.close(done));
    rmSync(this.home, { recursive: true, force: true });
  }

  #makeServer(hostKeys: KeyPair[]): InstanceType<typeof ssh2.Server> {
    return new ssh2.Server({ hostKeys: hostKeys.map((key) => key.private) }, (client) => this.#welcome(client));
  }

  #welcome(client: Connection): void {
    client.on('error', () => {});
    if (this.options.sha1Only) announceNoSignatures(client);
    client.on('authentication', (context) => {
      const attempt = context.method === 'publickey' ? `publickey ${context.key.algo}` : context.method;
      this.attempts.push(attempt);
      this.emit('attempt', attempt);
      if (context.method !== 'publickey') return context.reject(['publickey']);
      const { key, blob, signature, hashAlgo } = context;
      const known = this.options.authorized.find((pair) => pair.blob.equals(key.data));
      if (!known) return context.reject(['publickey']);
      if (blob && signature) {
        const parsed = ssh2.utils.parseKey(known.public);
        if (parsed instanceof Error || parsed.verify(blob, signature, hashAlgo) !== true) return context.reject();
        this.logins.push(context.username);
        this.emit('login', context.username);
      }
      context.accept();
    });
    let open = 0;
    client.on('session', (accept, reject) => {
      if (open >= (this.options.maxSessions ?? 10)) return reject();
      open += 1;
      this.#sessions += 1;
      this.mostSessions = Math.max(this.mostSessions, this.#sessions);
      const session = accept();
      session.on('close', () => {
        open -= 1;
        this.#sessions -= 1;
      });
      this.#serve(session);
    });
    if (this.options.forwarding !== false) {
      client.on('tcpip', (accept, reject, { destIP, destPort }) => {
        this.emit('forward', `${destIP}:${destPort}`);
        const target = connect({ host: destIP, port: destPort });
        target.once('error', () => reject());
        target.once('connect', () => {
          const stream = accept();
          target.on('error', () => stream.destroy());
          stream.on('error', () => target.destroy());
          stream.on('close', () => target.destroy());
          stream.pipe(target).pipe(stream);
        });
      });
    }
  }

  /** Number of commands that are running. */
  get running(): number {
    return this.#children.size;
  }

  #serve(session: Session): void {
    session.on('exec', (accept, _reject, { command }) => {
      this.execs.push(command);
      if (this.instantExit !== undefined) this.#endAtOnce(accept, this.instantExit);
      else this.#execute(command, accept());
      this.emit('exec', command);
    });
    if (this.options.loginScript === undefined) session.on('sftp', (accept) => this.#transfer(accept()));
    // sshd starts `sftp-server` through the login shell.
    else session.on('subsystem', (accept) => accept().end('Welcome!\n'));
  }

  #endAtOnce(accept: () => ServerChannel, code: number): void {
    for (const socket of this.#sockets) socket.cork();
    const channel = accept();
    channel.exit(code);
    channel.end();
    process.nextTick(() => {
      for (const socket of this.#sockets) socket.uncork();
    });
  }

  #execute(command: string, channel: ServerChannel): void {
    channel.on('error', () => {});
    // A process group of its own, as with sshd.
    const { shell = '/bin/sh', loginScript } = this.options;
    const child = spawn(shell, ['-c', loginScript === undefined ? command : `${loginScript}\n${command}`], {
      cwd: this.home,
      env: { PATH: process.env.PATH, HOME: this.home },
      detached: true,
    });
    // Like sshd, it lets a process continue when its channel is closed.
    this.#children.add(child);
    child.stdin.on('error', () => {});
    channel.pipe(child.stdin);
    const closed = new Promise<void>((resolve) => channel.once('close', () => resolve()));
    const ended = new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
      child.on('exit', (code, signal) => resolve([code, signal]));
    });
    // One at a time, and what was sent is forgotten: ssh2 would send it again when the client's window grows.
    const waiting = channel as unknown as { _chunk?: Buffer; _chunkcb?: () => void };
    let turn: Promise<unknown> = Promise.resolve();
    const send = async (from: Readable, to: Writable) => {
      for await (const chunk of from) {
        turn = turn.then(() => Promise.race([closed, new Promise((resolve) => to.write(chunk, resolve))]));
        await turn;
        waiting._chunk = undefined;
        waiting._chunkcb = undefined;
      }
    };
    const sent = Promise.all([send(child.stdout, channel), send(child.stderr, channel.stderr)]);
    // The exit code comes after the output, as with sshd: some of it may wait for the client's window.
    void Promise.all([ended, sent]).then(([[code, signal]]) => {
      this.#children.delete(child);
      if (signal) channel.exit(signal.slice(3), false, '');
      else channel.exit(code ?? 255);
      channel.end();
    });
  }

  /** Writes directly into files. */
  #transfer(sftp: SFTPWrapper): void {
    const path = (name: string) => resolve(this.home, name);
    const file = (handle: Buffer) => handle.readUInt32BE(0);
    const attempt = (id: number, work: () => void) => {
      try {
        work();
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        const status = code === 'ENOENT' ? STATUS_CODE.NO_SUCH_FILE : STATUS_CODE.FAILURE;
        sftp.status(id, code === 'EACCES' ? STATUS_CODE.PERMISSION_DENIED : status);
      }
    };
    sftp.on('error', () => {});
    sftp.on('REALPATH', (id, name) => {
      sftp.name(id, [{ filename: path(name), longname: '', attrs: {} as never }]);
    });
    sftp.on('OPEN', (id, name, flags, attributes) => {
      if (this.failOpen !== undefined) {
        sftp.status(id, this.failOpen);
        this.failOpen = undefined;
        return;
      }
      attempt(id, () => {
        const exclusive = (flags & OPEN_MODE.EXCL) !== 0;
        const handle = Buffer.alloc(4);
        handle.writeUInt32BE(openSync(path(name), exclusive ? 'wx' : 'w', attributes.mode));
        sftp.handle(id, handle);
      });
    });
    sftp.on('FSETSTAT', (id, handle, { mode }) =>
      attempt(id, () => {
        if (mode !== undefined) fchmodSync(file(handle), mode);
        sftp.status(id, STATUS_CODE.OK);
      }),
    );
    sftp.on('WRITE', (id, handle, offset, data) => {
      this.emit('write', offset);
      if (this.holdWrites) return;
      attempt(id, () => {
        writeSync(file(handle), data, 0, data.length, offset);
        sftp.status(id, STATUS_CODE.OK);
      });
    });
    sftp.on('REMOVE', (id, name) =>
      attempt(id, () => {
        unlinkSync(path(name));
        sftp.status(id, STATUS_CODE.OK);
      }),
    );
    sftp.on('CLOSE', (id, handle) =>
      attempt(id, () => {
        closeSync(file(handle));
        sftp.status(id, STATUS_CODE.OK);
      }),
    );
  }
}

/** ssh2 has no option for that: RFC 8308, EXT_INFO. */
function announceNoSignatures(client: Connection): void {
  const { _protocol: protocol } = client as unknown as { _protocol: { _kex: object } };
  let kex: object;
  Object.defineProperty(protocol, '_kex', {
    get: () => kex,
    set(value: object | undefined) {
      if (value) Object.defineProperty(value, 'remoteExtInfoEnabled', { get: () => false, set() {} });
      kex = value ?? {};
    },
  });
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It ended meanwhile.
  }
}

/** Writes a key file like ssh-keygen, and returns its path. */
export function writeKey(folder: string, key: KeyPair, name = 'id_test'): string {
  const path = join(folder, name);
  writeFileSync(path, key.private, { mode: 0o600 });
  writeFileSync(`${path}.pub`, `${key.public}\n`);
  return path;
}
