import type { Server as HttpServer } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';

/** The longest line that version 1 allows (haproxy, doc/proxy-protocol.txt). */
const LONGEST_LINE = 107;

/**
 * A server in front of `http` that takes the PROXY protocol's line (version 1) off every connection. A connection
 * without it is closed, as nginx does.
 */
export function withProxyProtocol(http: HttpServer): Server {
  return createServer((socket) => {
    socket.on('error', () => socket.destroy());
    takeLine(socket, Buffer.alloc(0), (line, rest) => {
      if (!/^PROXY (?:TCP[46] \S+ \S+ \d+ \d+|UNKNOWN.*)$/.test(line)) {
        socket.destroy();
        return;
      }
      if (rest.length > 0) socket.unshift(rest);
      http.emit('connection', socket);
      socket.resume();
    });
  });
}

function takeLine(socket: Socket, before: Buffer, take: (line: string, rest: Buffer) => void): void {
  socket.once('data', (chunk) => {
    socket.pause();
    const received = Buffer.concat([before, chunk]);
    const end = received.indexOf('\r\n');
    if (end >= 0) take(received.subarray(0, end).toString('latin1'), received.subarray(end + 2));
    else if (received.length > LONGEST_LINE) socket.destroy();
    else {
      takeLine(socket, received, take);
      socket.resume();
    }
  });
}
