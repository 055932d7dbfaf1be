import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fingerprintOf } from '../../src/adapters/known-hosts.js';
import { makeKey, type SshServer } from '../support/ssh-server.js';
import { clientOf, command, failureOf, startServer, temporaryFolder } from './ssh-fixture.js';

/** A client that reaches the droplet through the bastion. */
function through(bastion: SshServer, droplet: SshServer, hostKeys: 'accept-new' | 'strict' = 'accept-new') {
  const folder = temporaryFolder();
  const configPath = join(folder, 'config');
  writeFileSync(
    configPath,
    ['Host web-1', '  ProxyJump gate@bastion', 'Host bastion', '  HostName 127.0.0.1', `  Port ${bastion.port}`].join(
      '\n',
    ),
  );
  return clientOf(droplet, { configPath, hostKeys, knownHostsPath: join(folder, 'known') });
}

describe('a connection through a jump host', () => {
  it('verifies both host keys, and works like any other', async () => {
    const keys = [makeKey(), makeKey()] as const;
    const [bastion, droplet] = [await startServer({ hostKeys: [keys[0]] }), await startServer({ hostKeys: [keys[1]] })];
    const client = through(bastion, droplet);
    const connection = await client.connect();
    expect(connection.fingerprint).toBe(fingerprintOf(keys[1].blob));
    expect(connection.login).toBe(
      `ssh -F ${client.settings.configPath} -i ${client.settings.keyPath} -J gate@127.0.0.1:${bastion.port} -p ${droplet.port} root@127.0.0.1`,
    );
    expect(bastion.logins).toEqual(['gate']);
    expect(droplet.logins).toEqual(['root']);
    expect(await connection.run(command('echo far'))).toMatchObject({ stdout: 'far\n' });
    await connection.upload({ path: '~/file', content: Buffer.alloc(1e6, 'x'), mode: 0o600, timeoutMs: 30_000 });
    expect(readFileSync(join(droplet.home, 'file'))).toHaveLength(1e6);
    expect(client.knownHosts()).toContain(`[127.0.0.1]:${bastion.port} ${keys[0].line}`);
    expect(client.knownHosts()).toContain(`[127.0.0.1]:${droplet.port} ${keys[1].line}`);

    await connection.close();
    await expect.poll(() => bastion.connections() + droplet.connections()).toBe(0);
  });

  it('is refused when the jump host has another key, before the droplet is contacted', async () => {
    const [bastion, droplet] = [await startServer(), await startServer()];
    const client = through(bastion, droplet);
    writeFileSync(client.settings.knownHostsPath, `[127.0.0.1]:${bastion.port} ${makeKey().line}\n`);
    const error = await failureOf(client.connect());
    expect(error).toMatchObject({ code: 'ssh-host-key', droplet: 'web-1' });
    expect(error.message).toContain('bastion (127.0.0.1:');
    expect(droplet.connections()).toBe(0);
  });

  it('is refused when the droplet behind it has another key', async () => {
    const [bastion, droplet] = [await startServer(), await startServer()];
    const client = through(bastion, droplet);
    writeFileSync(client.settings.knownHostsPath, `[127.0.0.1]:${droplet.port} ${makeKey().line}\n`);
    expect((await failureOf(client.connect())).message).toContain('host key of web-1');
    expect(droplet.attempts).toEqual([]);
    await expect.poll(() => bastion.connections()).toBe(0);
  });

  it('is restored from the start when the jump host drops it', async () => {
    const [bastion, droplet] = [await startServer(), await startServer()];
    const connection = await through(bastion, droplet).connect();
    bastion.drop('reset');
    expect(await connection.run(command('echo back', { repeatable: true }))).toMatchObject({ stdout: 'back\n' });
    expect(bastion.logins).toHaveLength(2);
  });

  it('names which of the two cannot be reached', async () => {
    const [bastion, droplet] = [await startServer(), await startServer()];
    const client = through(bastion, droplet);
    await droplet.stop();
    const behind = await failureOf(client.connect());
    expect(behind).toMatchObject({ code: 'ssh-unreachable', droplet: 'web-1' });
    expect(behind.message).toContain(`droplet web-1 (127.0.0.1:${droplet.port})`);
    expect(behind.message).toContain('jump host');
    await bastion.stop();
    const before = await failureOf(client.connect());
    expect(before.message).toBe(`bastion (127.0.0.1:${bastion.port}), on the way to web-1, refused the connection.`);
  });

  it('reports that the jump host forwards nothing', async () => {
    const [bastion, droplet] = [await startServer({ forwarding: false }), await startServer()];
    const error = await failureOf(through(bastion, droplet).connect());
    expect(error).toMatchObject({ code: 'ssh-unreachable' });
    expect(error.hint).toContain('AllowTcpForwarding');
  });
});

describe('an ssh configuration that cannot be used', () => {
  it('is an error that names it', async () => {
    const [bastion, droplet] = [await startServer(), await startServer()];
    const client = through(bastion, droplet);
    writeFileSync(client.settings.configPath ?? '', 'Host "web-1\n  User x\n');
    const error = await failureOf(client.connect());
    expect(error).toMatchObject({ code: 'ssh-unreachable', source: 'user' });
    expect(error.message).toBe(
      `The ssh configuration cannot be used: ${client.settings.configPath}:1: a quote is not closed.`,
    );
  });
});
