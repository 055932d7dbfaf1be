import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import email, { transportFor } from '../../src/layers/email.js';
import { selfSigned } from '../support/self-signed.js';
import { aMailServer, aSocketServer, USERS } from './mail-server.js';
import { notify, ROLLOUT } from './notified.js';

describe('a mail server', () => {
  it('on this machine gets name and password without TLS', async () => {
    const { mails, port } = await aMailServer();
    const smtp = `smtp://me%40example.com:p%3A%40ss%20word@127.0.0.1:${port}`;
    expect(await notify(email, { smtp, ...USERS }, [ROLLOUT.failed])).toEqual([]);
    expect(mails).toEqual([expect.objectContaining({ user: 'me@example.com', secure: false })]);
  });

  it('elsewhere gets nothing without TLS', async () => {
    const said: string[] = [];
    const port = await aSocketServer((socket) => {
      socket.write('220 mail ESMTP\r\n');
      socket.on('data', (chunk) => {
        said.push(chunk.toString());
        socket.write(/^EHLO/.test(chunk.toString()) ? '250-mail\r\n250 AUTH PLAIN\r\n' : '502 not here\r\n');
      });
    });
    // An address of this machine that is not known to be one.
    const smtp = `smtp://me:secret-password@0.0.0.0:${port}`;
    const printed = await notify(email, { smtp, ...USERS }, [ROLLOUT.failed]);
    expect(printed).toEqual([expect.stringMatching(/Layer email failed at deploy_failed: .*STARTTLS/)]);
    expect(said.join('')).not.toMatch(/AUTH|MAIL FROM|secret/);
  });

  it('elsewhere is spoken to by TLS, and its certificate is checked', async () => {
    const { mails, port } = await aMailServer({ disabledCommands: [], ...selfSigned() });
    const smtp = `smtp://me:p%3A%40ss%20word@0.0.0.0:${port}`;
    const printed = await notify(email, { smtp, ...USERS }, [ROLLOUT.failed]);
    expect(printed).toEqual([expect.stringMatching(/Layer email failed at deploy_failed: .*certificate/)]);
    expect(mails).toEqual([]);
  });

  it('is spoken to by TLS from the start, and its certificate is checked', async () => {
    const { mails, port } = await aMailServer({ secure: true, ...selfSigned() });
    const printed = await notify(email, { smtp: `smtps://127.0.0.1:${port}`, ...USERS }, [ROLLOUT.failed]);
    expect(printed).toEqual([expect.stringMatching(/Layer email failed at deploy_failed: .*certificate/)]);
    expect(mails).toEqual([]);
  });

  it.each([
    ['smtps://mail.example.com', { host: 'mail.example.com', port: 465, secure: true }],
    ['smtp://mail.example.com', { host: 'mail.example.com', port: 587, secure: false, requireTLS: true }],
    ['smtp://mail.example.com:25', { host: 'mail.example.com', port: 25, secure: false, requireTLS: true }],
    ['smtp://localhost:@mail.example.com', { host: 'mail.example.com', port: 587, secure: false, requireTLS: true }],
    ['smtp://localhost.example.com', { host: 'localhost.example.com', port: 587, secure: false, requireTLS: true }],
    ['smtp://LOCALHOST:1025', { host: 'localhost', port: 1025, secure: false, ignoreTLS: true }],
    ['smtp://[::1]:1025', { host: '::1', port: 1025, secure: false, ignoreTLS: true }],
  ])('%s', async (smtp, expected) => {
    const { smtp: server } = await email.config.parseAsync({ smtp, ...USERS });
    const { auth: _, maxResponseSize: __, ...options } = transportFor(server);
    expect(options).toEqual(expected);
  });

  it('that refuses a login is quoted without the password', async () => {
    const { port } = await aMailServer();
    const smtp = `smtp://me-myself:wrong-password@127.0.0.1:${port}`;
    const printed = await notify(email, { smtp, ...USERS }, [ROLLOUT.failed]);
    expect(printed).toEqual([
      'Layer email failed at deploy_failed: Invalid login: 535 Invalid login of [secret] with [secret].',
    ]);
  });

  it('that hangs is left when the time is over', async () => {
    let closed = () => {};
    const gone = new Promise<void>((resolve) => {
      closed = resolve;
    });
    let arrived = false;
    const port = await aSocketServer((socket) => {
      arrived = true;
      socket.resume().on('close', closed);
    });
    const printed = await notify(email, { smtp: `smtp://127.0.0.1:${port}`, ...USERS }, [ROLLOUT.failed], 500);
    expect(printed).toEqual([expect.stringContaining('it did not finish within 0.5 s')]);
    // On a busy machine the connection may not have arrived.
    if (arrived) await gone;
  });

  it('that talks without end is left', async () => {
    let sent = 0;
    const port = await aSocketServer((socket) => {
      const more = () => {
        while (!socket.destroyed && socket.write('220-hello hello hello hello hello\r\n')) sent += 35;
      };
      socket.on('drain', more);
      more();
    });
    const printed = await notify(email, { smtp: `smtp://127.0.0.1:${port}`, ...USERS }, [ROLLOUT.failed]);
    expect(printed).toEqual([expect.stringContaining('Layer email failed at deploy_failed: ')]);
    expect(sent).toBeLessThan(32 * 1024 * 1024);
  });
});

