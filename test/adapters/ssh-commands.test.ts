import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Trace } from '../../src/rollout/model.js';
import { clientOf, command, failureOf, startServer } from './ssh-fixture.js';

async function connected(options: Parameters<typeof startServer>[0] = {}) {
  const server = await startServer(options);
  const client = clientOf(server);
  return { server, client, connection: await client.connect() };
}

describe('a remote command', () => {
  it('returns its exit code, standard output and standard error unchanged', async () => {
    const { connection } = await connected();
    const result = await connection.run(command('echo out; echo err >&2; exit 7'));
    expect(result).toEqual({ code: 7, stdout: 'out\n', stderr: 'err\n' });
  });

  it('returns the exit code of a command that ends as soon as it starts', async () => {
    const { server, connection } = await connected();
    server.instantExit = 5;
    for (let round = 0; round < 10; round += 1) expect(await connection.run(command('x'))).toMatchObject({ code: 5 });
  });

  it('reads its standard input byte for byte, then end of file', async () => {
    const { connection } = await connected();
    const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, index) => index % 256));
    const result = await connection.run(command('od -An -v -tx1 | tr -d " \\n"', { stdin: bytes }));
    expect(result.stdout).toBe(bytes.toString('hex'));
  });

  it('finds its standard input empty by default', async () => {
    const { connection } = await connected();
    expect(await connection.run(command('cat; echo end'))).toMatchObject({ code: 0, stdout: 'end\n' });
  });

  it('does not reveal its standard input in the command line or the trace', async () => {
    const { server, client, connection } = await connected();
    await connection.run(command('cat >/dev/null', { stdin: 'hunter2' }));
    expect(server.execs.join()).not.toContain('hunter2');
    expect(client.traces.join()).not.toContain('hunter2');
    expect(client.traces.at(-1)).toBe('ssh web-1: run test: exit code 0');
  });

  it('has sizes and arguments in the detail of its trace, but not its standard input', async () => {
    const server = await startServer();
    const traces: Trace[] = [];
    const connection = await clientOf(server, {}, { onTrace: (trace) => traces.push(trace) }).connect();
    const script = 'cat >/dev/null; echo four; echo five! >&2';
    await connection.run({ ...command(script, { stdin: 'hunter2' }), args: { app: 'shop' } });
    expect(traces.map(({ kind }) => kind)).toEqual(['ssh', 'command']);
    expect(traces.at(-1)?.detail).toBe('7 bytes in, 5 bytes out, 6 bytes of errors, {"app":"shop"}');
  });

  it('decodes a character that arrives in two packets', async () => {
    const { connection } = await connected();
    const script = "printf '\\303'; sleep 0.2; printf '\\274'; printf '\\342\\202' >&2; sleep 0.2; printf '\\254' >&2";
    expect(await connection.run(command(script))).toMatchObject({ stdout: 'ü', stderr: '€' });
  });

  it('is an error when its answer exceeds its limit, and is stopped on the droplet', async () => {
    const { server, connection } = await connected();
    const error = await failureOf(connection.run(command('yes; touch finished')));
    expect(error).toMatchObject({ code: 'ssh-output-limit', outcome: 'unknown', droplet: 'web-1' });
    expect(error.message).toBe('"test" on web-1 printed more than 4 MiB: the answer is not used.');
    await expect.poll(() => server.running, { timeout: 10_000 }).toBe(0);
    const small = await failureOf(connection.run(command('echo 12345', { maxBytes: 5 })));
    expect(small).toMatchObject({ code: 'ssh-output-limit' });
    expect(await connection.run(command('echo 1234', { maxBytes: 5 }))).toMatchObject({ stdout: '1234\n' });
    const big = await connection.run(command('head -c 5000000 /dev/zero | tr "\\0" a', { maxBytes: 5_000_000 }));
    expect(big.stdout).toBe('a'.repeat(5_000_000));
  });

  it('loses the middle of its output when only people read it', async () => {
    const { connection } = await connected();
    const script =
      'printf first; yes ü | head -n 1000000; printf last; (yes | head -n 1000000; echo cause) >&2; exit 3';
    const { code, stdout, stderr } = await connection.run(command(script, { maxBytes: 1001, mayBeCut: true }));
    expect(code).toBe(3);
    expect(stdout).toMatch(/^first(ü\n)+\n\[299\d{4} bytes left out\]\n(ü?\n)*last$/);
    expect(stdout.length).toBeLessThan(1100);
    expect(stderr).toMatch(/\n\[\d+ bytes left out\]\n(y?\n)+cause\n$/);
    expect(stderr.length).toBeLessThan(1_100_000);
  });

  it('shows its output to an observer as it comes, also what the result has no room for', async () => {
    const { connection } = await connected();
    const seen: string[] = [];
    const done = new AbortController();
    // It goes on only after what it has printed was seen.
    const observe = () => (chunk: Buffer) => {
      seen.push(chunk.toString());
      if (seen.join('').includes('first\n')) done.abort();
    };
    const script = 'echo first; yes 0123456789 | head -n 20; read -r _; echo last';
    const stdin = async function* () {
      await new Promise((resolve) => done.signal.addEventListener('abort', resolve));
      yield Buffer.from('go\n');
    };
    const options = { maxBytes: 20, mayBeCut: true, stdin };
    const result = await connection.run(command(script, options), { observe });
    expect(result.stdout).toContain('bytes left out');
    expect(seen.join('')).toBe(`first\n${'0123456789\n'.repeat(20)}last\n`);
  });

  it('hands large output on piece by piece, and waits while a receiver is busy', async () => {
    const { connection } = await connected();
    const bytes = 20_000_000;
    let received = 0;
    let busy = false;
    const receive = () => async (chunk: Buffer) => {
      expect(busy, 'one piece at a time').toBe(false);
      busy = true;
      await new Promise((done) => setImmediate(done));
      busy = false;
      received += chunk.length;
    };
    const result = await connection.run(command(`head -c ${bytes} /dev/zero; exit 4`), { receive });
    expect({ ...result, received }).toEqual({ code: 4, stdout: '', stderr: '', received: bytes });
    const short = await failureOf(connection.run(command('yes', { maxBytes: 1_000_000 }), { receive }));
    expect(short).toMatchObject({ code: 'ssh-output-limit' });
  });

  it('is stopped when the receiver of its output fails', async () => {
    const { server, connection } = await connected();
    for (const fail of [
      () => Promise.reject(new Error('disk full')),
      () => {
        throw new Error('disk full');
      },
    ]) {
      await expect(
        connection.run(command('while echo x; do sleep 0.01; done'), { receive: () => fail }),
      ).rejects.toThrow('disk full');
      await expect.poll(() => server.running, { timeout: 10_000 }).toBe(0);
    }
  });

  it('answers with its own output only, whatever the login shell prints first', async () => {
    const { server, connection } = await connected({
      loginScript: 'echo "Welcome!"; printf "no line end"; echo oops >&2',
    });
    const result = await connection.run(command('printf "Welcome!"; echo err >&2; exit 3'));
    expect(result).toEqual({ code: 3, stdout: 'Welcome!', stderr: 'err\n' });
    expect(await connection.run(command('(exit 5)'))).toEqual({ code: 5, stdout: '', stderr: '' });
    const held = await connection.hold(command('echo first; cat'));
    expect(await held.nextLine(10_000)).toBe('first');
    await held.close();
    // What ps prints includes the command line, and with it the marker.
    const self = await connection.run(command('tr "\\0" "\\n" </proc/$$/cmdline; echo end'));
    expect(self.stdout).toMatch(/do-deploy:[0-9a-f]{24}[\s\S]*end\n$/);
    server.options.loginScript = 'yes';
    expect(await failureOf(connection.run(command('true')))).toMatchObject({ code: 'ssh-output-limit' });
  });

  it('is an error when the droplet runs something else instead', async () => {
    const { server, connection } = await connected({ loginScript: 'echo "only backups here"; exit 0' });
    const error = await failureOf(connection.run(command('echo done')));
    expect(error).toMatchObject({ code: 'ssh-no-shell', droplet: 'web-1' });
    expect(error.message).toBe('"test" was not run by a shell on web-1, which printed: only backups here.');
    expect(error.hint).toContain('authorized_keys');
    server.options.loginScript = 'echo "This account is currently not available."; exit 1';
    expect(await connection.run(command('echo done'))).toEqual({
      code: 1,
      stdout: 'This account is currently not available.\n',
      stderr: '',
    });
    const held = await connection.hold(command('cat'));
    expect((await held.ended).reason).toBe('it ended with exit code 1: This account is currently not available.');
  });

  it('is an error with the name of the signal when it was killed', async () => {
    const { connection } = await connected();
    const error = await failureOf(connection.run(command('kill -KILL $$')));
    expect(error).toMatchObject({ code: 'ssh-signal', outcome: 'unknown', droplet: 'web-1' });
    expect(error.message).toContain('SIGKILL');
  });

  it('is stopped on the droplet at its timeout, and its outcome is unknown', async () => {
    const { server, connection } = await connected();
    const child = `sh -c 'trap "touch child-stopped; exit" TERM; touch ready; while :; do sleep 0.05; done'`;
    const script = `trap "touch stopped; exit 1" TERM; ${child} & until [ -f ready ]; do sleep 0.05; done; wait`;
    const error = await failureOf(connection.run(command(script, { timeoutMs: 1500 })));
    expect(error).toMatchObject({ code: 'ssh-timeout', outcome: 'unknown' });
    expect(error.message).toContain('did not finish on web-1 within 1.5 s');
    // Closing the channel would not have done that: it stops the process and its children.
    await expect.poll(() => existsSync(join(server.home, 'stopped')), { timeout: 10_000 }).toBe(true);
    await expect.poll(() => existsSync(join(server.home, 'child-stopped')), { timeout: 10_000 }).toBe(true);
  });

  it('is stopped by the abort signal', async () => {
    const { server, connection } = await connected();
    const abort = new AbortController();
    const started = once(server, 'exec');
    const script = 'trap "touch stopped; exit 1" TERM; touch ready; while :; do sleep 0.05; done';
    const running = failureOf(connection.run(command(script), { signal: abort.signal }));
    await started;
    await expect.poll(() => existsSync(join(server.home, 'ready')), { timeout: 10_000 }).toBe(true);
    abort.abort();
    expect(await running).toMatchObject({ code: 'ssh-signal', outcome: 'unknown', source: 'user' });
    await expect.poll(() => existsSync(join(server.home, 'stopped')), { timeout: 10_000 }).toBe(true);
    const execs = server.execs.length;
    expect(await failureOf(connection.run(command('true'), { signal: abort.signal }))).toMatchObject({
      code: 'ssh-signal',
    });
    expect(server.execs).toHaveLength(execs);
  });

  it('is stopped also before its process id is known', async () => {
    const { server, connection } = await connected();
    const abort = new AbortController();
    server.once('exec', () => abort.abort());
    const running = failureOf(connection.run(command('sleep 600'), { signal: abort.signal }));
    expect(await running).toMatchObject({ code: 'ssh-signal', outcome: 'unknown' });
    await expect.poll(() => server.running, { timeout: 10_000 }).toBe(0);
  });

  it('runs at most eight at a time on one connection', async () => {
    const { server, connection } = await connected();
    const runs = Array.from({ length: 24 }, (_, index) => connection.run(command(`sleep 0.1; echo ${index}`)));
    const results = await Promise.all(runs);
    expect(results.map(({ stdout }) => Number(stdout))).toEqual(Array.from({ length: 24 }, (_, index) => index));
    expect(server.mostSessions).toBe(8);
  });

  it('causes no warning from Node when one signal stops many', async () => {
    const server = await startServer();
    const client = clientOf(server);
    const connections = await Promise.all([client.connect(), client.connect(), client.connect()]);
    const warnings: Error[] = [];
    const listen = (warning: Error) => warnings.push(warning);
    process.on('warning', listen);
    const abort = new AbortController();
    const runs = connections.flatMap((connection) =>
      Array.from({ length: 8 }, () => failureOf(connection.run(command('sleep 60'), { signal: abort.signal }))),
    );
    await expect.poll(() => server.execs.length, { timeout: 20_000 }).toBe(24);
    abort.abort();
    expect((await Promise.all(runs)).every(({ code }) => code === 'ssh-signal')).toBe(true);
    await new Promise((done) => setImmediate(done));
    process.off('warning', listen);
    expect(warnings).toEqual([]);
  });

  it('names the setting to change when sshd allows too few sessions', async () => {
    const { connection } = await connected({ maxSessions: 1 });
    const held = await connection.hold(command('cat'));
    const error = await failureOf(connection.run(command('true')));
    await held.close();
    expect(error).toMatchObject({ code: 'ssh-unreachable', outcome: 'not-applied' });
    expect(error.hint).toContain('MaxSessions');
  });

  const nasty = [
    'set -u',
    "printf '%s|' 'it''s' \"a \\\\ b\" 'x!y' '$HOME' '`date`' 'ünï' '100%'",
    "sed 's/a\\nb/c/' <<'END'",
    "tab:\there 'quoted' \\back!",
    'END',
    'echo "args: $#"',
  ].join('\n');
  for (const shell of ['/bin/sh', '/bin/bash', '/usr/bin/zsh', '/usr/bin/fish', '/usr/bin/tcsh']) {
    it.skipIf(!existsSync(shell))(`runs as POSIX sh when the login shell is ${shell}`, async () => {
      const { connection } = await connected({ shell });
      expect(await connection.run(command(nasty))).toEqual({
        code: 0,
        stdout: "its|a \\ b|x!y|$HOME|`date`|ünï|100%|tab:\there 'quoted' \\back!\nargs: 0\n",
        stderr: '',
      });
      expect(await connection.run(command("echo 'one line'; exit 3"))).toMatchObject({ code: 3, stdout: 'one line\n' });
    });
  }
});
