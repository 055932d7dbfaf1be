import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import ssh2, { type ParsedKey } from 'ssh2';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Secret } from '../../src/config/secret.js';
import { type KeyPair, makeKey, writeKey } from '../support/ssh-server.js';
import { clientKey, clientOf, failureOf, startServer, temporaryFolder } from './ssh-fixture.js';

/** An ssh-agent that holds these keys. */
async function startAgent(...keys: KeyPair[]): Promise<string> {
  return serveAgent(keys, false);
}

async function serveAgent(keys: KeyPair[], refuse: boolean): Promise<string> {
  const socketPath = join(temporaryFolder(), 'agent');
  const held = keys.map((key) => ssh2.utils.parseKey(key.private) as ParsedKey);
  const server = createServer((socket) => {
    const agent = new ssh2.AgentProtocol(false);
    socket.on('error', () => {});
    agent.on('error', () => {});
    agent.on('identities', (request) => agent.getIdentitiesReply(request, held));
    agent.on('sign', (request, publicKey, data, options) => {
      const wanted = (publicKey as ParsedKey).getPublicSSH();
      const mine = held.find((key) => key.getPublicSSH().equals(wanted));
      if (mine && !refuse) agent.signReply(request, mine.sign(data, options.hash));
      else agent.failureReply(request);
    });
    socket.pipe(agent).pipe(socket);
  }).listen(socketPath);
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return socketPath;
}

const noAgent = '/nowhere/agent.sock';
const lockedKey = makeKey('ed25519', 'a passphrase');

