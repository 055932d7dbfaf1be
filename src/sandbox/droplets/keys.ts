import ssh2 from 'ssh2';

export interface KeyPair {
  /** OpenSSH's private key format. */
  private: string;
  /** `ssh-ed25519 AAAA…` */
  public: string;
}

/**
 * A new ed25519 key pair. One in 256 pairs of ssh2 1.17 is malformed (it drops the public key's leading zero byte), so each
 * is parsed again before it is used.
 */
export function makeKeyPair(comment = ''): KeyPair {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519', { comment });
    const sound = [pair.private, pair.public].every((key) => !(ssh2.utils.parseKey(key) instanceof Error));
    if (sound) return pair;
  }
}
