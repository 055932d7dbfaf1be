import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { describe, expect, it } from 'vitest';
import { readPastedKey } from '../../src/config/ssh-key.js';
import { COMPOSE, createProject, deployYml, load, problemsOf } from './project-folder.js';

const OPENSSH = ssh2.utils.generateKeyPairSync('ed25519').private;
const PKCS1 = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});
const PUBLIC = ssh2.utils.generateKeyPairSync('ed25519').public;

/** What SSH makes of a key, to compare two of them. */
function publicPartOf(key: string): string {
  const parsed = ssh2.utils.parseKey(key);
  if (parsed instanceof Error) throw parsed;
  return [parsed].flat()[0]?.getPublicSSH().toString('base64') ?? '';
}

describe.each([
  ['OpenSSH', OPENSSH],
  ['PEM', PKCS1.privateKey],
])('a key (%s) that was pasted', (_, key) => {
  it.each<[form: string, change: (key: string) => string]>([
    ['as it is', (text) => text],
    ['without its last line break', (text) => text.trimEnd()],
    ['with Windows line ends', (text) => text.replaceAll('\n', '\r\n')],
    ['with blanks around it', (text) => `\n  ${text}\n\n`],
    ['on one line, with \\n for line breaks', (text) => text.trimEnd().replaceAll('\n', '\\n')],
    ['on one line, with \\r\\n and a last \\n', (text) => text.replaceAll('\n', '\\r\\n')],
    ['on one line, with blanks for line breaks', (text) => text.trimEnd().replaceAll('\n', ' ')],
    ['on one line, without line breaks', (text) => text.replaceAll('\n', '')],
    ['with quotes around it', (text) => `"${text.trimEnd()}"`],
  ])('%s works', (_form, change) => {
    const read = readPastedKey(change(key));
    const text = 'key' in read ? read.key : read.message;
    expect(text).toMatch(/^-----BEGIN [^\r]*\n[^\r]*-----END [A-Z ]*PRIVATE KEY-----\n$/);
    expect(publicPartOf(text)).toBe(publicPartOf(key));
  });
});

describe('what is no usable private key', () => {
  const WHOLE = 'put the whole content of the private key file there, from its line -----BEGIN to its line -----END';
  const SWAP = 'put the private one there: the file whose name does not end in .pub';

  it.each([
    [PUBLIC, 'holds a public key', SWAP],
    ['ssh-rsa AAAAB3NzaC1yc2E me@here', 'holds a public key', SWAP],
    ['sk-ssh-ed25519@openssh.com AAAA', 'holds a public key', SWAP],
    [PKCS1.publicKey, 'holds a public key', SWAP],
    ['---- BEGIN SSH2 PUBLIC KEY ----\nx', 'holds a public key', SWAP],
    [OPENSSH.slice(0, 200), 'holds a key that is cut off: its last line is missing', WHOLE],
    [
      Buffer.from(OPENSSH).toString('base64'),
      'holds a key in base64',
      'put it there as it is, for example from base64 --decode',
    ],
    [
      '-----BEGIN RSA PRIVATE KEY----- Proc-Type: 4,ENCRYPTED DEK-Info: AES-128-CBC,0 abcd -----END RSA PRIVATE KEY-----',
      'holds a key whose line breaks are lost',
      WHOLE,
    ],
    ['hunter2', 'holds no private key', WHOLE],
    ['/home/me/.ssh/id_ed25519', 'holds no private key', WHOLE],
  ])('%.30j is named as such', (text, message, remedy) => {
    expect(readPastedKey(text)).toEqual({ message, remedy });
  });
});

describe('SSH_PRIVATE_KEY', () => {
  const project = (own: string) => createProject({ ...COMPOSE, 'config/deploy.yml': deployYml(), 'config/.env': own });

  it('is normalised, and masked in both forms', async () => {
    const flat = OPENSSH.trimEnd().replaceAll('\n', '\\n');
    const root = createProject({ ...COMPOSE, 'config/deploy.yml': deployYml() });
    const { ssh, secrets } = await load(root, { env: { SSH_PRIVATE_KEY: flat } });
    expect(ssh.privateKey?.reveal()).toBe(OPENSSH);
    expect(secrets.map((secret) => secret.reveal())).toEqual(expect.arrayContaining([flat, OPENSSH]));
  });

  it('may stand in config/.env, on several lines or one', async () => {
    for (const value of [`"${OPENSSH}"`, `"${OPENSSH.trimEnd().replaceAll('\n', '\\n')}"`]) {
      const { ssh } = await load(project(`SSH_PRIVATE_KEY=${value}\n`));
      expect(ssh.privateKey?.reveal()).toBe(OPENSSH);
    }
  });

  it('is refused at its place in config/.env', async () => {
    const [problem] = await problemsOf(project(`A=b\nSSH_PRIVATE_KEY='${PUBLIC}'\n`));
    expect(problem).toMatch(/^config\/\.env:2: SSH_PRIVATE_KEY holds a public key; put the private one there/);
    expect(await problemsOf(project(`SSH_PRIVATE_KEY=${OPENSSH}`))).toContain(
      'config/.env:1: a key of several lines is not in quotes; put double quotes around all of it',
    );
  });
});

describe('ssh.key', () => {
  const problems = async (content: string | Buffer) => {
    const files = { 'keys/id.pub': content, 'config/deploy.yml': deployYml('ssh: { key: keys/id.pub }') };
    return await problemsOf(createProject({ ...COMPOSE, ...files }));
  };

  it('that is a public key is named as such, with the private one', async () => {
    expect(await problems(PUBLIC)).toEqual([
      'config/deploy.yml:3: ssh.key: keys/id.pub is a public key; name the private one: keys/id',
    ]);
    expect(await problems(OPENSSH)).toEqual([]);
  });

  it('that is a folder or a named pipe is reported', async () => {
    const root = createProject({ ...COMPOSE, 'keys/id': '', 'config/deploy.yml': deployYml('ssh: { key: keys }') });
    expect(await problemsOf(root)).toEqual([
      'config/deploy.yml:3: ssh.key: keys is a folder, not a file; name a regular file',
    ]);
    execFileSync('mkfifo', [join(root, 'pipe')]);
    const deploy = join(root, 'config/deploy.yml');
    writeFileSync(deploy, readFileSync(deploy, 'utf8').replace('key: keys', 'config: pipe'));
    expect(await problemsOf(root)).toEqual([
      'config/deploy.yml:3: ssh.config: pipe is a named pipe, not a file; name a regular file',
    ]);
  });
});
