/** Private keys in all forms that people have them in: OpenSSH, PEM, PKCS#8, PuTTY; also damaged by copying. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import type { ParsedKey } from 'ssh2';

type Ssh2 = typeof import('ssh2');

/** A key that can be used, or why it cannot: `problem` continues "PATH ", `hint` says how to get one that can. */
export type ReadKey =
  | { kind: 'key'; text: string; parsed: ParsedKey }
  | { kind: 'locked' }
  /** It still selects a key of the agent. */
  | { kind: 'public'; parsed: ParsedKey; problem: string; hint(path: string): string }
  | { kind: 'unusable'; problem: string; hint(path: string): string };

/** Never quotes the text, nor a parser's message, which could. */
export function readPrivateKey(ssh2: Ssh2, written: string): ReadKey {
  const text = restoreLines(written);
  const parsed = ssh2.utils.parseKey(text);
  if (!(parsed instanceof Error)) {
    if (parsed.isPrivateKey()) return { kind: 'key', text, parsed };
    return { ...PUBLIC_KEY, kind: 'public', parsed };
  }
  if (/no passphrase|ENCRYPTED PRIVATE KEY/i.test(`${parsed.message}${text.slice(0, 60)}`)) return { kind: 'locked' };
  if (/^PuTTY-User-Key-File-/.test(text)) return PUTTY_KEY;
  if (SECURITY_KEY.test(parsed.message)) return HARDWARE_KEY;
  if (/^-----BEGIN PRIVATE KEY-----/.test(text)) return convertPkcs8(ssh2, text);
  if (
    /^(---- BEGIN SSH2 PUBLIC KEY|-----BEGIN (RSA )?PUBLIC KEY|-----BEGIN CERTIFICATE|(ssh|ecdsa|sk)-\S+ AAAA)/.test(
      text,
    )
  )
    return PUBLIC_KEY;
  if (/^-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text) && !/-----END [A-Z ]*PRIVATE KEY-----$/.test(text.trim())) {
    return unusable(
      'holds a private key without its end',
      () => 'Copy the whole key, up to its line -----END … PRIVATE KEY-----.',
    );
  }
  return unusable('is not an SSH private key', (path) => `Name the private key. Check it: ssh-keygen -y -f ${path}`);
}

/** How ssh2 names a type of key that needs a security key (FIDO). */
export const SECURITY_KEY = /sk-(ssh|ecdsa)/;

const PUBLIC_KEY = unusable('is a public key', (path) =>
  path.endsWith('.pub') ? `Name the private key: ${path.slice(0, -4)}` : 'Name the private key that belongs to it.',
);
const HARDWARE_KEY = unusable(
  'belongs to a security key (sk-…), which do-deploy cannot ask for a signature',
  () => 'Use a key of its own for do-deploy: ssh-keygen -t ed25519 -f ~/.ssh/id_deploy',
);
const PUTTY_KEY = unusable(
  'is a PuTTY key of a version that is not supported',
  (path) => `Convert it: puttygen ${path} -O private-openssh -o ~/.ssh/id_deploy`,
);

function unusable(problem: string, hint: (path: string) => string): ReadKey & { kind: 'unusable' } {
  return { kind: 'unusable', problem, hint };
}

/**
 * CI systems, dotenv files and copying turn the line breaks of a key into CRLF, a written `\n`, blanks, or nothing: what
 * stands between its first and last line is base64, which may be broken anywhere.
 */
function restoreLines(written: string): string {
  const text = written.replace(/^\ufeff/, '').replace(/\r\n?/g, '\n');
  const lines = (text.trim().includes('\n') ? text : text.replaceAll('\\r', '').replaceAll('\\n', '\n')).trim();
  const [, type, body] =
    /^-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----([A-Za-z0-9+/=\s]*)-----END \1-----$/.exec(lines) ?? [];
  if (type === undefined || body === undefined) return `${lines}\n`;
  const base64 = body.replace(/\s+/g, '').match(/.{1,64}/g) ?? [];
  return `${[`-----BEGIN ${type}-----`, ...base64, `-----END ${type}-----`].join('\n')}\n`;
}

/** ssh2 reads the older forms of RSA and ECDSA keys, and ed25519 keys in OpenSSH's form only. */
function convertPkcs8(ssh2: Ssh2, text: string): ReadKey {
  const converted = attempt(() => {
    const key = createPrivateKey(text);
    if (key.asymmetricKeyType === 'rsa') return key.export({ format: 'pem', type: 'pkcs1' });
    if (key.asymmetricKeyType === 'ec') return key.export({ format: 'pem', type: 'sec1' });
    return key.asymmetricKeyType === 'ed25519' ? opensshForm(key) : undefined;
  });
  const parsed = converted === undefined ? undefined : ssh2.utils.parseKey(converted);
  if (parsed === undefined || parsed instanceof Error) {
    return unusable('is a PKCS#8 key that cannot be converted', (path) => `Convert it: ssh-keygen -p -N "" -f ${path}`);
  }
  return { kind: 'key', text: String(converted), parsed };
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

/** An ed25519 key as openssh-key-v1 (PROTOCOL.key of OpenSSH), without a passphrase. */
function opensshForm(key: KeyObject): string {
  const { x = '', d = '' } = key.export({ format: 'jwk' });
  const publicKey = Buffer.from(x, 'base64url');
  const type = 'ssh-ed25519';
  const check = Buffer.alloc(4, 0x5a);
  const secret = Buffer.concat([
    check,
    check,
    field(type),
    field(publicKey),
    field(Buffer.concat([Buffer.from(d, 'base64url'), publicKey])),
    field(''),
  ]);
  const padding = Buffer.from(Array.from({ length: (8 - (secret.length % 8)) % 8 }, (_, index) => index + 1));
  const one = Buffer.from([0, 0, 0, 1]);
  const blob = Buffer.concat([field(type), field(publicKey)]);
  const body = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    field('none'),
    field('none'),
    field(''),
    one,
    field(blob),
    field(Buffer.concat([secret, padding])),
  ]);
  const lines = body.toString('base64').match(/.{1,70}/g) ?? [];
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines.join('\n')}\n-----END OPENSSH PRIVATE KEY-----\n`;
}

function field(content: string | Buffer): Buffer {
  const bytes = Buffer.from(content as string);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
