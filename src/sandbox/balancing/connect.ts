import type { Socket } from 'node:net';

/**
 * A new connection from the balancer to a droplet's port. Rejects with ECONNREFUSED when nothing listens there; may stay
 * pending for ever, as into a black hole.
 */
export type Connect = (dropletId: number, port: number) => Promise<Socket>;

/** The same, but rejects after `timeoutMs`; a connection that comes later is closed. */
export async function connectWithin(
  connect: Connect,
  dropletId: number,
  port: number,
  timeoutMs: number,
): Promise<Socket> {
  const connecting = connect(dropletId, port);
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      connecting.then(
        (socket) => socket.destroy(),
        () => {},
      );
      reject(new Error(`no connection within ${timeoutMs} ms`));
    }, timeoutMs);
  });
  try {
    return await Promise.race([connecting, expired]);
  } finally {
    clearTimeout(timer);
  }
}

/** The line that tells a backend who the client is. The sandbox's clients are all on this machine. */
export const PROXY_PROTOCOL_LINE = 'PROXY TCP4 127.0.0.1 127.0.0.1 40000 80\r\n';
