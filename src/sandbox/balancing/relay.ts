/** The balancer's HTTP front end. It never retries at another backend, so that clients see every failure of a droplet. */
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream';
import { listen, shutDown } from '../http.js';
import type { Backend } from './backend.js';
import { type Connect, connectWithin } from './connect.js';

export interface RelayOptions {
  /** The droplets' port. */
  targetPort: number;
  /** The next backend in turn; undefined if none is up. */
  pick: () => Backend | undefined;
  connect: Connect;
  idleTimeoutSeconds: number;
  /** Called for a request that failed at a backend. */
  onFailure: (dropletId: number, reason: string) => void;
  /** Default: a free port. */
  port?: number;
}

export interface Relay {
  port: number;
  stop(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 5000;
/** Headers that concern a single connection; a relay does not forward them. */
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'proxy-connection', 'te', 'transfer-encoding', 'upgrade']);

export async function startRelay(options: RelayOptions): Promise<Relay> {
  const server = http.createServer((request, response) => {
    // Node refuses to send some requests, for example with a malformed path; they must not end the sandbox.
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
    socket = await connectWithin(options.connect, dropletId, options.targetPort, CONNECT_TIMEOUT_MS);
  } catch (error) {
    options.onFailure(dropletId, (error as Error).message);
    return sendPage(response, 502, 'The server could not be reached.');
  }
  if (response.destroyed) {
    socket.destroy();
    return;
  }
  // DigitalOcean's default is a new backend connection for each request.
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
      // A premature close is the client's; every other error is the droplet's, and the client's response is cut.
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
    // Without a length or this, Node would send the body of a GET unframed.
    ...(chunked && { 'transfer-encoding': 'chunked' }),
    connection: 'close',
    'x-forwarded-for': request.socket.remoteAddress,
    'x-forwarded-proto': 'http',
  };
}

function endToEnd(message: IncomingMessage): http.OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(message.headers).filter(([name]) => !HOP_BY_HOP.has(name)));
}
