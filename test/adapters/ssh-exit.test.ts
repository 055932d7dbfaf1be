/** What only a separate process can show: that it ends by itself, what it has loaded, and who runs it. */
import { spawn } from 'node:child_process';
import { chownSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { makeKey, writeKey } from '../support/ssh-server.js';
import { clientKey, startServer, temporaryFolder } from './ssh-fixture.js';

const root = new URL('../..', import.meta.url).href;

const program = `
import { createRequire } from 'node:module';
import { createNodeSshShell } from '${root}src/adapters/node-ssh-shell.ts';
import { systemClock } from '${root}src/adapters/system-clock.ts';

const { good, stranger, port, closedPort, home } = JSON.parse(process.argv[2]);
const loaded = () => Object.keys(createRequire('${root}').cache).some((path) => path.includes('/ssh2/'));
const shell = (keyPath, port) => createNodeSshShell({
  settings: { user: 'root', port, keyPath, knownHostsPath: home + '/known_hosts', hostKeys: 'accept-new', address: 'public' },
  clock: systemClock,
  patience: { connectMs: 0, reconnectMs: 0 },
});
const host = { id: 1, name: 'web-1', address: '127.0.0.1' };
const code = (promise) => promise.then(() => 'fine', (error) => error.code);
// Longer than any test waits: a timer that is left over keeps the process from ending.
const command = (script) => ({ name: 'test', args: {}, script, timeoutMs: 3_600_000, repeatable: false });

const loadedAtFirst = loaded();
const failures = [await code(shell(stranger, port).connect(host)), await code(shell(good, closedPort).connect(host))];
const connection = await shell(good, port).connect(host);
const { stdout } = await connection.run(command('echo ran'));
await connection.upload({ path: '~/file', content: Buffer.from('x'), mode: 0o600, timeoutMs: 3_600_000 });
const held = await connection.hold(command('echo held; cat'));
const line = await held.nextLine(3_600_000);
const refused = await connection.checkHealth({ protocol: 'tcp', address: '127.0.0.1', port: closedPort, path: '/', proxyProtocol: false, timeoutMs: 3_600_000 });
const waiting = held.nextLine(3_600_000);
const cut = code(connection.run(command('sleep 60')));
await connection.close();
process.stdout.write(JSON.stringify({
  loadedAtFirst, loadedAtLast: loaded(), failures, stdout, line, passed: refused.passed, waiting: await waiting ?? null, cut: await cut,
}));
`;

it('leaves nothing behind that keeps the process running, and loads ssh2 only to connect', async () => {
  const server = await startServer();
  const closed = await startServer();
  await closed.stop();
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'program.mjs'), program);
  const given = {
    good: writeKey(folder, clientKey, 'good'),
    stranger: writeKey(folder, makeKey(), 'stranger'),
    port: server.port,
    closedPort: closed.port,
    home: folder,
  };
  const hook = `${root}bench/typescript.mjs`;
  const child = spawn(process.execPath, ['--import', hook, join(folder, 'program.mjs'), JSON.stringify(given)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise((done) => child.on('close', (code, signal) => done(signal ?? code)));
  const kill = setTimeout(() => child.kill('SIGKILL'), 40_000);
  const [stdout, stderr, end] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  clearTimeout(kill);
  expect({ stderr, end }).toEqual({ stderr: '', end: 0 });
  expect(JSON.parse(stdout)).toEqual({
    loadedAtFirst: false,
    loadedAtLast: true,
    failures: ['ssh-auth', 'ssh-unreachable'],
    stdout: 'ran\n',
    line: 'held',
    passed: false,
    waiting: null,
    cut: 'ssh-lost',
  });
});

it.skipIf(process.getuid?.() !== 0)(
  'works for a uid without an entry in the password file, and without HOME',
  async () => {
    const server = await startServer();
    const folder = temporaryFolder();
    const keyPath = writeKey(folder, clientKey, 'good');
    const config = `${folder}/config`;
    writeFileSync(config, 'Match localuser 54321\n  HostKeyAlias %n\nHost *\n  IdentityFile ~/.ssh/%u\n');
    for (const path of [folder, keyPath, config]) chownSync(path, 54_321, 54_321);
    const short = `
    import { createNodeSshShell } from '${root}src/adapters/node-ssh-shell.ts';
    import { systemClock } from '${root}src/adapters/system-clock.ts';
    const settings = JSON.parse(process.argv[2]);
    const shell = createNodeSshShell({ settings, clock: systemClock });
    const connection = await shell.connect({ id: 1, name: 'web-1', address: '127.0.0.1' });
    process.stdout.write((await connection.run({ name: 'test', args: {}, script: 'echo ran', timeoutMs: 30_000, repeatable: false })).stdout);
    await connection.close();
  `;
    const program_ = join(folder, 'short.mjs');
    writeFileSync(program_, short, { mode: 0o644 });
    const settings = {
      user: 'root',
      port: server.port,
      keyPath,
      configPath: config,
      knownHostsPath: join(folder, 'known_hosts'),
      hostKeys: 'accept-new',
      address: 'public',
    };
    const child = spawn(
      process.execPath,
      ['--import', `${root}bench/typescript.mjs`, program_, JSON.stringify(settings)],
      {
        uid: 54_321,
        gid: 54_321,
        env: { PATH: process.env.PATH ?? '' },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
    expect({ stdout, stderr }).toEqual({ stdout: 'ran\n', stderr: '' });
  },
);
