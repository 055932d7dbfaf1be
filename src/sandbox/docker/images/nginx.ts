import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { buildImage, type ContainerProcess, type Image } from '../image.js';
import {
  NginxConfigError,
  type NginxServer,
  type NginxUpstream,
  readNginxConfig,
  UnknownDirective,
} from './nginx-config.js';

const CONFIG = '/etc/nginx/nginx.conf';
const DEFAULT_CONFIG = 'http { server { listen 80; location / { return 200 "Welcome to nginx!"; } } }';

/** A small nginx: reads the mounted nginx.conf, answers, or proxies requests to services of the same project. */
export function nginxImage(): Image {
  return buildImage({
    content: 'nginx 1.27',
    env: ['NGINX_VERSION=1.27.5'],
    exposedPorts: [80],
    files: [CONFIG],
    stopExitCode: 0,
    program: runNginx,
  });
}

async function runNginx(container: ContainerProcess): Promise<void> {
  try {
    const servers = readNginxConfig(container.readMounted(CONFIG) ?? DEFAULT_CONFIG, CONFIG);
    resolveUpstreams(container, servers);
    for (const server of servers) {
      await container.listen(server.port, (request, response) => serve(container, server, request, response));
    }
    container.log('start worker process', 'stderr');
  } catch (error) {
    if (!(error instanceof NginxConfigError)) throw error;
    if (error instanceof UnknownDirective) container.notImplemented(`nginx: ${error.message}`);
    container.log(`nginx: [emerg] ${error.message}`, 'stderr');
    container.exit(1);
  }
}

/** nginx resolves upstreams once, when it starts, and exits if it cannot. */
function resolveUpstreams(container: ContainerProcess, servers: NginxServer[]): void {
  for (const { action } of servers.flatMap(({ locations }) => locations)) {
    if ('status' in action) continue;
    const unknown = action.servers.find(({ service }) => !container.resolves(service));
    if (unknown === undefined) continue;
    throw new NginxConfigError(`host not found in upstream "${unknown.service}:${unknown.port}" in ${CONFIG}`);
  }
}

function serve(
  container: ContainerProcess,
  { locations }: NginxServer,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  response.on('finish', () => container.log(`"${request.method} ${request.url}" ${response.statusCode}`));
  response.setHeader('server', 'nginx/1.27.5');
  const path = (request.url ?? '/').replace(/[?#].*$/, '');
  const [action] = locations
    .filter((location) => (location.exact ? location.path === path : path.startsWith(location.path)))
    .sort((a, b) => Number(b.exact) - Number(a.exact) || b.path.length - a.path.length)
    .map((location) => location.action);
  if (action === undefined) answer(response, 404, '404 Not Found\n');
  else if ('status' in action) answer(response, action.status, action.text);
  else balance(container, action, request, response);
}

/** How many requests each container has passed on: round robin. */
const passedOn = new WeakMap<ContainerProcess, number>();

/** Asks one server after the other, as long as none has begun to answer. */
function balance(
  container: ContainerProcess,
  { servers, nextAfter }: NginxUpstream,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const turn = passedOn.get(container) ?? 0;
  passedOn.set(container, turn + 1);
  const inTurn = servers.map((_, index) => servers[(turn + index) % servers.length]).filter((one) => one !== undefined);
  const ask = (left: readonly { service: string; port: number }[]): void => {
    const [first, ...others] = left;
    const upstream = first && container.locate(first.service, first.port);
    // A body that has been sent to one server is gone.
    const canAskNext = others.length > 0 && (request.method === 'GET' || request.method === 'HEAD');
    if (first === undefined) badGateway(container, response, 'connect() failed (111: Connection refused)');
    else if (upstream === undefined) ask(others);
    else proxy(container, upstream, request, response, { nextAfter, next: canAskNext ? () => ask(others) : undefined });
  };
  ask(inTurn);
}

interface Next {
  nextAfter: readonly number[];
  /** Asks the next server; absent: there is none. */
  next: (() => void) | undefined;
}

function proxy(
  container: ContainerProcess,
  place: { host: string; port: number },
  request: IncomingMessage,
  response: ServerResponse,
  { nextAfter, next }: Next,
): void {
  let isOver = false;
  const headers = { ...request.headers, connection: 'close' };
  const upstream = httpRequest({ ...place, method: request.method, path: request.url, headers, agent: false });
  upstream.on('response', (answered) => {
    if (next !== undefined && nextAfter.includes(answered.statusCode ?? 0)) {
      isOver = true;
      answered.resume();
      return next();
    }
    const { connection: _, 'keep-alive': __, ...others } = answered.headers;
    response.writeHead(answered.statusCode ?? 502, others);
    answered.on('error', () => response.destroy());
    answered.pipe(response);
  });
  upstream.on('error', (error) => {
    // A response that has begun can only be cut off.
    if (isOver) return;
    if (response.headersSent) response.destroy();
    else if (next !== undefined && !response.destroyed) next();
    else badGateway(container, response, `upstream: ${error.message}`);
  });
  response.on('close', () => upstream.destroy());
  request.on('error', () => upstream.destroy());
  request.pipe(upstream);
}

function badGateway(container: ContainerProcess, response: ServerResponse, reason: string): void {
  if (response.destroyed) return;
  container.log(`[error] ${reason} while connecting to upstream`, 'stderr');
  answer(response, 502, '502 Bad Gateway\n');
}

function answer(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-length': Buffer.byteLength(body) }).end(body);
}
