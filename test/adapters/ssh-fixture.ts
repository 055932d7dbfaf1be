import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { createNodeSshShell, type NodeSshShellOptions } from '../../src/adapters/node-ssh-shell.js';
import { systemClock } from '../../src/adapters/system-clock.js';
import type { SshSettings } from '../../src/config/settings.js';
import { ShellError } from '../../src/errors.js';
import type { Connection, RemoteCommand, RemoteHost, RemoteShell } from '../../src/ports.js';
import { makeKey, SshServer, type SshServerOptions, writeKey } from '../support/ssh-server.js';

/** Shared by all tests of a file. */
export const clientKey = makeKey();

/** A folder that is removed after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ssh-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export async function startServer(options: Partial<SshServerOptions> = {}): Promise<SshServer> {
  const server = await SshServer.start({ authorized: [clientKey], ...options });
  onTestFinished(() => server.stop());
  return server;
}

export interface Client {
  /** Notices, in order. */
  notices: string[];
  traces: string[];
  folder: string;
  settings: SshSettings;
  host: RemoteHost;
  shell: RemoteShell;
  connect(host?: RemoteHost): Promise<Connection>;
  knownHosts(): string;
}

/** A shell for one server that accepts new host keys and logs in with `clientKey`. */
export function clientOf(
  server: { port: number },
  settings: Partial<SshSettings> = {},
  options: Partial<NodeSshShellOptions> = {},
): Client {
  const folder = temporaryFolder();
  const notices: string[] = [];
  const traces: string[] = [];
  const all: SshSettings = {
    user: 'root',
    port: server.port,
    knownHostsPath: join(folder, 'known_hosts'),
    hostKeys: 'accept-new',
    address: 'public',
    ...(!('privateKey' in settings || 'agentSocket' in settings) && { keyPath: writeKey(folder, clientKey) }),
    ...settings,
  };
  const shell = createNodeSshShell({
    settings: all,
    clock: systemClock,
    onNotice: (message) => notices.push(message),
    onTrace: ({ what }) => traces.push(what),
    home: folder,
    systemFolder: folder,
    ...options,
  });
  const host = { id: 1, name: 'web-1', address: '127.0.0.1' };
  return {
    notices,
    traces,
    folder,
    settings: all,
    host,
    shell,
    knownHosts: () => readFileSync(all.knownHostsPath, 'utf8'),
    async connect(to = host) {
      const connection = await shell.connect(to);
      onTestFinished(() => connection.close());
      return connection;
    },
  };
}

export function command(script: string, more: Partial<RemoteCommand> = {}): RemoteCommand {
  return { name: 'test', args: {}, script, timeoutMs: 30_000, repeatable: false, ...more };
}

/** The ShellError that the promise rejects with. */
export async function failureOf(promise: Promise<unknown>): Promise<ShellError> {
  const error = await promise.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof ShellError)) throw error;
  return error;
}
