import type { Socket } from 'node:net';

/**
 * Opens a connection from the balancer to a droplet's port. Rejects with ECONNREFUSED if nothing listens; may stay pending
 * forever if packets are dropped.
 */
export type Connect = (dropletId: number, port: number) => Promise<Socket>;

/** Like `connect`, but rejects after `timeoutMs`; a connection that opens later is closed. */
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
