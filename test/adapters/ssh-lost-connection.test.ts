import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { NodeSshShellOptions } from '../../src/adapters/node-ssh-shell.js';
import { clientOf, command, failureOf, startServer } from './ssh-fixture.js';

async function connected(options: Partial<NodeSshShellOptions> = {}) {
  const server = await startServer();
  const client = clientOf(server, {}, options);
  return { server, client, connection: await client.connect() };
}

const soon = { intervalMs: 100, count: 3 };

describe('a connection that is lost while a command runs', () => {
  it.each(['end', 'reset'] as const)('leaves the outcome unknown (%s)', async (how) => {
    const { server, connection } = await connected();
    const started = once(server, 'exec');
    const running = failureOf(connection.run(command('sleep 60')));
    await started;
    server.drop(how);
    const error = await running;
    expect(error).toMatchObject({ code: 'ssh-lost', outcome: 'unknown', source: 'external', droplet: 'web-1' });
    expect(error.message).toContain('while "test" ran');
    expect(server.execs).toHaveLength(1);
  });

  it('is detected by keepalives when the droplet goes silent', async () => {
    const { server, connection } = await connected({ keepAlive: soon });
    const started = once(server, 'exec');
    const running = failureOf(connection.run(command('sleep 60')));
    await started;
    server.freeze();
    const error = await running;
    expect(error).toMatchObject({ code: 'ssh-lost', outcome: 'unknown' });
    expect(error.message).toContain('Keepalive timeout');
  });

  it('is restored, and a repeatable command runs once more', async () => {
    const { server, connection } = await connected();
    const started = once(server, 'exec');
    const script = 'if mkdir first 2>/dev/null; then sleep 60; fi; echo again';
    const running = connection.run(command(script, { repeatable: true }));
    await started;
    await expect.poll(() => server.logins.length).toBe(1);
    await connection.run(command('until [ -d first ]; do sleep 0.02; done'));
    server.drop('reset');
    expect(await running).toMatchObject({ code: 0, stdout: 'again\n' });
    expect(server.logins).toHaveLength(2);
  });

  it('is not restored a second time for the same command', async () => {
    const { server, connection } = await connected();
    server.on('exec', () => server.drop());
    const error = await failureOf(connection.run(command('sleep 60', { repeatable: true })));
    expect(error).toMatchObject({ code: 'ssh-lost', outcome: 'unknown' });
    expect(server.execs).toHaveLength(2);
  });

  it('reports both the loss and why reconnecting failed', async () => {
    const { server, connection } = await connected({ patience: { connectMs: 100, reconnectMs: 100 } });
    const started = once(server, 'exec');
    const running = failureOf(connection.run(command('sleep 60', { repeatable: true })));
    await started;
    await server.stopListening();
    server.drop();
    const error = await running;
    expect(error).toMatchObject({ code: 'ssh-lost', outcome: 'unknown' });
    expect(error.message).toMatch(/while "test" ran\. Reconnecting failed: .* refused the connection\.$/);
  });

  it('never ends the process, also when nothing runs', async () => {
    const { server, connection } = await connected({ keepAlive: soon });
    await connection.run(command('true'));
    server.drop('reset');
    await expect.poll(() => server.connections()).toBe(0);
    const held = await connection.hold(command('cat', { repeatable: true }));
    server.freeze();
    expect((await held.ended).reason).toContain('Keepalive timeout');
    expect(await connection.run(command('echo back'))).toMatchObject({ stdout: 'back\n' });
  });
});

/** Drops the connections. When this resolves, the client has noticed: a command that starts earlier would be lost too. */
async function dropNoticed(server: Awaited<ReturnType<typeof connected>>['server']): Promise<void> {
  server.drop();
  await expect.poll(() => server.connections()).toBe(0);
  await sleep(50);
}

