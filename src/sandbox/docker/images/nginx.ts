import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { buildImage, type ContainerProcess, type Image } from '../image.js';
import { NginxConfigError, type NginxLocation, type NginxServer, readNginxConfig } from './nginx-config.js';

const CONFIG = '/etc/nginx/nginx.conf';
const DEFAULT_CONFIG = 'events {} http { server { listen 80; return 200 "Welcome to nginx!\\n"; } }';

/** A small nginx: reads the mounted configuration, answers or passes requests on to services of the same project. */
export function nginxImage(): Image {
  return buildImage({
    content: 'nginx 1.27',
    env: ['NGINX_VERSION=1.27.5'],
    exposedPorts: [80],
    entrypoint: ['/docker-entrypoint.sh'],
    command: ['nginx', '-g', 'daemon off;'],
    files: [CONFIG],
    stopExitCode: 0,
    program: runNginx,
  });
}

async function runNginx(container: ContainerProcess): Promise<void> {
  if (container.command !== undefined) {
    container.notImplemented(`command of the nginx image: ${container.command.join(' ')}`);
    return container.exit(127);
  }
  try {
    const servers = readNginxConfig(container.readMounted(CONFIG) ?? DEFAULT_CONFIG, CONFIG);
    checkUpstreams(container, servers);
    for (const server of servers) {
      for (const { port, proxyProtocol } of server.listens) {
        const answer = (request: IncomingMessage, response: ServerResponse) =>
          serve(container, server, request, response);
        await container.listen(port, answer, { proxyProtocol });
      }
    }
    container.log('start worker process', 'stderr');
  } catch (error) {
    if (!(error instanceof NginxConfigError)) throw error;
    if (error.unknown) container.notImplemented(`nginx: ${error.message}`);
    container.log(`nginx: [emerg] ${error.message}`, 'stderr');
    container.exit(1);
  }
}

/** nginx looks its upstreams up once, at the start, and gives up when one is not there. */
function checkUpstreams(container: ContainerProcess, servers: NginxServer[]): void {
  for (const { action } of servers.flatMap(({ locations }) => locations)) {
    if (action.kind !== 'proxy') continue;
    const missing = action.upstream.find(({ service }) => !container.resolves(service));
    if (missing === undefined) continue;
    throw new NginxConfigError(`host not found in upstream "${missing.service}:${missing.port}" in ${CONFIG}`);
  }
}

function serve(
  container: ContainerProcess,
  server: NginxServer,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  response.on('finish', () => container.log(`"${request.method} ${request.url}" ${response.statusCode}`));
  response.setHeader('server', 'nginx/1.27.5');
  const location = locationFor(server, request.url ?? '/');
  if (location === undefined) {
    answer(response, 404, page('404 Not Found'));
    return;
  }

  if (location.action.kind === 'return') {
    const { status, text } = location.action;
    addHeaders(location, response, status);
    answer(response, status, text);
    return;
  }
  const reached = location.action.upstream
    .map(({ service, port }) => container.locate(service, port))
    .find((place) => place !== undefined);
  if (reached === undefined) badGateway(container, response, 'connect() failed (111: Connection refused)');
  else passOn(container, location, reached, request, response);
}

/** An exact match, else the longest prefix. */
function locationFor(server: NginxServer, url: string): NginxLocation | undefined {
  const path = url.replace(/[?#].*$/, '');
  const exact = server.locations.find((location) => location.exact && location.path === path);
  const prefixes = server.locations.filter((location) => !location.exact && path.startsWith(location.path));
  return exact ?? prefixes.sort((one, other) => other.path.length - one.path.length)[0];
}

function passOn(
  container: ContainerProcess,
  location: NginxLocation,
  place: { host: string; port: number },
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const upstream = httpRequest(
    {
      ...place,
      method: request.method,
      path: request.url,
      headers: { ...request.headers, connection: 'close' },
      agent: false,
    },
    (answered) => {
      const headers = { ...answered.headers };
      delete headers.connection;
      delete headers['keep-alive'];
      addHeaders(location, response, answered.statusCode ?? 502);
      response.writeHead(answered.statusCode ?? 502, headers);
      answered.on('error', () => response.destroy());
      answered.pipe(response);
    },
  );
  upstream.on('error', (error) => {
    // An answer that has begun can only be cut off.
    if (response.headersSent) response.destroy();
    else badGateway(container, response, `upstream: ${error.message}`);
  });
  response.on('close', () => upstream.destroy());
  request.on('error', () => upstream.destroy());
  request.pipe(upstream);
}

/** Like nginx, only on answers that are no errors. */
function addHeaders({ headers }: NginxLocation, response: ServerResponse, status: number): void {
  if (status >= 400) return;
  for (const [name, value] of headers) response.setHeader(name, value);
}

function badGateway(container: ContainerProcess, response: ServerResponse, reason: string): void {
  if (response.destroyed) return;
  container.log(`[error] ${reason} while connecting to upstream`, 'stderr');
  answer(response, 502, page('502 Bad Gateway'));
}

function answer(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

function page(title: string): string {
  return `<html>\n<head><title>${title}</title></head>\n<body>\n<center><h1>${title}</h1></center>\n</body>\n</html>\n`;
}
