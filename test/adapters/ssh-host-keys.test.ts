import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fingerprintOf, knownHostLine } from '../../src/adapters/known-hosts.js';
import { createNodeSshShell } from '../../src/adapters/node-ssh-shell.js';
import { ClientConfig } from '../../src/adapters/ssh/client-config.js';
import { type AcceptedKeys, HostKeyCheck } from '../../src/adapters/ssh/host-keys.js';
import { planRoute } from '../../src/adapters/ssh/route.js';
import { systemClock } from '../../src/adapters/system-clock.js';
import type { SshSettings } from '../../src/config/settings.js';
import { makeKey } from '../support/ssh-server.js';
import { clientOf, command, failureOf, startServer, temporaryFolder } from './ssh-fixture.js';

const hostKey = makeKey();
const nameOf = (server: { port: number }) => `[127.0.0.1]:${server.port}`;

/** The only stop on the way to a droplet, and a check of its key. */
function checksOf(knownHostsPath: string, count: number, accepted: AcceptedKeys = []): HostKeyCheck[] {
  const place = { home: '/home/ann', localUser: 'ann', env: {}, systemFolder: '/nowhere' };
  const config = new ClientConfig(place);
  const { stops } = planRoute(
    { id: 1, name: 'web-1', address: '203.0.113.5' },
    clientSettings(knownHostsPath),
    config,
    place,
  );
  const [stop] = stops;
  if (!stop) throw new Error('no route');
  return Array.from({ length: count }, () => new HostKeyCheck(stop, 'web-1', accepted, () => {}));
}

const clientSettings = (knownHostsPath: string): SshSettings => ({
  user: 'root',
  port: 22,
  knownHostsPath,
  hostKeys: 'accept-new',
  address: 'public',
});

