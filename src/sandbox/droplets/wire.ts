import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** How a droplet's network behaves. Read at every transmission. */
export interface WireConditions {
  readonly latencyMs: number;
  readonly silent: boolean;
}

/**
 * A connection as the droplet's sshd sees it, over a network with faults: data from the client arrives late or, while the
 * network is silent, not at all in both directions. Nothing is lost: like with TCP's retransmissions, it arrives when the
 * silence ends.
 */
export class Wire extends Duplex {
  readonly #socket: Socket;
  readonly #conditions: WireConditions;
  /** Received from the client, not yet due. */
  readonly #incoming: { due: number; deliver: () => void }[] = [];
  /** Sent by sshd while the network was silent. */
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
    // For sshd, a reset is the end of the connection.
    socket.on('error', () => {});
    socket.on('close', () => this.#receive(() => this.destroy()));
  }

  /** Resets the connection: the client gets an RST. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  /** Applies changed conditions. */
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

  /** Delivers in order, each when it is due. */
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
