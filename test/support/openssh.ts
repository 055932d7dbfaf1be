/** OpenSSH's own server on the loopback address, for tests. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';

/** '' where it is not installed. */
export const SSHD = ['/usr/sbin/sshd', '/usr/local/sbin/sshd'].find((path) => existsSync(path)) ?? '';

export function keygen(path: string, ...args: string[]): string {
  execFileSync('ssh-keygen', ['-q', '-N', '', '-f', path, ...args]);
  return path;
}

export interface Sshd {
  port: number;
  folder: string;
  /** Its host key, as a line of known_hosts without the name. */
  hostKey: string;
  /** Private key of a user who may log in. */
  key: string;
  log(): string;
}

/** On the loopback address only; ends with the test. */
export async function startSshd(...lines: string[]): Promise<Sshd> {
  const folder = mkdtempSync(join(tmpdir(), 'sshd-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const port = await freePort();
  const hostKey = keygen(join(folder, 'host'), '-t', 'ed25519');
  const key = keygen(join(folder, 'user'), '-t', 'rsa', '-b', '2048');
  const log = join(folder, 'log');
  const settings = [
    `ListenAddress 127.0.0.1:${port}`,
    `HostKey ${hostKey}`,
    `AuthorizedKeysFile ${key}.pub`,
    `PidFile ${folder}/pid`,
    'StrictModes no',
    'UsePAM no',
    'PermitRootLogin yes',
    ...lines,
  ];
  writeFileSync(join(folder, 'sshd_config'), `${settings.join('\n')}\n`);
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true });
  const sshd = spawn(SSHD, ['-D', '-E', log, '-f', join(folder, 'sshd_config')], { stdio: 'ignore' });
  onTestFinished(() => end(sshd));
  await expect.poll(() => existsSync(log) && readFileSync(log, 'utf8'), { timeout: 20_000 }).toContain('listening');
  const [type, blob] = readFileSync(`${hostKey}.pub`, 'utf8').split(' ');
  return { port, folder, hostKey: `${type} ${blob}`, key, log: () => readFileSync(log, 'utf8') };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((done) => child.once('exit', done));
  child.kill('SIGTERM');
  await ended;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((done) => server.once('listening', done));
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return port;
}