describe('the settings of mails', () => {
  const problems = async (changes: object) => {
    const settings = { smtp: 'smtps://mail.example.com', from: 'a@example.com', to: 'b@example.com', ...changes };
    const { error } = await email.config.safeParseAsync(settings);
    return error?.issues.map(({ path, message }) => `${path.join('.')} ${message}`) ?? [];
  };

  it.each([
    'mail.example.com',
    'https://mail.example.com',
    'smtp://',
    'smtps://h/x',
    'smtps://h?tls=no',
    'smtps://%zz@h',
    7,
  ])('refuse %j as a server, without repeating it', async (smtp) => {
    expect(await problems({ smtp })).toEqual([expect.stringMatching(/^smtp must be smtps:\/\/user:password@host/)]);
  });

  it.each(['', 'ops', 'a@b, c@d', 'a@b\r\nBcc: c@d', 'a@b <c@d', 'a b@c', '<a@b', '"x\n" <a@b>', 7])(
    'refuse %j as an address',
    async (from) => {
      expect(await problems({ from })).toEqual([expect.stringMatching(/^from must be an address/)]);
      expect(await problems({ to: from })).toEqual([expect.stringMatching(/^to must be an address/)]);
    },
  );

  it('take one recipient or up to 50', async () => {
    expect(await problems({ to: Array(50).fill('a@example.com') })).toEqual([]);
    expect(await problems({ to: Array(51).fill('a@example.com') })).toEqual([expect.stringMatching(/^to must be/)]);
    expect(await problems({ to: [] })).toEqual([expect.stringMatching(/^to must be/)]);
  });
});

describe('the bundle', () => {
  const chunks = readdirSync('dist').filter((name) => name.endsWith('.js'));
  const own = chunks.filter((name) => /^email-/.test(name));
  const sourcesOf = (name: string): string[] => JSON.parse(readFileSync(`dist/${name}.map`, 'utf8')).sources;

  it('holds nodemailer in the chunk of this layer only, which is loaded on demand', () => {
    expect(own).toHaveLength(1);
    const mapped = chunks.filter((name) => existsSync(`dist/${name}.map`));
    expect(mapped.filter((name) => sourcesOf(name).some((path) => path.includes('/nodemailer/')))).toEqual(own);
    const loading = chunks.flatMap((name) => readFileSync(`dist/${name}`, 'utf8').match(/.*\.\/email-.*/g) ?? []);
    expect(loading).toEqual([expect.stringMatching(/Promise\.resolve\(\)\.then\(.*require\(/)]);
  });

  it('sends a mail by TLS to a server whose certificate it trusts', async () => {
    const certificate = selfSigned('localhost', '491231235959Z');
    const { mails, port } = await aMailServer({ secure: true, ...certificate });
    const folder = mkdtempSync(join(tmpdir(), 'do-deploy-mail-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    writeFileSync(join(folder, 'ca.pem'), certificate.cert);
    const program = `
      const layer = require(process.argv[1]).default;
      const [settings, payload] = JSON.parse(process.argv[2]);
      const config = layer.config.parse(settings);
      layer.on.deploy_failed(payload, { config, signal: AbortSignal.timeout(60_000) });`;
    const smtp = `smtps://me:p%3A%40ss%20word@localhost:${port}`;
    const input = JSON.stringify([{ smtp, ...USERS }, ROLLOUT.failed]);
    // A process of its own: Node reads the certificates that it trusts once, when it starts.
    await promisify(execFile)(process.execPath, ['-e', program, resolve(`dist/${own[0]}`), input], {
      env: { ...process.env, NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem') },
    });
    expect(mails).toEqual([expect.objectContaining({ user: 'me', secure: true })]);
  });
});
