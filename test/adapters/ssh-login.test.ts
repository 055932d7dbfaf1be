import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import ssh2, { type ParsedKey } from 'ssh2';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Secret } from '../../src/config/secret.js';
import { type KeyPair, makeKey, writeKey } from '../support/ssh-server.js';
import { clientKey, clientOf, failureOf, startServer, temporaryFolder } from './ssh-fixture.js';

/** Starts an ssh-agent with these keys. */
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

/** An ssh-agent that lists keys of these types, with nothing in them. */
async function agentListing(...types: string[]): Promise<string> {
  const text = (value: string | Buffer) => {
    const bytes = Buffer.from(value as string);
    return Buffer.concat([Buffer.from([0, 0, bytes.length >> 8, bytes.length & 255]), bytes]);
  };
  const keys = types.map((type) => Buffer.concat([text(Buffer.concat([text(type), text('x')])), text('comment')]));
  // SSH_AGENT_IDENTITIES_ANSWER
  const answer = text(Buffer.concat([Buffer.from([12, 0, 0, 0, types.length]), ...keys]));
  const socketPath = join(temporaryFolder(), 'agent');
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', () => socket.write(answer));
  }).listen(socketPath);
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return socketPath;
}

/** A key in the form that openssl and cloud consoles give out. */
function makePkcs8(type: 'rsa' | 'ecdsa' | 'ed25519'): { pem: string; pair: KeyPair } {
  const made =
    type === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : type === 'ecdsa'
        ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
        : generateKeyPairSync('ed25519');
  const pem = made.privateKey.export({ format: 'pem', type: 'pkcs8' }) as string;
  const line = type === 'ed25519' ? ed25519Line(made.publicKey) : publicLine(pem);
  return { pem, pair: { private: pem, public: line, line, blob: Buffer.from(line.split(' ')[1] ?? '', 'base64') } };
}

function publicLine(pem: string): string {
  const file = join(temporaryFolder(), 'key');
  writeFileSync(file, pem, { mode: 0o600 });
  return execFileSync('ssh-keygen', ['-y', '-f', file], { encoding: 'utf8' }).trim();
}

/** ssh-keygen does not read ed25519 keys in PKCS#8. */
function ed25519Line(key: KeyObject): string {
  const { x = '' } = key.export({ format: 'jwk' });
  const blob = Buffer.concat([
    Buffer.from([0, 0, 0, 11]),
    Buffer.from('ssh-ed25519'),
    Buffer.from([0, 0, 0, 32]),
    Buffer.from(x, 'base64url'),
  ]);
  return `ssh-ed25519 ${blob.toString('base64')}`;
}

const publicPem = generateKeyPairSync('ed25519').publicKey.export({ format: 'pem', type: 'spki' }) as string;

