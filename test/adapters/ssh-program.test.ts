import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Connection, ProgramStreams } from '../../src/ports.js';
import { clientOf, failureOf, startServer } from './ssh-fixture.js';

async function connected(options: Parameters<typeof startServer>[0] = {}) {
  const server = await startServer(options);
  return { server, connection: await clientOf(server).connect() };
}

/** Runs a script to its end. */
async function run(connection: Connection, script: string, streams: Partial<ProgramStreams> = {}) {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  const program = await connection.start(
    { name: 'test', args: {}, script },
    { stdout: (chunk) => void out.push(chunk), stderr: (chunk) => void err.push(chunk), ...streams },
  );
  const end = await program.ended;
  return { end, stdout: Buffer.concat(out), stderr: Buffer.concat(err) };
}

async function* chunks(bytes: Buffer, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

describe('a program that talks to the user', () => {
  it('ends with its exit code, with its two outputs apart', async () => {
    const { connection } = await connected();
    const { end, stdout, stderr } = await run(connection, 'echo out; echo err >&2; exit 7');
    expect(end).toEqual({ code: 7 });
    expect([stdout.toString(), stderr.toString()]).toEqual(['out\n', 'err\n']);
  });

  it('ends by a signal', async () => {
    const { connection } = await connected();
    expect((await run(connection, 'kill -TERM $$')).end).toEqual({ signal: 'SIGTERM' });
  });

  it('gets and prints every byte unchanged, beyond the limit of an answer', async () => {
    const { connection } = await connected();
    const bytes = Buffer.alloc(9_000_001);
    for (let index = 0; index < bytes.length; index += 1) bytes[index] = (index * 31 + (index >> 8)) % 256;
    const { end, stdout, stderr } = await run(connection, 'cat', { stdin: chunks(bytes, 100_003) });
    expect(end).toEqual({ code: 0 });
    expect(digest(stdout)).toBe(digest(bytes));
    expect(stderr).toHaveLength(0);
  });

  it('prints nothing of a login shell', async () => {
    const { connection } = await connected({ loginScript: 'echo Welcome; echo Beware >&2' });
    const { stdout, stderr } = await run(connection, "printf 'a\\000b'; printf 'c' >&2");
    expect([stdout.toString('latin1'), stderr.toString()]).toEqual(['a\0b', 'c']);
  });

  it('waits while its output is not taken, and reads no more input than it takes', async () => {
    const { connection } = await connected();
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let given = 0;
    const stdin = async function* () {
      for (; given < 40; given += 1) yield Buffer.alloc(1_000_000, given);
    };
    let taken = 0;
    const running = run(connection, 'cat', {
      stdin: stdin(),
      async stdout(chunk) {
        await held;
        taken += chunk.length;
      },
    });
    // The windows of both directions and the pipes are full.
    let before = -1;
    const isStill = () => {
      const still = given > 0 && given === before;
      before = given;
      return still;
    };
    await expect.poll(isStill, { interval: 300, timeout: 20_000 }).toBe(true);
    expect(given).toBeLessThan(20);
    release();
    expect((await running).end).toEqual({ code: 0 });
    expect(taken).toBe(40_000_000);
  });

  it('gets signals, and so does what it has started', async () => {
    const { connection } = await connected();
    let out = '';
    const program = await connection.start(
      { name: 'test', args: {}, script: `trap 'echo got; exit 3' TERM; echo ready; sleep 600 & wait` },
      {
        stdout(chunk) {
          out += chunk;
        },
        stderr() {},
      },
    );
    await expect.poll(() => out).toBe('ready\n');
    await program.signal('TERM');
    expect(await program.ended).toEqual({ code: 3 });
    expect(out).toBe('ready\ngot\n');
  });

  it('does not hang on input that nobody reads', async () => {
    const { connection } = await connected();
    const stdin = async function* () {
      for (;;) yield Buffer.alloc(100_000);
    };
    expect((await run(connection, 'exit 5', { stdin: stdin() })).end).toEqual({ code: 5 });
  });

  it('fails when the connection is lost, when its output cannot be taken, and when no shell ran', async () => {
    const { server, connection } = await connected();
    const lost = failureOf(run(connection, 'sleep 600'));
    await expect.poll(() => server.running).toBeGreaterThan(0);
    server.drop('reset');
    expect(await lost).toMatchObject({ code: 'ssh-lost', outcome: 'unknown', droplet: 'web-1' });

    const again = await connected();
    const full = run(again.connection, 'yes', {
      stdout() {
        throw new Error('disk full');
      },
    });
    await expect(full).rejects.toThrow('disk full');

    const closed = await connected({ shell: '/bin/false' });
    expect(await failureOf(run(closed.connection, 'echo hello'))).toMatchObject({ code: 'ssh-no-shell' });
  });

  it('logs in as another user than that of the settings', async () => {
    const server = await startServer();
    const connection = await clientOf(server).shell.connect(
      { id: 1, name: 'web-1', address: '127.0.0.1' },
      { user: 'deploy' },
    );
    onTestFinished(() => connection.close());
    expect(server.logins).toEqual(['deploy']);
  });
});

describe('a forwarded connection', () => {
  it('carries bytes both ways, and several at once', async () => {
    const { connection } = await connected();
    const echo = createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
    await once(echo, 'listening');
    onTestFinished(() => void echo.close());
    const { port } = echo.address() as AddressInfo;
    const answers = await Promise.all(
      ['a', 'b', 'c'].map(async (word) => {
        const stream = await connection.forward('127.0.0.1', port);
        stream.end(word.repeat(100_000));
        const read: Buffer[] = [];
        for await (const chunk of stream) read.push(chunk as Buffer);
        return Buffer.concat(read).toString();
      }),
    );
    expect(answers).toEqual(['a', 'b', 'c'].map((word) => word.repeat(100_000)));
  });

  it('says why it cannot be made', async () => {
    const { connection } = await connected();
    const error = await failureOf(connection.forward('127.0.0.1', 1));
    expect(error).toMatchObject({ code: 'ssh-unreachable' });
    expect(error.message).toMatch(/^web-1 cannot connect to 127\.0\.0\.1:1: /);
    const closed = await connected({ forwarding: false });
    expect((await failureOf(closed.connection.forward('127.0.0.1', 1))).hint).toContain('AllowTcpForwarding yes');
  });
});
