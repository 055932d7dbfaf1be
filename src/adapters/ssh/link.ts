/** A live SSH connection to one server, including those to its jump hosts. It is never repaired, only replaced. */
import type { Duplex } from 'node:stream';
import type { NodeSSH } from 'node-ssh';
import type { Client } from 'ssh2';
import type { Clock } from '../../ports.js';

/** How long the server may take to close the connection, in ms. */
const CLOSE_MS = 1000;

export class Link {
  /** Why it was lost; undefined while it is alive. */
  lostBecause: string | undefined;
  readonly #listeners = new Set<(reason: string) => void>();
  #ready = false;

  /** `upstream` is the link to the jump host that `socket` leads through; it ends with this one. */
  constructor(
    readonly ssh: NodeSSH,
    readonly client: Client,
    readonly fingerprint: () => string,
    readonly socket: Duplex,
    readonly clock: Clock,
    upstream?: Link,
  ) {
    let cause: string | undefined;
    // For the lifetime of the client: node-ssh removes its own listener after the login, and an 'error' without a listener
    // (a reset, a missed keepalive) would end the process.
    client.on('error', (error: Error) => {
      cause ??= error.message;
      // During the login, connect() reports the error.
      if (this.#ready) this.lose(cause);
    });
    client.on('close', () => this.lose(cause ?? 'the server closed the connection'));
    if (upstream) {
      upstream.onLost((reason) => this.lose(`jump host: ${reason}`));
      this.onLost(() => upstream.lose('no longer needed'));
    }
  }

  /** After this, an error ends the link. */
  ready(): void {
    this.#ready = true;
  }

  /** Calls back once when the link is lost, or immediately if it is. Returns a function that stops listening. */
  onLost(listener: (reason: string) => void): () => void {
    if (this.lostBecause !== undefined) {
      listener(this.lostBecause);
      return () => {};
    }
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ends it immediately. Destroys the socket, which ssh2 would leave half open when the other side is silent. */
  lose(reason: string): void {
    if (this.lostBecause !== undefined) return;
    this.lostBecause = reason;
    this.socket.destroy();
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of listeners) listener(reason);
  }

  /** Disconnects, waits at most 1 s for the server to close the connection, and leaves nothing open. */
  async close(): Promise<void> {
    if (this.lostBecause !== undefined) return;
    const gone = new AbortController();
    this.onLost(() => gone.abort());
    this.ssh.dispose();
    await this.clock.sleep(CLOSE_MS, gone.signal);
    this.lose('closed');
  }
}
