import ssh2 from 'ssh2';

export interface KeyPair {
  /** OpenSSH's private key format. */
  private: string;
  /** `ssh-ed25519 AAAA…` */
  public: string;
}

/**
 * A new ed25519 key pair. One in 256 that ssh2 1.17 makes is malformed (it drops a public key's leading zero byte), so
 * each is read back before it is given out.
 */
export function makeKeyPair(comment = ''): KeyPair {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519', { comment });
    const sound = [pair.private, pair.public].every((key) => !(ssh2.utils.parseKey(key) instanceof Error));
    if (sound) return pair;
  }
}
