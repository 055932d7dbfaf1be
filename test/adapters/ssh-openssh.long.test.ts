/** Against OpenSSH's own server and agent, where they are installed. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { keygen, SSHD, type Sshd, startSshd } from '../support/openssh.js';
import { clientOf, command, failureOf, temporaryFolder } from './ssh-fixture.js';

const me = userInfo().username;

/** Holds connections open that never log in. */
async function occupy(port: number, count: number): Promise<() => void> {
  const sockets = Array.from({ length: count }, () => connectTcp(port, '127.0.0.1').on('error', () => {}));
  const free = () => {
    for (const socket of sockets) socket.destroy();
  };
  onTestFinished(free);
  await Promise.all(sockets.map((socket) => new Promise((done) => socket.once('data', done))));
  return free;
}

describe.skipIf(SSHD === '')("OpenSSH's server", () => {
  it('runs commands and takes files', async () => {
    const sshd = await startSshd('Subsystem sftp internal-sftp');
    const client = clientOf(sshd, { user: me, keyPath: sshd.key });
    const connection = await client.connect();
    expect(await connection.run(command('cat; exit 3', { stdin: 'in' }))).toMatchObject({ code: 3, stdout: 'in' });
    const path = join(sshd.folder, 'uploaded');
    await connection.upload({ path, content: Buffer.alloc(300_000, 'x'), mode: 0o640, timeoutMs: 30_000 });
    expect(readFileSync(path)).toHaveLength(300_000);
    expect(client.knownHosts()).toBe(`[127.0.0.1]:${sshd.port} ${sshd.hostKey}\n`);
    execFileSync('ssh-keygen', ['-F', `[127.0.0.1]:${sshd.port}`, '-f', client.settings.knownHostsPath]);
  });

  it('answers well when its shell prints a banner, also before SFTP', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'banner'), 'echo Welcome!; echo careful >&2\n');
    const sftpServer = ['/usr/lib/openssh/sftp-server', '/usr/libexec/sftp-server'].find((path) => existsSync(path));
    // bash reads this file as it reads .bashrc when sshd starts it.
    const sshd = await startSshd(`SetEnv BASH_ENV=${folder}/banner`, `Subsystem sftp ${sftpServer}`);
    const connection = await clientOf(sshd, { user: me, keyPath: sshd.key }).connect();
    expect(await connection.run(command('echo out; echo err >&2'))).toEqual({
      code: 0,
      stdout: 'out\n',
      stderr: 'err\n',
    });
    const path = join(folder, 'uploaded');
    await connection.upload({ path, content: Buffer.from('content'), mode: 0o600, timeoutMs: 30_000 });
    expect(readFileSync(path, 'utf8')).toBe('content');
  });

  it('is asked again when it has reached MaxStartups, and named if it stays so', async () => {
    const sshd = await startSshd('MaxStartups 2:100:2', 'LoginGraceTime 120');
    const free = await occupy(sshd.port, 2);
    const client = clientOf(
      sshd,
      { user: me, keyPath: sshd.key },
      { patience: { connectMs: 0, reconnectMs: 0, limitedMs: 30_000 } },
    );
    const connecting = client.connect();
    await expect.poll(() => client.traces.join('\n'), { timeout: 20_000 }).toContain('Trying again');
    free();
    expect(await (await connecting).run(command('echo in'))).toMatchObject({ stdout: 'in\n' });

    await occupy(sshd.port, 2);
    const impatient = clientOf(
      sshd,
      { user: me, keyPath: sshd.key },
      { patience: { connectMs: 0, reconnectMs: 0, limitedMs: 1500 } },
    );
    const error = await failureOf(impatient.connect());
    expect(error).toMatchObject({ code: 'ssh-unreachable', outcome: 'not-applied', droplet: 'web-1' });
    expect(error.message).toMatch(
      /(its sshd has reached MaxStartups|closed the connection before the SSH handshake)\.( Tried \d+ times in .+\.)?$/,
    );
    expect(error.hint).toContain('MaxStartups');
  });

  it('sees about eight handshakes at a time, of however many connections', async () => {
    const sshd = await startSshd('MaxStartups 9:100:9');
    const client = clientOf(
      sshd,
      { user: me, keyPath: sshd.key },
      { patience: { connectMs: 0, reconnectMs: 0, limitedMs: 120_000 } },
    );
    const connections = await Promise.all(Array.from({ length: 40 }, () => client.connect()));
    expect(connections).toHaveLength(40);
    // A busy sshd still counts a login for a moment after it told the client of it. All at once, 31 would be dropped.
    expect(client.traces.filter((trace) => trace.includes('Trying again')).length).toBeLessThan(15);
  });

  it('is reached through a ProxyCommand, which ends with the connection', async () => {
    const sshd = await startSshd();
    const config = join(sshd.folder, 'config');
    const program = join(sshd.folder, 'proxy.mjs');
    writeFileSync(
      program,
      `import { connect } from 'node:net';
       const socket = connect(Number(process.argv[3]), process.argv[2]);
       process.stdin.pipe(socket).pipe(process.stdout);`,
    );
    writeFileSync(
      config,
      `Host web-1\n  HostName 127.0.0.1\n  ProxyCommand "${process.execPath}" ${program} %h %p ${sshd.folder}\n`,
    );
    const running = () =>
      execFileSync('ps', ['-ef'], { encoding: 'utf8' })
        .split('\n')
        .filter((line) => line.includes(program)).length;
    const client = clientOf(sshd, { user: me, keyPath: sshd.key, configPath: config });
    const connection = await client.connect({ id: 1, name: 'web-1', address: '203.0.113.5' });
    expect(await connection.run(command('echo in'))).toMatchObject({ stdout: 'in\n' });
    expect(running()).toBe(1);
    await connection.close();
    await expect.poll(running, { timeout: 10_000 }).toBe(0);

    writeFileSync(config, `ProxyCommand sh -c 'echo "no route" >&2; exit 7'\n`);
    const failing = clientOf(sshd, { user: me, keyPath: sshd.key, configPath: config });
    const error = await failureOf(failing.connect());
    expect(error).toMatchObject({ code: 'ssh-unreachable' });
    expect(error.message).toMatch(/cannot be reached through ProxyCommand \(.*config:1\): exit code 7: no route\.$/);
  });

  it('may use hmac-sha1 and ssh-rsa only where the ssh configuration allows it', async () => {
    for (const [server, client] of [
      ['MACs hmac-sha1\nCiphers aes128-ctr', 'MACs +hmac-sha1'],
      ['HostKeyAlgorithms ssh-rsa', 'HostKeyAlgorithms +ssh-rsa'],
    ] as const) {
      const folder = temporaryFolder();
      const sshd = await startSshd(server, `HostKey ${keygen(join(folder, 'rsa'), '-t', 'rsa', '-b', '2048')}`);
      const config = join(folder, 'config');
      writeFileSync(config, '');
      const settings = { user: me, keyPath: sshd.key, configPath: config };
      const error = await failureOf(clientOf(sshd, settings).connect());
      expect(error.message).toContain('could not agree on SSH');
      writeFileSync(config, `${client}\n`);
      await clientOf(sshd, settings).connect();
    }
  });

  it('is refused as OpenSSH refuses it, by the files of the machine and of the user', async () => {
    const sshd = await startSshd();
    const other = readFileSync(`${keygen(join(sshd.folder, 'other'), '-t', 'ed25519')}.pub`, 'utf8').split(' ');
    const name = `[127.0.0.1]:${sshd.port}`;
    const otherKey = `${other[0]} ${other[1]}`;
    const cases: [
      what: string,
      files: { user?: string; global?: string; revoked?: string },
      config: string,
      ours: string,
    ][] = [
      ['a new host', {}, 'StrictHostKeyChecking accept-new', ''],
      ['a new host under yes', {}, 'StrictHostKeyChecking yes', 'StrictHostKeyChecking is yes'],
      ['known to the user', { user: `${name} ${sshd.hostKey}` }, 'StrictHostKeyChecking yes', ''],
      ['known to the machine', { global: `${name} ${sshd.hostKey}` }, 'StrictHostKeyChecking yes', ''],
      [
        'another key for the machine',
        { global: `${name} ${otherKey}` },
        'StrictHostKeyChecking accept-new',
        'has changed',
      ],
      [
        'revoked by the machine',
        { user: `${name} ${sshd.hostKey}`, global: `@revoked * ${sshd.hostKey}` },
        '',
        'revoked',
      ],
      [
        'revoked by a list',
        { user: `${name} ${sshd.hostKey}`, revoked: sshd.hostKey },
        'RevokedHostKeys FOLDER/revoked',
        'revoked',
      ],
      [
        'an authority for other hosts',
        { global: `@cert-authority *.example.com ${otherKey}` },
        'StrictHostKeyChecking accept-new',
        '',
      ],
      [
        'an authority, and a known key',
        { global: `@cert-authority * ${otherKey}`, user: `${name} ${sshd.hostKey}` },
        'StrictHostKeyChecking yes',
        '',
      ],
      [
        'an authority, and a key without certificate',
        { global: `@cert-authority * ${otherKey}` },
        'StrictHostKeyChecking yes',
        'certificate authority',
      ],
    ];
    for (const [what, files, config, ours] of cases) {
      const folder = temporaryFolder();
      const paths = { user: join(folder, 'known'), global: join(folder, 'global'), revoked: join(folder, 'revoked') };
      for (const [kind, text] of Object.entries(files)) writeFileSync(paths[kind as keyof typeof paths], `${text}\n`);
      const lines = [`UserKnownHostsFile ${paths.user}`, `GlobalKnownHostsFile ${paths.global}`, config];
      writeFileSync(join(folder, 'config'), `${lines.join('\n').replaceAll('FOLDER', folder)}\n`);
      const status = await sshStatus(folder, sshd);
      const knownBefore = existsSync(paths.user) ? readFileSync(paths.user, 'utf8') : '';
      const client = clientOf(sshd, {
        user: me,
        keyPath: sshd.key,
        configPath: join(folder, 'config'),
        unwritten: ['knownHostsPath'],
      });
      const end = await client.connect().then(
        () => '',
        (error: Error) => error.message,
      );
      expect(end === '', `${what}: ${end}`).toBe(status === 0);
      if (ours !== '') expect(end, what).toContain(ours);
      if (end !== '') expect(existsSync(paths.user) ? readFileSync(paths.user, 'utf8') : '', what).toBe(knownBefore);
    }
  });

  /** OpenSSH's exit code: 0, or 255 when it refuses. */
  async function sshStatus(folder: string, { port, key }: Sshd): Promise<number> {
    const known = join(folder, 'known');
    const before = existsSync(known) ? readFileSync(known) : undefined;
    const ssh = spawn(
      'ssh',
      ['-F', join(folder, 'config'), '-o', 'BatchMode=yes', '-i', key, '-p', String(port), `${me}@127.0.0.1`, 'true'],
      { stdio: 'ignore' },
    );
    const status = await new Promise<number>((done) => ssh.on('exit', (code) => done(code ?? -1)));
    // It remembers new keys: both start from the same files.
    if (before === undefined) execFileSync('rm', ['-f', known]);
    else writeFileSync(known, before);
    return status;
  }
});
