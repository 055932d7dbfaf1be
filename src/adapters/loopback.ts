/** A TCP server on 127.0.0.1. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { DeployError } from '../errors.js';
import type { Loopback } from '../ports.js';

export const loopback: Loopback = {
  async listen(port, serve) {
    const open = new Set<Socket>();
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      open.add(socket);
      // 'close' follows.
      socket.on('error', () => {});
      socket.on('close', () => open.delete(socket));
      serve(socket);
    });
    server.listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException;
      throw new DeployError('port-taken', `Port ${port} of this machine cannot be used: ${code ?? message}.`, {
        source: 'user',
        hint: 'Choose another one with --local, or leave it out for a free one.',
        cause,
      });
    }
    server.on('error', () => {});
    return {
      port: (server.address() as AddressInfo).port,
      async close() {
        const closed = once(server, 'close');
        server.close();
        for (const socket of open) socket.destroy();
        await closed;
      },
    };
  },
};
