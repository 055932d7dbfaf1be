/** One live SSH connection to one server, jump hosts behind it included. It is never repaired, only replaced. */
import type { Duplex } from 'node:stream';
import type { NodeSSH } from 'node-ssh';
import type { Client } from 'ssh2';
import type { Clock } from '../../ports.js';

/** How long a polite goodbye may take, in ms. */
const GOODBYE_MS = 1000;

export class Link {
  /** Why it is gone; undefined while it lives. */
  lostBecause: string | undefined;
  readonly #listeners = new Set<(reason: string) => void>();
  #ready = false;

  /** `upstream` is the jump host that `socket` leads through: it ends with this link. */
  constructor(
    readonly ssh: NodeSSH,
    readonly client: Client,
    readonly fingerprint: () => string,
    readonly socket: Duplex,
    readonly clock: Clock,
    upstream?: Link,
  ) {
    let cause: string | undefined;
    // For as long as the client lives: node-ssh removes its own listener after the login, and an 'error' that nobody
    // listens to (a reset, a missed keepalive) would end the process.
    client.on('error', (error: Error) => {
      cause ??= error.message;
      // During the login the error is connect()'s to tell.
      if (this.#ready) this.lose(cause);
    });
    client.on('close', () => this.lose(cause ?? 'the server closed the connection'));
    if (upstream) {
      upstream.onLost((reason) => this.lose(`jump host: ${reason}`));
      this.onLost(() => upstream.lose('no longer needed'));
    }
  }

  /** From here on an error is the end of it. */
  ready(): void {
    this.#ready = true;
  }

  /** Calls back once, when the link is gone; at once if it is. Returns how to stop listening. */
  onLost(listener: (reason: string) => void): () => void {
    if (this.lostBecause !== undefined) {
      listener(this.lostBecause);
      return () => {};
    }
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ends it here and now. The socket is destroyed by hand: ssh2 leaves one half open when the other side is silent. */
  lose(reason: string): void {
    if (this.lostBecause !== undefined) return;
    this.lostBecause = reason;
    this.socket.destroy();
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of listeners) listener(reason);
  }

  /** Says goodbye, waits for the server to hang up (at most a second), and leaves nothing open. */
  async close(): Promise<void> {
    if (this.lostBecause !== undefined) return;
    const gone = new AbortController();
    this.onLost(() => gone.abort());
    this.ssh.dispose();
    await this.clock.sleep(GOODBYE_MS, gone.signal);
    this.lose('closed');
  }
}
