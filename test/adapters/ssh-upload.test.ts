import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { describe, expect, it } from 'vitest';
import { DeployError } from '../../src/errors.js';
import { clientOf, command, failureOf, startServer } from './ssh-fixture.js';

async function connected(options: Parameters<typeof startServer>[0] = {}) {
  const server = await startServer(options);
  return { server, connection: await clientOf(server).connect() };
}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const timeoutMs = 60_000;

describe('an upload', () => {
  it('transfers 20 MB byte for byte', async () => {
    const { server, connection } = await connected();
    const content = randomBytes(20 * 1024 * 1024 + 17);
    mkdirSync(join(server.home, 'do-deploy'));
    await connection.upload({ path: '~/do-deploy/release.tar', content, mode: 0o644, timeoutMs });
    expect(sha256(readFileSync(join(server.home, 'do-deploy/release.tar')))).toBe(sha256(content));
  });

  it('has at most 512 KB in flight, so that keepalives get through', async () => {
    const { server, connection } = await connected();
    server.holdWrites = true;
    let writes = 0;
    server.on('write', () => {
      writes += 1;
    });
    const content = Buffer.alloc(4 * 1024 * 1024);
    const upload = failureOf(connection.upload({ path: '~/big', content, mode: 0o600, timeoutMs: 60_000 }));
    await expect.poll(() => writes, { timeout: 60_000 }).toBe(16);
    await connection.run(command('sleep 0.5'));
    expect(writes).toBe(16);
    server.drop();
    await server.stopListening();
    await upload;
  });

  it.each([0, 1, 32_768, 32_769])('writes %i bytes', async (length) => {
    const { server, connection } = await connected();
    const content = randomBytes(length);
    await connection.upload({ path: join(server.home, 'file'), content, mode: 0o600, timeoutMs });
    expect(readFileSync(join(server.home, 'file'))).toEqual(content);
  });

  it.each([0o600, 0o644, 0o755])('creates the file with mode %o whatever the umask', async (mode) => {
    const { server, connection } = await connected();
    const before = process.umask(0o077);
    await connection
      .upload({ path: '~/file', content: Buffer.from('x'), mode, timeoutMs })
      .finally(() => process.umask(before));
    expect(statSync(join(server.home, 'file')).mode & 0o777).toBe(mode);
  });

  it.each([
    ['over SFTP', {}],
    ['without SFTP', { loginScript: 'echo Welcome!' }],
  ])('takes its content in pieces, %s', async (_, options) => {
    const { server, connection } = await connected(options);
    const pieces = [0, 1, 32_768, 100_000, 1_000_003].map((length) => randomBytes(length));
    const content = async function* () {
      yield* pieces;
    };
    await connection.upload({ path: '~/file', content, mode: 0o600, timeoutMs });
    expect(sha256(readFileSync(join(server.home, 'file')))).toBe(sha256(Buffer.concat(pieces)));

    const changed = new DeployError('file-changed', 'public/video.mp4 was changed.');
    const failing = async function* () {
      yield Buffer.alloc(300_000);
      throw changed;
    };
    const upload = connection.upload({ path: '~/file', content: failing, mode: 0o600, timeoutMs });
    await expect(upload).rejects.toBe(changed);
    expect(await connection.run(command('echo still connected'))).toMatchObject({ code: 0 });
  });

  it('is never readable by others if it is a secret, not even before its first byte', async () => {
    const { server, connection } = await connected();
    const modes = new Set<number>();
    server.on('write', () => modes.add(statSync(join(server.home, '.env')).mode & 0o777));
    const content = Buffer.alloc(100_000, 's');
    await connection.upload({ path: '~/.env', content, mode: 0o600, timeoutMs });
    expect([...modes]).toEqual([0o600]);
  });

  it('replaces what an interrupted upload left, and follows no link', async () => {
    const { server, connection } = await connected();
    writeFileSync(join(server.home, 'elsewhere'), 'untouched', { mode: 0o644 });
    symlinkSync(join(server.home, 'elsewhere'), join(server.home, 'file'));
    await connection.upload({ path: '~/file', content: Buffer.from('new'), mode: 0o600, timeoutMs });
    expect(readFileSync(join(server.home, 'elsewhere'), 'utf8')).toBe('untouched');
    expect(readFileSync(join(server.home, 'file'), 'utf8')).toBe('new');
    expect(statSync(join(server.home, 'file')).mode & 0o777).toBe(0o600);
  });

  it('names the cause and the remedy when it fails', async () => {
    const { server, connection } = await connected();
    const file = { content: Buffer.from('x'), mode: 0o600, timeoutMs };
    const missing = await failureOf(connection.upload({ ...file, path: '~/no/such/file' }));
    expect(missing).toMatchObject({ code: 'ssh-transfer', droplet: 'web-1' });
    expect(missing.message).toBe('~/no/such/file could not be uploaded to web-1: there is no folder ~/no/such.');

    server.failOpen = ssh2.utils.sftp.STATUS_CODE.PERMISSION_DENIED;
    const denied = await failureOf(connection.upload({ ...file, path: '/etc/file' }));
    expect(denied.message).toContain('permission denied');

    server.failOpen = ssh2.utils.sftp.STATUS_CODE.FAILURE;
    const full = await failureOf(connection.upload({ ...file, path: '~/file' }));
    expect(full.hint).toBe('Check whether its disk is full. Run there: df -h ~');
  });

  it('works without SFTP, and where the login shell prints a banner before it', async () => {
    const { server, connection } = await connected({ loginScript: 'echo Welcome!' });
    writeFileSync(join(server.home, 'elsewhere'), 'untouched', { mode: 0o644 });
    symlinkSync(join(server.home, 'elsewhere'), join(server.home, "it's"));
    const content = randomBytes(5 * 1024 * 1024 + 1);
    for (const [path, mode] of [
      ["~/it's", 0o755],
      [join(server.home, 'other'), 0o600],
    ] as const) {
      await connection.upload({ path, content, mode, timeoutMs });
      const file = path.replace('~', server.home);
      expect(sha256(readFileSync(file))).toBe(sha256(content));
      expect(statSync(file).mode & 0o777).toBe(mode);
    }
    expect(readFileSync(join(server.home, 'elsewhere'), 'utf8')).toBe('untouched');
    const missing = await failureOf(connection.upload({ path: '~/no/file', content, mode: 0o600, timeoutMs }));
    expect(missing).toMatchObject({ code: 'ssh-transfer', droplet: 'web-1' });
    expect(missing.message).toMatch(/^~\/no\/file could not be uploaded to web-1: .*(nonexistent|No such file)/);
  });
});
