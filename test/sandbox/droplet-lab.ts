import { mkdtempSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2, { type Client, type ClientChannel, type ConnectConfig, type SFTPWrapper } from 'ssh2';
import { onTestFinished } from 'vitest';
import { exampleRegistry } from '../../src/sandbox/docker/images/example-registry.js';
import { SandboxDroplet, type SandboxDropletOptions } from '../../src/sandbox/droplets/droplet.js';
import { makeKeyPair } from '../../src/sandbox/droplets/keys.js';

export const KEY = makeKeyPair();

/** A droplet that is removed after the test. */
export async function startDroplet(options: Partial<SandboxDropletOptions> = {}): Promise<SandboxDroplet> {
  const folder = mkdtempSync(join(tmpdir(), 'droplet-'));
  const droplet = await SandboxDroplet.start({
    id: 1,
    name: 'web-1',
    privateAddress: '10.10.0.1',
    folder,
    authorizedKey: KEY.public,
    user: 'root',
    registry: exampleRegistry(),
    ...options,
  });
  onTestFinished(async () => {
    await droplet.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  return droplet;
}

/** A connected client, closed after the test. Rejects with ssh2's error. */
export async function connectTo(droplet: SandboxDroplet, config: Partial<ConnectConfig> = {}): Promise<Client> {
  const client = await clientOf(droplet, config);
  onTestFinished(() => {
    client.destroy();
  });
  return client;
}

/** Like `connectTo`, but the caller closes it. */
export function clientOf(droplet: SandboxDroplet, config: Partial<ConnectConfig> = {}): Promise<Client> {
  const client = new ssh2.Client();
  return new Promise((resolve, reject) => {
    client.on('error', reject);
    client.on('ready', () => resolve(client));
    client.connect({ host: '127.0.0.1', port: droplet.sshPort, username: 'root', privateKey: KEY.private, ...config });
  });
}

export function open(client: Client, command: string): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    client.exec(command, (error, channel) => (error ? reject(error) : resolve(channel)));
  });
}

export interface Ended {
  code: number | null;
  signal: string | undefined;
  stdout: string;
  stderr: string;
}

export function ending(channel: ClientChannel): Promise<Ended> {
  const ended: Ended = { code: null, signal: undefined, stdout: '', stderr: '' };
  channel.on('data', (chunk: Buffer) => {
    ended.stdout += chunk.toString();
  });
  channel.stderr.on('data', (chunk: Buffer) => {
    ended.stderr += chunk.toString();
  });
  channel.on('exit', (code: number | null, signal?: string) => Object.assign(ended, { code, signal }));
  return new Promise((resolve) => channel.on('close', () => resolve(ended)));
}

/** Runs a command until it ends. */
export async function run(client: Client, command: string, stdin: string | Buffer = ''): Promise<Ended> {
  const channel = await open(client, command);
  const ended = ending(channel);
  channel.end(stdin);
  return await ended;
}

/** SFTP with promises: `call('stat', path)`. */
export async function openSftp(client: Client) {
  const sftp = await new Promise<SFTPWrapper>((resolve, reject) => {
    client.sftp((error, wrapper) => (error ? reject(error) : resolve(wrapper)));
  });
  const call = <T = void>(method: keyof SFTPWrapper, ...args: unknown[]): Promise<T> =>
    new Promise((resolve, reject) => {
      const done = (error: Error | undefined, value: T) => (error ? reject(error) : resolve(value));
      (sftp[method] as (...all: unknown[]) => unknown).call(sftp, ...args, done);
    });
  return { sftp, call };
}

/** Sends a request over an open socket and returns the whole response. */
export function request(socket: NodeJS.ReadWriteStream, path = '/'): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString();
    });
    socket.on('end', () => resolve(answer));
    socket.on('error', reject);
    socket.write(`GET ${path} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n`);
  });
}

export function endOf(socket: Socket): Promise<void> {
  socket.on('error', () => {});
  socket.resume();
  return new Promise((resolve) => socket.on('close', () => resolve()));
}