describe('logging in', () => {
  it('tries the key file, then the agent, then SSH_PRIVATE_KEY', async () => {
    const [first, second] = [makeKey('ecdsa'), makeKey('rsa')];
    const server = await startServer();
    const client = clientOf(server, {
      keyPath: writeKey(temporaryFolder(), first),
      agentSocket: await startAgent(second),
      privateKey: new Secret(clientKey.private),
    });
    await client.connect();
    const types = server.attempts.map((attempt) => attempt.replace(/rsa-sha2-\d+/, 'ssh-rsa'));
    expect([...new Set(types)]).toEqual([
      'publickey ecdsa-sha2-nistp256',
      'publickey ssh-rsa',
      'publickey ssh-ed25519',
    ]);
    expect(server.logins).toEqual(['root']);
  });

  it('goes on to the next key when the agent does not answer', async () => {
    const server = await startServer();
    await clientOf(server, { agentSocket: noAgent, privateKey: new Secret(clientKey.private) }).connect();
    expect(server.logins).toEqual(['root']);
  });

  it.each([
    ['as it is', clientKey.private],
    ['with Windows line breaks', clientKey.private.replaceAll('\n', '\r\n')],
    ['with written line breaks', clientKey.private.replaceAll('\n', '\\n')],
    ['without its last line break', clientKey.private.trim()],
  ])('takes SSH_PRIVATE_KEY %s', async (_how, text) => {
    const server = await startServer();
    await clientOf(server, { privateKey: new Secret(text) }).connect();
    expect(server.logins).toEqual(['root']);
  });

  it("shows the agent's key that belongs to the key file first, and no other with IdentitiesOnly", async () => {
    const server = await startServer({ authorized: [makeKey()] });
    const folder = temporaryFolder();
    const wanted = makeKey('ecdsa');
    writeKey(folder, wanted, 'id_wanted');
    writeFileSync(join(folder, 'id_wanted'), lockedKey.private);
    const config = join(folder, 'config');
    const agentSocket = await startAgent(makeKey(), makeKey('rsa'), wanted);
    writeFileSync(config, 'Host web-1\n  IdentityFile ~/id_wanted\n');
    await failureOf(clientOf(server, { agentSocket, configPath: config }, { home: folder }).connect());
    expect(server.attempts[0]).toBe('publickey ecdsa-sha2-nistp256');
    expect(server.attempts.length).toBeGreaterThan(2);
    server.attempts.length = 0;
    writeFileSync(config, 'Host web-1\n  IdentityFile ~/id_wanted\n  IdentitiesOnly yes\n');
    await failureOf(clientOf(server, { agentSocket, configPath: config }, { home: folder }).connect());
    expect(server.attempts).toEqual(['publickey ecdsa-sha2-nistp256']);
  });

  it('uses the usual keys of ~/.ssh when none is named', async () => {
    const server = await startServer();
    const home = temporaryFolder();
    writeKey(home, clientKey, 'id_ed25519');
    const config = join(home, 'config');
    writeFileSync(config, 'Host *\n  IdentityFile ~/id_ed25519\n');
    await clientOf(server, { agentSocket: noAgent, configPath: config }, { home }).connect();
    expect(server.logins).toEqual(['root']);
  });

  it('names the user, the keys and the agent when the server accepts none, and shows no key', async () => {
    const server = await startServer({ authorized: [makeKey()] });
    const agentSocket = await startAgent(makeKey());
    const privateKey = new Secret(makeKey().private);
    const keyPath = writeKey(temporaryFolder(), clientKey);
    const error = await failureOf(clientOf(server, { user: 'deploy', keyPath, agentSocket, privateKey }).connect());
    expect(error).toMatchObject({ code: 'ssh-auth', outcome: 'not-applied', droplet: 'web-1' });
    expect(error.message).toBe(
      `droplet web-1 (127.0.0.1:${server.port}) accepted no key for user deploy ` +
        `(tried: key ${keyPath}, agent ${agentSocket}, key from SSH_PRIVATE_KEY).`,
    );
    expect(error.hint).toContain(`ssh -v -p ${server.port} deploy@127.0.0.1`);
  });

  it('says which agent does not answer', async () => {
    const server = await startServer({ authorized: [makeKey()] });
    const error = await failureOf(clientOf(server, { agentSocket: noAgent }).connect());
    expect(error.message).toContain(`ssh-agent at ${noAgent} does not answer`);
  });

  it('says so when the agent refuses to sign', async () => {
    const server = await startServer();
    const agentSocket = await serveAgent([clientKey], true);
    const error = await failureOf(clientOf(server, { agentSocket }).connect());
    expect(error).toMatchObject({ code: 'ssh-auth' });
    expect(error.message).toContain('ssh-agent refused to sign');
  });

  it('explains a key with a passphrase', async () => {
    const server = await startServer();
    const keyPath = writeKey(temporaryFolder(), lockedKey);
    const error = await failureOf(clientOf(server, { keyPath }).connect());
    expect(error).toMatchObject({ code: 'ssh-auth', source: 'user' });
    expect(error.message).toContain(`${keyPath} is protected by a passphrase`);
    expect(error.hint).toContain(`ssh-add ${keyPath}`);
    expect(server.attempts).toEqual([]);

    await clientOf(server, { keyPath, agentSocket: await startAgent(clientKey) }).connect();
    expect(server.logins).toEqual(['root']);

    const agentSocket = await startAgent(makeKey());
    const refused = await failureOf(clientOf(server, { keyPath, agentSocket }).connect());
    expect(refused.message).toContain(`${keyPath} is protected by a passphrase`);
    expect(refused.hint).toBe(`Load it into ssh-agent: ssh-add ${keyPath}`);
  });

  it('explains a key that is missing, unreadable or none, without quoting it', async () => {
    const server = await startServer();
    const folder = temporaryFolder();
    const missing = await failureOf(clientOf(server, { keyPath: join(folder, 'id_none') }).connect());
    expect(missing).toMatchObject({ code: 'ssh-auth', source: 'user' });
    expect(missing.message).toBe(`The SSH key ${join(folder, 'id_none')} does not exist.`);
    expect(missing.hint).toContain('ssh.key');

    writeFileSync(join(folder, 'garbage'), 'hunter2');
    chmodSync(join(folder, 'garbage'), 0o600);
    const garbage = await failureOf(clientOf(server, { keyPath: join(folder, 'garbage') }).connect());
    expect(garbage.message).toBe(`${join(folder, 'garbage')} is not an SSH private key.`);
    expect(JSON.stringify([garbage, garbage.info(), garbage.stack])).not.toContain('hunter2');

    const secret = await failureOf(clientOf(server, { privateKey: new Secret('hunter2') }).connect());
    expect(secret.message).toBe('SSH_PRIVATE_KEY does not hold an SSH private key.');
    const locked = await failureOf(clientOf(server, { privateKey: new Secret(lockedKey.private) }).connect());
    expect(locked.message).toBe('The key in SSH_PRIVATE_KEY is protected by a passphrase.');
  });

  it('says so when there is no key at all', async () => {
    const server = await startServer();
    const none: { privateKey?: Secret } = { privateKey: new Secret('') };
    const client = clientOf(server, none);
    const config = join(client.folder, 'config');
    writeFileSync(config, 'Host web-1\n  IdentityFile ~/id_gone\n');
    delete client.settings.privateKey;
    client.settings.configPath = config;
    const error = await failureOf(client.connect());
    expect(error).toMatchObject({ code: 'ssh-auth', source: 'user' });
    expect(error.message).toContain('There is no SSH key to log in to web-1');
    expect(error.hint).toContain(join(client.folder, 'id_gone'));
  });
});

