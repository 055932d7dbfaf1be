import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** How a droplet's network behaves; read whenever something passes. */
export interface WireConditions {
  readonly latencyMs: number;
  readonly silent: boolean;
}

/**
 * A connection as the droplet's sshd sees it, with the network's troubles in between: what the client sends arrives
 * late, or, while the network is silent, not at all, and neither does what sshd sends. Nothing is lost: it passes when
 * the silence is over, as TCP would send it again.
 */
export class Wire extends Duplex {
  readonly #socket: Socket;
  readonly #conditions: WireConditions;
  /** What has come from the client and waits for its time. */
  readonly #incoming: { due: number; deliver: () => void }[] = [];
  /** What sshd said while the network was silent. */
  readonly #outgoing: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(socket: Socket, conditions: WireConditions) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    this.#conditions = conditions;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => {
      this.#receive(() => {
        if (!this.push(chunk)) socket.pause();
      });
    });
    socket.on('end', () => this.#receive(() => this.push(null)));
    // A reset is for sshd just the end of the connection.
    socket.on('error', () => {});
    socket.on('close', () => this.#receive(() => this.destroy()));
  }

  /** Ends the connection as a machine does that has forgotten it: the client gets an RST. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  /** To be called when the conditions have changed. */
  resettle(): void {
    if (this.#conditions.silent) return;
    for (const send of this.#outgoing.splice(0)) send();
    this.#deliver();
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#send(() => {
      if (this.#socket.writable) this.#socket.write(chunk, () => done());
      else done();
    });
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#send(() => this.#socket.end(() => done()));
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#timer);
    this.#socket.destroy();
    done(error);
  }

  #send(task: () => void): void {
    if (this.#conditions.silent) this.#outgoing.push(task);
    else task();
  }

  #receive(deliver: () => void): void {
    if (!this.#conditions.silent && this.#conditions.latencyMs === 0 && this.#incoming.length === 0) {
      deliver();
      return;
    }
    this.#incoming.push({ due: Date.now() + this.#conditions.latencyMs, deliver });
    this.#deliver();
  }

  /** In order, each not before its time. */
  #deliver(): void {
    clearTimeout(this.#timer);
    for (let next = this.#incoming[0]; next !== undefined; next = this.#incoming[0]) {
      if (this.#conditions.silent) return;
      const wait = next.due - Date.now();
      if (wait > 0) {
        this.#timer = setTimeout(() => this.#deliver(), wait);
        return;
      }
      this.#incoming.shift();
      next.deliver();
    }
  }
}