/** As `ssh-keygen -t ed25519-sk` writes it. */
const securityKey = (() => {
  const text = (value: string | Buffer) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(value.length);
    return Buffer.concat([length, Buffer.from(value as string)]);
  };
  const blob = Buffer.concat([text('sk-ssh-ed25519@openssh.com'), text(Buffer.alloc(32)), text('ssh:')]);
  const secret = Buffer.concat([Buffer.alloc(8), blob, Buffer.from([1]), text('handle'), text(''), text('')]);
  const padding = Buffer.from([1, 2, 3, 4, 5, 6, 7]).subarray(0, (8 - (secret.length % 8)) % 8);
  const body = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    text('none'),
    text('none'),
    text(''),
    Buffer.from([0, 0, 0, 1]),
    text(blob),
    text(Buffer.concat([secret, padding])),
  ]);
  const lines = body.toString('base64').match(/.{1,70}/g) ?? [];
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines.join('\n')}\n-----END OPENSSH PRIVATE KEY-----\n`;
})();

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

  it('tries the next key when the agent does not answer', async () => {
    const server = await startServer();
    await clientOf(server, { agentSocket: noAgent, privateKey: new Secret(clientKey.private) }).connect();
    expect(server.logins).toEqual(['root']);
  });

  it.each([
    ['as it is', clientKey.private],
    ['with Windows line breaks', clientKey.private.replaceAll('\n', '\r\n')],
    ['with line breaks written as \\n', clientKey.private.replaceAll('\n', '\\n')],
    ['without its last line break', clientKey.private.trim()],
    ['on one line', clientKey.private.trim().replaceAll('\n', ' ')],
    ['without any line break', clientKey.private.replaceAll('\n', '')],
    ['with a byte order mark and blanks around it', `\ufeff\n  ${clientKey.private}\n\n`],
  ])('accepts SSH_PRIVATE_KEY %s', async (_how, text) => {
    const server = await startServer();
    await clientOf(server, { privateKey: new Secret(text) }).connect();
    expect(server.logins).toEqual(['root']);
  });

  it.each(['rsa', 'ecdsa', 'ed25519'] as const)('converts a PKCS#8 key (%s)', async (type) => {
    const { pem, pair } = makePkcs8(type);
    expect(pem).toContain('-----BEGIN PRIVATE KEY-----');
    const server = await startServer({ authorized: [pair] });
    await clientOf(server, { privateKey: new Secret(pem.replaceAll('\n', ' ')) }).connect();
    const keyPath = join(temporaryFolder(), 'key.pem');
    writeFileSync(keyPath, pem);
    await clientOf(server, { keyPath }).connect();
    expect(server.logins).toEqual(['root', 'root']);
  });

  it.each([
    ['a public key', clientKey.public, 'is a public key', 'Name the private key'],
    ['a public key in PEM', publicPem, 'is a public key', 'Name the private key'],
    ['half a key', clientKey.private.slice(0, 200), 'holds a private key without its end', 'up to its line -----END'],
    ['a newer PuTTY key', 'PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n', 'is a PuTTY key', 'puttygen'],
    ['the handle of a security key', securityKey, 'belongs to a security key (sk-…)', 'ssh-keygen -t ed25519'],
  ])('names what is wrong with %s', async (_what, text, problem, remedy) => {
    const server = await startServer();
    const keyPath = join(temporaryFolder(), 'id_x');
    writeFileSync(keyPath, text);
    const named = await failureOf(clientOf(server, { keyPath }).connect());
    expect(named).toMatchObject({ code: 'ssh-auth', source: 'user' });
    expect(named.message).toContain(`${keyPath} ${problem}`);
    expect(named.hint).toContain(remedy);
    const pasted = await failureOf(clientOf(server, { privateKey: new Secret(text) }).connect());
    expect(pasted.message).toContain(`SSH_PRIVATE_KEY ${problem}`);
    // One of the usual keys: the next one is tried, and the failure names this one.
    const home = temporaryFolder();
    mkdirSync(join(home, '.ssh'));
    writeFileSync(join(home, '.ssh/id_ed25519'), text);
    const usual = await failureOf(clientOf(server, { agentSocket: noAgent, keyPath: undefined }, { home }).connect());
    if (problem !== 'is a public key') expect(usual.message).toContain(`${home}/.ssh/id_ed25519 ${problem}`);
  });

  it('names certificates, and security keys of the agent, where it cannot log in otherwise', async () => {
    const server = await startServer({ authorized: [makeKey()] });
    const keyPath = writeKey(temporaryFolder(), clientKey);
    writeFileSync(`${keyPath}-cert.pub`, 'ssh-ed25519-cert-v01@openssh.com AAAA');
    const config = join(temporaryFolder(), 'config');
    writeFileSync(config, 'CertificateFile /etc/ssh/ann-cert.pub\n');
    const error = await failureOf(clientOf(server, { keyPath, configPath: config }).connect());
    expect(error.message).toContain(
      `not used: ${keyPath}-cert.pub: certificates are not supported; /etc/ssh/ann-cert.pub: certificates are not supported`,
    );
    const agentSocket = await agentListing('sk-ssh-ed25519@openssh.com', 'ssh-ed25519-cert-v01@openssh.com');
    const listed = await failureOf(clientOf(server, { agentSocket }).connect());
    expect(listed.message).toContain('a security key (sk-…) of ssh-agent is not supported');
    expect(listed.message).toContain('a certificate of ssh-agent is not supported');
  });

  it('uses the agent that IdentityAgent names', async () => {
    const server = await startServer();
    const config = join(temporaryFolder(), 'config');
    writeFileSync(config, `IdentityAgent ${await startAgent(clientKey)}\n`);
    await clientOf(server, { agentSocket: noAgent, configPath: config }).connect();
    writeFileSync(config, 'IdentityAgent none\n');
    const error = await failureOf(
      clientOf(server, { agentSocket: await startAgent(clientKey), configPath: config }).connect(),
    );
    expect(error.message).toContain('There is no SSH key to log in to web-1');
  });

  it("offers the agent's key that a public key file names", async () => {
    const server = await startServer();
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'id.pub'), clientKey.public);
    const agentSocket = await startAgent(makeKey('rsa'), makeKey(), clientKey);
    const config = join(folder, 'config');
    writeFileSync(config, `IdentityFile ${folder}/id.pub\nIdentitiesOnly yes\n`);
    await clientOf(server, { agentSocket, configPath: config }).connect();
    expect(new Set(server.attempts)).toEqual(new Set(['publickey ssh-ed25519']));
  });

  it('signs with SHA-1 only where the ssh configuration allows it', async () => {
    const key = makeKey('rsa');
    const server = await startServer({ authorized: [key], sha1Only: true });
    const config = join(temporaryFolder(), 'config');
    const keyPath = writeKey(temporaryFolder(), key);
    const identities = [{ keyPath }, { agentSocket: await startAgent(key) }, { privateKey: new Secret(key.private) }];
    for (const identity of identities) {
      writeFileSync(config, '');
      const error = await failureOf(clientOf(server, { ...identity, configPath: config }).connect());
      expect(error).toMatchObject({ code: 'ssh-auth' });
      expect(error.message).toContain('accepts signatures of RSA keys with SHA-1 only');
      expect(error.hint).toContain('PubkeyAcceptedAlgorithms +ssh-rsa');
      expect(server.logins).toEqual([]);
      writeFileSync(config, 'PubkeyAcceptedAlgorithms +ssh-rsa\n');
      await clientOf(server, { ...identity, configPath: config }).connect();
      expect(server.logins.splice(0)).toEqual(['root']);
    }
  });

  it("offers the agent's key that belongs to the key file first, and no other with IdentitiesOnly", async () => {
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

  it('uses the keys of Host * when no other is named', async () => {
    const server = await startServer();
    const home = temporaryFolder();
    writeKey(home, clientKey, 'id_ed25519');
    const config = join(home, 'config');
    writeFileSync(config, 'Host *\n  IdentityFile ~/id_ed25519\n');
    await clientOf(server, { agentSocket: noAgent, configPath: config }, { home }).connect();
    expect(server.logins).toEqual(['root']);
  });

  it('names the user, the keys and the agent when the server accepts none', async () => {
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
    expect(error.hint).toContain(`ssh -v -i ${keyPath} -p ${server.port} deploy@127.0.0.1`);
  });

  it('names the agent that does not answer', async () => {
    const server = await startServer({ authorized: [makeKey()] });
    const error = await failureOf(clientOf(server, { agentSocket: noAgent }).connect());
    expect(error.message).toContain(`ssh-agent at ${noAgent} does not answer`);
  });

  it('reports that the agent refuses to sign', async () => {
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

  it('explains a key that is missing, unreadable or not a key, without quoting it', async () => {
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

  it('reports that there is no key at all', async () => {
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
    expect(error.hint).toContain(`ssh -v -i ${client.settings.keyPath} -p ${server.port} root@127.0.0.1`);
    expect(client.traces.filter((trace) => trace.includes('Trying again'))).toHaveLength(2);
  });

  it('accepts the connection and then stays silent', async () => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    onTestFinished(() => void silent.close());
    const { port } = silent.address() as { port: number };
    const error = await failureOf(clientOf({ port }, {}, { ...quick, connectTimeoutMs: 200 }).connect());
    expect(error).toMatchObject({ code: 'ssh-unreachable' });
    expect(error.message).toContain('did not answer within 0.2 s');
    expect(error.hint).toContain('firewall');
  });

  it('closes the connection immediately', async () => {
    const rude = createServer((socket) => socket.end()).listen(0, '127.0.0.1');
    await once(rude, 'listening');
    onTestFinished(() => void rude.close());
    const { port } = rude.address() as { port: number };
    const error = await failureOf(clientOf({ port }, {}, quick).connect());
    expect(error).toMatchObject({ code: 'ssh-unreachable' });
    expect(error.message).toContain('closed the connection before the SSH handshake');
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

  it('has a name that cannot be resolved', async () => {
    const client = clientOf({ port: 22 }, {}, quick);
    const error = await failureOf(client.connect({ id: 1, name: 'web-1', address: 'no-such-host.invalid' }));
    expect(error).toMatchObject({ code: 'ssh-unreachable' });
    expect(error.message).toContain('cannot be resolved');
  });
});
