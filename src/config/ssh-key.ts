/** Keys as people paste them: private ones into the variable SSH_PRIVATE_KEY, public ones into lists, or one for the other. */

export type KeyReading = { key: string } | { message: string; remedy: string };

const WHOLE = 'put the whole content of the private key file there, from its line -----BEGIN to its line -----END';
const PUBLIC =
  /^(ssh-(rsa|dss|ed25519)|ecdsa-sha2-\S+|sk-\S+@openssh\.com) AAAA|^-----BEGIN ([A-Z0-9]+ )?PUBLIC KEY-----|^---- BEGIN SSH2 PUBLIC KEY/;
const PEM = /^(-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----)([\s\S]*?)(-----END [A-Z0-9 ]*PRIVATE KEY-----)?$/;
const LINE_LENGTH = 64;

/** A public key that OpenSSH takes, on one line, perhaps with a comment. */
const PUBLIC_LINE =
  /^(?:ssh-rsa|ssh-ed25519|ecdsa-sha2-nistp(?:256|384|521)|sk-(?:ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com) [A-Za-z0-9+/]{40,}={0,2}(?: [^\p{Cc}]*)?$/u;

export function isPublicKeyLine(text: string): boolean {
  return PUBLIC_LINE.test(text);
}

/** What somebody meant for a public key, also if it is cut off. */
export function isPublicKey(text: string): boolean {
  return PUBLIC.test(text.trim());
}

/**
 * A key with the line breaks that SSH wants: without carriage returns, with those that were pasted as `\n` or as blanks,
 * and with the last one.
 */
export function readPastedKey(pasted: string): KeyReading {
  const text = withoutQuotes(pasted.trim()).replaceAll(/\r\n?/g, '\n');
  if (isPublicKey(text)) {
    return {
      message: 'holds a public key',
      remedy: 'put the private one there: the file whose name does not end in .pub',
    };
  }
  if (text.startsWith('PuTTY-User-Key-File-')) return { key: `${text}\n` };
  const unfolded = text.includes('\n') ? text : text.replaceAll(/(\\r)?\\n/g, '\n').trim();
  const [, begin, body = '', end] = PEM.exec(unfolded) ?? [];
  if (begin === undefined) {
    const isEncoded = Buffer.from(text, 'base64').toString('latin1').startsWith('-----BEGIN ');
    return isEncoded
      ? { message: 'holds a key in base64', remedy: 'put it there as it is, for example from base64 --decode' }
      : { message: 'holds no private key', remedy: WHOLE };
  }
  if (end === undefined) return { message: 'holds a key that is cut off: its last line is missing', remedy: WHOLE };
  if (unfolded.includes('\n')) return { key: `${unfolded}\n` };

  // All on one line: blanks were line breaks. The headers of an old encrypted key cannot be separated again.
  const data = body.replaceAll(' ', '');
  if (!/^[A-Za-z0-9+/]+=*$/.test(data)) {
    return { message: 'holds a key whose line breaks are lost', remedy: WHOLE };
  }
  const lines = data.match(new RegExp(`.{1,${LINE_LENGTH}}`, 'g')) ?? [];
  return { key: `${[begin, ...lines, end].join('\n')}\n` };
}

function withoutQuotes(text: string): string {
  const [, , inner] = /^(["'])([\s\S]*)\1$/.exec(text) ?? [];
  return inner === undefined ? text : inner.trim();
}
