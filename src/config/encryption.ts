export interface Encryption {
  by: string;
  /** What to type to have the file as plain text. */
  remedy: (path: string) => string;
}

const GIT_CRYPT: Encryption = { by: 'git-crypt', remedy: () => 'git-crypt unlock' };
const SOPS: Encryption = { by: 'SOPS', remedy: (path) => `sops decrypt --in-place ${path}` };
const ANSIBLE_VAULT: Encryption = { by: 'ansible-vault', remedy: (path) => `ansible-vault decrypt ${path}` };
const DOTENVX: Encryption = { by: 'dotenvx', remedy: (path) => `dotenvx decrypt -f ${path}` };
const AGE: Encryption = {
  by: 'age',
  remedy: (path) => `age --decrypt --identity KEY.txt --output PLAIN ${path}, and name PLAIN instead`,
};

/**
 * How a file is encrypted, if it is: then it is useless as it stands.
 * @param options.byText also by words in it, and by formats that a program may decrypt itself: innocent in a file that holds
 * no variables or secret of do-deploy's configuration; default true
 */
export function encryptionOf(content: Buffer, options: { byText: boolean } = { byText: true }): Encryption | undefined {
  if (content.subarray(0, 9).equals(Buffer.from('\0GITCRYPT'))) return GIT_CRYPT;
  if (!options.byText) return undefined;
  const text = content.toString('utf8').replace(/^\ufeff/, '');
  if (text.startsWith('$ANSIBLE_VAULT;')) return ANSIBLE_VAULT;
  if (/^(?:age-encryption\.org\/v1\r?\n|-----BEGIN AGE ENCRYPTED FILE-----)/.test(text)) return AGE;
  if (/^[ \t]*(?:export[ \t]+)?[\w.-]+[ \t]*=[ \t]*["']?encrypted:[\w+/=]{20,}/m.test(text)) return DOTENVX;
  return isSops(text) ? SOPS : undefined;
}

/** Of its formats: dotenv, then YAML, JSON (also for what is none of the others) and INI. */
function isSops(text: string): boolean {
  if (/^sops_version=/m.test(text)) return true;
  return text.includes('ENC[AES256_GCM,') && /^[ \t{]*(?:"sops"[ \t]*:|sops:|\[sops\])/m.test(text);
}