describe('a droplet that cannot be reached', () => {
  const quick = { patience: { connectMs: 0, reconnectMs: 0 } };

  it('refuses the connection', async () => {
    const server = await startServer();
    const client = clientOf(server);
    await server.stop();
    const error = await failureOf(client.connect());
    expect(error).toMatchObject({ code: 'ssh-unreachable', outcome: 'not-applied', droplet: 'web-1' });
    expect(error.message).toBe(`droplet web-1 (127.0.0.1:${server.port}) refused the connection.`);
    expect(error.hint).toContain(`ssh -v -p ${server.port} root@127.0.0.1`);
    expect(client.traces.filter((trace) => trace.includes('Trying again'))).toHaveLength(2);
  });

  it('accepts the connection and then says nothing', async () => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    onTestFinished(() => void silent.close());
    const { port } = silent.address() as { port: number };
    const error = await failureOf(clientOf({ port }, {}, { ...quick, connectTimeoutMs: 200 }).connect());
    expect(error).toMatchObject({ code: 'ssh-unreachable' });
    expect(error.message).toContain('did not answer within 0.2 s');
    expect(error.hint).toContain('firewall');
  });

  it('hangs up at once', async () => {
    const rude = createServer((socket) => socket.end()).listen(0, '127.0.0.1');
    await once(rude, 'listening');
    onTestFinished(() => void rude.close());
    const { port } = rude.address() as { port: number };
    const error = await failureOf(clientOf({ port }, {}, quick).connect());
    expect(error).toMatchObject({ code: 'ssh-unreachable' });
    expect(error.message).toContain('hung up before the SSH handshake');
  });

  it('is not an SSH server', async () => {
    const web = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'.repeat(1000))).listen(
      0,
      '127.0.0.1',
    );
    await once(web, 'listening');
    onTestFinished(() => void web.close());
    const { port } = web.address() as { port: number };
    const error = await failureOf(clientOf({ port }, {}, quick).connect());
    expect(error).toMatchObject({ code: 'ssh-unreachable', outcome: 'not-applied' });
  });

  it('has a name that nobody knows', async () => {
    const client = clientOf({ port: 22 }, {}, quick);
    const error = await failureOf(client.connect({ id: 1, name: 'web-1', address: 'no-such-host.invalid' }));
    expect(error).toMatchObject({ code: 'ssh-unreachable' });
    expect(error.message).toContain('cannot be resolved');
  });
});