describe('the key of a new host', () => {
  it('is accepted, remembered and reported', async () => {
    const server = await startServer({ hostKeys: [hostKey] });
    const client = clientOf(server);
    const connection = await client.connect();
    expect(connection.fingerprint).toBe(fingerprintOf(hostKey.blob));
    expect(client.knownHosts()).toBe(`${nameOf(server)} ${hostKey.line}\n`);
    expect(statSync(client.settings.knownHostsPath).mode & 0o777).toBe(0o600);
    expect(client.notices).toEqual([
      `accepted the host key of web-1 (127.0.0.1:${server.port}): ${connection.fingerprint} (ssh-ed25519), now in ${client.settings.knownHostsPath}`,
    ]);
    await client.connect();
    expect(client.knownHosts().split('\n')).toHaveLength(2);
    expect(client.notices).toHaveLength(1);
  });

  it('is written as a hash where the others are hashes, or HashKnownHosts asks for it', async () => {
    const server = await startServer({ hostKeys: [hostKey] });
    const client = clientOf(server);
    writeFileSync(client.settings.knownHostsPath, knownHostLine('another', makeKey().blob, true));
    await client.connect();
    expect(client.knownHosts()).toMatch(/\n\|1\|\S+ ssh-ed25519 \S+\n$/);
    expect(client.knownHosts()).not.toContain('127.0.0.1');
    await clientOf(server, { knownHostsPath: client.settings.knownHostsPath, hostKeys: 'strict' }).connect();
    const config = join(client.folder, 'config');
    writeFileSync(config, 'HashKnownHosts yes\n');
    const hashing = clientOf(server, { configPath: config });
    await hashing.connect();
    expect(hashing.knownHosts()).toMatch(/^\|1\|\S+ ssh-ed25519 \S+\n$/);
  });

  it('is remembered for this run when the file cannot be written', async () => {
    const server = await startServer({ hostKeys: [hostKey] });
    const client = clientOf(server);
    mkdirSync(join(client.folder, 'occupied'));
    writeFileSync(join(client.folder, 'occupied/by-a-file'), '');
    const settings = { knownHostsPath: join(client.folder, 'occupied/by-a-file/known_hosts') };
    const readOnly = clientOf(server, settings);
    await readOnly.connect();
    expect(readOnly.notices.join()).toContain('for this run only');
    server.rekey(makeKey());
    expect(await failureOf(readOnly.connect())).toMatchObject({ code: 'ssh-host-key' });
  });

  it('is appended as a whole line by each of fifty concurrent connections', async () => {
    const server = await startServer({ hostKeys: [hostKey] });
    const client = clientOf(server);
    // A name for each: fifty droplets that happen to live here.
    const config = join(client.folder, 'config');
    const names = Array.from({ length: 50 }, (_, index) => `web-${index}`);
    writeFileSync(config, names.map((name) => `Host ${name}\n  HostKeyAlias ${name}\n`).join(''));
    const shell = createNodeSshShell({
      settings: { ...client.settings, configPath: config },
      clock: systemClock,
      systemFolder: client.folder,
    });
    const connections = await Promise.all(names.map((name, id) => shell.connect({ id, name, address: '127.0.0.1' })));
    await Promise.all(connections.map((connection) => connection.close()));
    const lines = client.knownHosts().trimEnd().split('\n').sort();
    expect(lines).toEqual(names.map((name) => `${name} ${hostKey.line}`).sort());
  });

  it('is appended once when fifty connections reach the same host', async () => {
    const server = await startServer({ hostKeys: [hostKey] });
    const client = clientOf(server);
    await Promise.all(Array.from({ length: 50 }, () => client.connect()));
    expect(client.knownHosts()).toBe(`${nameOf(server)} ${hostKey.line}\n`);
  });

  it('is appended once when two handshakes overlap', () => {
    const file = join(temporaryFolder(), 'known_hosts');
    const checks = checksOf(file, 2);
    for (const check of checks) expect(check.verify(hostKey.blob)).toBe(true);
    for (const check of checks) check.remember();
    expect(readFileSync(file, 'utf8')).toBe(`203.0.113.5 ${hostKey.line}\n`);
  });

  it('is refused when another handshake has meanwhile met the host with another key', () => {
    const file = join(temporaryFolder(), 'known_hosts');
    const [first, second] = checksOf(file, 2);
    expect([first?.verify(hostKey.blob), second?.verify(makeKey().blob)]).toEqual([true, true]);
    first?.remember();
    second?.remember();
    expect(first?.refusal).toBeUndefined();
    expect(second?.refusal).toMatchObject({ code: 'ssh-host-key' });
    expect(readFileSync(file, 'utf8')).toBe(`203.0.113.5 ${hostKey.line}\n`);
  });

  it('is refused when another process has meanwhile met the host with another key', () => {
    const file = join(temporaryFolder(), 'known_hosts');
    // Nothing in common but the file.
    const [[first], [second], [third]] = [checksOf(file, 1), checksOf(file, 1), checksOf(file, 1)];
    expect([first, third].map((check) => check?.verify(hostKey.blob))).toEqual([true, true]);
    expect(second?.verify(makeKey().blob)).toBe(true);
    for (const check of [first, second, third]) check?.remember();
    expect(first?.refusal).toBeUndefined();
    expect(second?.refusal).toMatchObject({ code: 'ssh-host-key' });
    expect(third?.refusal).toBeUndefined();
    expect(readFileSync(file, 'utf8')).toBe(`203.0.113.5 ${hostKey.line}\n`);
  });

  it('is not remembered before the server has proved that the key is its own', () => {
    const file = join(temporaryFolder(), 'known_hosts');
    checksOf(file, 1)[0]?.verify(hostKey.blob);
    expect(existsSync(file)).toBe(false);
  });

  it('is refused under strict, before anything is sent', async () => {
    const server = await startServer({ hostKeys: [hostKey] });
    const client = clientOf(server, { hostKeys: 'strict' });
    const error = await failureOf(client.connect());
    expect(error).toMatchObject({ code: 'ssh-host-key', outcome: 'not-applied', droplet: 'web-1' });
    expect(error.message).toContain(`It presented ${fingerprintOf(hostKey.blob)} (ssh-ed25519)`);
    expect(error.hint).toContain(
      `ssh-keyscan -t ed25519 -p ${server.port} 127.0.0.1 >> ${client.settings.knownHostsPath}`,
    );
    expect(server.attempts).toEqual([]);
  });
});