describe('a connection that was lost before a command starts', () => {
  it('is restored for any command, because nothing was sent', async () => {
    const { server, connection } = await connected();
    const { fingerprint } = connection;
    await connection.run(command('true'));
    await dropNoticed(server);
    expect(await connection.run(command('echo once', { repeatable: false }))).toMatchObject({ stdout: 'once\n' });
    expect(server.execs.filter((line) => line.includes('once'))).toHaveLength(1);
    expect(connection.fingerprint).toBe(fingerprint);
  });

  it('is restored once for many commands', async () => {
    const { server, connection } = await connected();
    await dropNoticed(server);
    await Promise.all(Array.from({ length: 12 }, () => connection.run(command('true'))));
    expect(server.logins).toHaveLength(2);
  });

  it('is restored as soon as the droplet has restarted', async () => {
    const { server, client, connection } = await connected();
    const { port } = server;
    await server.stopListening();
    await dropNoticed(server);
    const running = connection.run(command('echo up'));
    await expect.poll(() => client.traces.join()).toContain('Trying again');
    await server.listen(port);
    expect(await running).toMatchObject({ stdout: 'up\n' });
  });

  it('fails after three attempts', async () => {
    const { server, client, connection } = await connected();
    await server.stopListening();
    await dropNoticed(server);
    const error = await failureOf(connection.run(command('true')));
    expect(error).toMatchObject({ code: 'ssh-unreachable', outcome: 'not-applied' });
    expect(client.traces.filter((trace) => trace.includes('Trying again'))).toHaveLength(2);
  });
});

describe('an upload whose connection is lost', () => {
  it('starts again from the beginning', async () => {
    const { server, connection } = await connected();
    const content = Buffer.alloc(300_000, 'x');
    server.holdWrites = true;
    const writing = once(server, 'write');
    const upload = connection.upload({ path: '~/file', content, mode: 0o600, timeoutMs: 30_000 });
    await writing;
    server.holdWrites = false;
    server.drop('reset');
    await upload;
    expect(server.logins).toHaveLength(2);
    expect((await connection.run(command('wc -c <file'))).stdout.trim()).toBe('300000');
  });

  it('fails when reconnecting fails, although SFTP itself would wait for ever', async () => {
    const { server, connection } = await connected({ patience: { connectMs: 100, reconnectMs: 100 } });
    server.holdWrites = true;
    const writing = once(server, 'write');
    const upload = connection.upload({ path: '~/file', content: Buffer.alloc(10), mode: 0o600, timeoutMs: 30_000 });
    const failure = failureOf(upload);
    await writing;
    await server.stopListening();
    server.drop();
    expect(await failure).toMatchObject({ code: 'ssh-lost', outcome: 'unknown' });
  });

  it('fails at its timeout', async () => {
    const { server, connection } = await connected();
    server.holdWrites = true;
    const upload = connection.upload({ path: '~/file', content: Buffer.alloc(10), mode: 0o600, timeoutMs: 200 });
    const error = await failureOf(upload);
    expect(error).toMatchObject({ code: 'ssh-timeout', outcome: 'unknown' });
    expect(error.message).toContain('~/file');
  });
});

describe('closing a connection', () => {
  it('ends running commands and refuses further ones', async () => {
    const { server, connection } = await connected();
    const started = once(server, 'exec');
    const running = failureOf(connection.run(command('sleep 60', { repeatable: true })));
    await started;
    await connection.close();
    expect(await running).toMatchObject({ code: 'ssh-lost' });
    expect(await failureOf(connection.run(command('true')))).toMatchObject({
      code: 'ssh-lost',
      outcome: 'not-applied',
    });
    await expect.poll(() => server.connections()).toBe(0);
  });

  it('takes at most a second when the droplet is silent', async () => {
    const { server, connection } = await connected();
    server.freeze();
    const began = Date.now();
    await connection.close();
    expect(Date.now() - began).toBeLessThan(10_000);
    await connection.close();
  });
});
