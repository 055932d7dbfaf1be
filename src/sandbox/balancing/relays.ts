/**
 * The doors of the balancer: an HTTP one that relays request by request, a TCP one that relays connection by
 * connection. Neither tries a second backend: what goes wrong at a droplet reaches the client, so that it is seen.
 */
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import net, { type Socket } from 'node:net';
import { pipeline } from 'node:stream';
import { listen, shutDown } from '../http.js';
import type { ForwardingRule } from '../records.js';
import type { Backend } from './backend.js';
import { type Connect, connectWithin, PROXY_PROTOCOL_LINE } from './connect.js';

export interface RelayOptions {
  rule: ForwardingRule;
  /** The backend whose turn it is; undefined when none is up. */
  pick: () => Backend | undefined;
  connect: Connect;
  proxyProtocol: boolean;
  idleTimeoutSeconds: number;
  /** A request that went wrong at a backend. */
  onFailure: (dropletId: number, reason: string) => void;
  /** Default: a free one. */
  port?: number;
}

/** One forwarding rule at work. */
export interface Relay {
  port: number;
  stop(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 5000;
/** They concern one connection only, so a relay does not pass them on. */
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'proxy-connection', 'te', 'transfer-encoding', 'upgrade']);

export function startRelay(options: RelayOptions): Promise<Relay> {
  return options.rule.entryProtocol === 'tcp' ? startTcpRelay(options) : startHttpRelay(options);
}

async function startHttpRelay(options: RelayOptions): Promise<Relay> {
  const server = http.createServer((request, response) => {
    // What Node refuses to send on (a path it calls malformed) must not end the sandbox.
    relayRequest(options, request, response).catch(() => response.destroy());
  });
  server.keepAliveTimeout = options.idleTimeoutSeconds * 1000;
  const port = await listen(server, options.port);
  return { port, stop: () => shutDown(server) };
}

async function relayRequest(options: RelayOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const backend = options.pick();
  if (backend === undefined) return sendPage(response, 503, 'No server is available to handle this request.');
  const { dropletId } = backend;
  response.once('close', backend.take());
  let socket: Socket;
  try {
    socket = await connectWithin(options.connect, dropletId, options.rule.targetPort, CONNECT_TIMEOUT_MS);
  } catch (error) {
    options.onFailure(dropletId, (error as Error).message);
    return sendPage(response, 502, 'The server could not be reached.');
  }
  if (response.destroyed) {
    socket.destroy();
    return;
  }
  if (options.proxyProtocol) socket.write(PROXY_PROTOCOL_LINE);
  // No keep-alive towards backends: DigitalOcean's default is a new connection for each request.
  const upstream = http.request({
    createConnection: () => socket,
    method: request.method,
    path: request.url,
    headers: forwarded(request),
    setHost: false,
  });
  upstream.setTimeout(options.idleTimeoutSeconds * 1000, () => upstream.destroy(new Error('no answer in time')));
  upstream.on('response', (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.statusMessage, endToEnd(answer));
    pipeline(answer, response, (error) => {
      // A premature close is the client's own; everything else is the droplet's, and the client sees its answer cut.
      if (error && error.code !== 'ERR_STREAM_PREMATURE_CLOSE')
        options.onFailure(dropletId, `cut off: ${error.message}`);
    });
  });
  upstream.on('error', (error) => {
    if (response.destroyed || response.writableEnded) return;
    options.onFailure(dropletId, error.message);
    if (response.headersSent) response.destroy();
    else sendPage(response, 502, 'The server returned an invalid or incomplete response.');
  });
  response.once('close', () => upstream.destroy());
  request.on('error', () => upstream.destroy());
  request.pipe(upstream);
}

function sendPage(response: ServerResponse, status: number, text: string): void {
  if (response.destroyed) return;
  const title = `${status} ${http.STATUS_CODES[status]}`;
  response.writeHead(status, { 'content-type': 'text/html' });
  response.end(`<html><body><h1>${title}</h1>\n${text}\n</body></html>\n`);
}

function forwarded(request: IncomingMessage): http.OutgoingHttpHeaders {
  const chunked = request.headers['transfer-encoding'] !== undefined;
  return {
    ...endToEnd(request),
    // Without a length and without this, Node would send a GET's body unframed.
    ...(chunked && { 'transfer-encoding': 'chunked' }),
    connection: 'close',
    'x-forwarded-for': request.socket.remoteAddress,
    'x-forwarded-proto': 'http',
  };
}

function endToEnd(message: IncomingMessage): http.OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(message.headers).filter(([name]) => !HOP_BY_HOP.has(name)));
}

async function startTcpRelay(options: RelayOptions): Promise<Relay> {
  const open = new Set<Socket>();
  const server = net.createServer({ allowHalfOpen: true }, (client) => {
    open.add(client);
    client.once('close', () => open.delete(client));
    client.on('error', () => client.destroy());
    void relayConnection(options, client);
  });
  const port = await listen(server, options.port);
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const client of open) client.destroy();
    });
  return { port, stop };
}

async function relayConnection(options: RelayOptions, client: Socket): Promise<void> {
  const backend = options.pick();
  if (backend === undefined) {
    client.resetAndDestroy();
    return;
  }
  client.once('close', backend.take());
  try {
    const { connect, rule } = options;
    const server = await connectWithin(connect, backend.dropletId, rule.targetPort, CONNECT_TIMEOUT_MS);
    server.on('error', () => client.destroy());
    client.once('close', () => server.destroy());
    server.once('close', () => client.destroy());
    if (options.proxyProtocol) server.write(PROXY_PROTOCOL_LINE);
    client.pipe(server).pipe(client);
  } catch (error) {
    options.onFailure(backend.dropletId, (error as Error).message);
    client.resetAndDestroy();
  }
}