describe('the key of a known host', () => {
  it.each(['accept-new', 'strict'] as const)('may not change (%s)', async (hostKeys) => {
    const server = await startServer({ hostKeys: [hostKey] });
    const client = clientOf(server, { hostKeys });
    const expected = makeKey();
    writeFileSync(client.settings.knownHostsPath, `# mine\n${nameOf(server)} ${expected.line}\n`);
    const error = await failureOf(client.connect());
    expect(error).toMatchObject({ code: 'ssh-host-key', outcome: 'not-applied', droplet: 'web-1' });
    expect(error.message).toBe(
      `The host key of web-1 (127.0.0.1:${server.port}) has changed: expected ${fingerprintOf(expected.blob)} ` +
        `(ssh-ed25519, ${client.settings.knownHostsPath}:2), but it presented ${fingerprintOf(hostKey.blob)}. ` +
        'Nothing was sent to it.',
    );
    expect(error.hint).toContain(`ssh-keygen -R '${nameOf(server)}' -f '${client.settings.knownHostsPath}'`);
    expect(error.hint).toContain('Only if the droplet was rebuilt');
    expect(server.attempts).toEqual([]);
  });

  it('is checked again when a lost connection is restored', async () => {
    const server = await startServer({ hostKeys: [hostKey] });
    const connection = await clientOf(server).connect();
    server.rekey(makeKey());
    server.drop();
    await expect.poll(() => server.connections()).toBe(0);
    await new Promise((done) => setImmediate(done));
    const error = await failureOf(connection.run(command('echo secret', { repeatable: true })));
    expect(error).toMatchObject({ code: 'ssh-host-key' });
    expect(server.execs).toEqual([]);
  });

  it.each(['rsa', 'ecdsa', 'ed25519'] as const)('is the requested one of several (%s)', async (type) => {
    const keys = { rsa: makeKey('rsa'), ecdsa: makeKey('ecdsa'), ed25519: makeKey() };
    const server = await startServer({ hostKeys: Object.values(keys) });
    const client = clientOf(server, { hostKeys: 'strict' });
    writeFileSync(client.settings.knownHostsPath, `${nameOf(server)} ${keys[type].line}\n`);
    expect((await client.connect()).fingerprint).toBe(fingerprintOf(keys[type].blob));
  });

  it('may not be replaced by one of another type', async () => {
    const server = await startServer({ hostKeys: [makeKey('ecdsa')] });
    const client = clientOf(server);
    writeFileSync(client.settings.knownHostsPath, `${nameOf(server)} ${hostKey.line}\n`);
    const error = await failureOf(client.connect());
    expect(error).toMatchObject({ code: 'ssh-host-key' });
    expect(error.message).toContain(`ssh-ed25519 at ${client.settings.knownHostsPath}:1`);
  });

  it('is refused when it was revoked', async () => {
    const server = await startServer({ hostKeys: [hostKey] });
    const client = clientOf(server);
    writeFileSync(client.settings.knownHostsPath, `@revoked * ${hostKey.line}\n`);
    const error = await failureOf(client.connect());
    expect(error).toMatchObject({ code: 'ssh-host-key' });
    expect(error.message).toContain('revoked');
    expect(server.attempts).toEqual([]);
  });

  it('is found in any of several files, and a new one is added to the first', async () => {
    const server = await startServer({ hostKeys: [hostKey] });
    const client = clientOf(server);
    const [first, second] = ['first', 'second'].map((name) => join(client.folder, name));
    const config = join(client.folder, 'config');
    writeFileSync(config, `Host web-1\n  UserKnownHostsFile ~/first ${second}\n`);
    writeFileSync(`${second}`, `${nameOf(server)} ${hostKey.line}\n`);
    const shell = (hostKeys: 'strict' | 'accept-new') =>
      createNodeSshShell({
        settings: { ...client.settings, hostKeys, configPath: config },
        clock: systemClock,
        home: client.folder,
        systemFolder: client.folder,
      });
    await (await shell('strict').connect(client.host)).close();
    writeFileSync(`${second}`, '');
    await (await shell('accept-new').connect(client.host)).close();
    expect(statSync(`${first}`).size).toBeGreaterThan(0);
  });

  it('is checked without its certificate where a certificate authority is trusted, which is reported once', async () => {
    const server = await startServer({ hostKeys: [hostKey] });
    const client = clientOf(server, { hostKeys: 'strict' });
    writeFileSync(
      client.settings.knownHostsPath,
      `@cert-authority * ${makeKey().line}\n${nameOf(server)} ${hostKey.line}\n`,
    );
    await client.connect();
    await client.connect();
    expect(client.notices).toHaveLength(1);
    expect(client.notices[0]).toContain('certificates are not supported');
  });

  it('is refused where a certificate authority is trusted and no key is known', async () => {
    const server = await startServer({ hostKeys: [hostKey] });
    const client = clientOf(server);
    writeFileSync(client.settings.knownHostsPath, `@cert-authority * ${makeKey().line}\n`);
    const error = await failureOf(client.connect());
    expect(error).toMatchObject({ code: 'ssh-host-key', outcome: 'not-applied' });
    expect(error.message).toContain(`${client.settings.knownHostsPath}:1 trusts a certificate authority for web-1`);
    expect(error.hint).toContain('ssh-keyscan');
    expect(server.connections()).toBe(0);
  });

  it('is refused when only types are known that are not used', async () => {
    const server = await startServer({ hostKeys: [hostKey] });
    const client = clientOf(server);
    const config = join(client.folder, 'config');
    writeFileSync(config, 'HostKeyAlgorithms ecdsa-sha2-*\n');
    writeFileSync(client.settings.knownHostsPath, `${nameOf(server)} ${hostKey.line}\n`);
    const error = await failureOf(clientOf(server, { ...client.settings, configPath: config }).connect());
    expect(error.message).toContain(
      `is known only by host keys of types that are not used (ssh-ed25519 at ${client.settings.knownHostsPath}:1)`,
    );
  });

  it('cannot be checked with a binary revocation list', async () => {
    const server = await startServer({ hostKeys: [hostKey] });
    const client = clientOf(server);
    const config = join(client.folder, 'config');
    writeFileSync(config, `RevokedHostKeys ${client.folder}/krl\n`);
    const missing = await failureOf(clientOf(server, { configPath: config }).connect());
    expect(missing.message).toContain(`${client.folder}/krl cannot be read (ENOENT)`);
    writeFileSync(join(client.folder, 'krl'), 'SSHKRL\n\0');
    const error = await failureOf(clientOf(server, { configPath: config }).connect());
    expect(error.message).toContain('is a key revocation list, which is not supported');
  });
});
