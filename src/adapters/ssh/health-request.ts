/** The balancer's health check, made from the droplet: through the SSH connection, or by a command there. */
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { inWords } from '../../durations.js';
import type { Clock, CommandResult, HealthRequest, HealthResponse, RemoteCommand, RemoteHost } from '../../ports.js';
import { ADMINISTRATIVELY_PROHIBITED, lost } from './channel.js';
import { healthRequestCommand, readHealthOutput } from './health-request-command.js';
import type { Link } from './link.js';
import { type Interruption, within } from './within.js';

/** Bounds what is read of an answer, in bytes: only its status line counts. */
const MAX_HEAD = 64 * 1024;

/** sshd does not forward connections. */
class Forbidden extends Error {}
class TimedOut extends Error {}
/** The request failed; the message is for people. */
class RequestFailed extends Error {}

/** A failed request is a result. Throws ShellError lost when the SSH connection was lost. */
export async function requestHealth(
  link: Link,
  host: RemoteHost,
  request: HealthRequest,
  clock: Clock,
  run: (command: RemoteCommand) => Promise<CommandResult>,
): Promise<HealthResponse> {
  const began = clock.now();
  const fail = (how: Interruption, reason: string) => (how === 'lost' ? lost(host, 'unknown', reason) : new TimedOut());
  try {
    const status = await within(link, clock, { timeoutMs: request.timeoutMs, fail }, (stop) =>
      requestThrough(link, request, stop),
    );
    const ms = clock.now() - began;
    if (status === undefined) return { passed: true, detail: `accepted the connection in ${ms} ms`, ms };
    return { passed: status >= 200 && status < 300, detail: `HTTP ${status} in ${ms} ms`, status, ms };
  } catch (error) {
    const ms = clock.now() - began;
    if (error instanceof Forbidden)
      return readHealthOutput(await run(healthRequestCommand(request)), clock.now() - began);
    if (error instanceof TimedOut)
      return { passed: false, detail: `no answer within ${inWords(request.timeoutMs)}`, ms };
    if (!(error instanceof RequestFailed)) throw error;
    return { passed: false, detail: error.message, ms };
  }
}

/** The status, or undefined for tcp. Throws Forbidden or RequestFailed. */
async function requestThrough(link: Link, request: HealthRequest, stop: AbortSignal): Promise<number | undefined> {
  const { protocol, address, port, proxyProtocol } = request;
  const stream = await open(link, request);
  stream.on('error', () => {});
  stop.addEventListener('abort', () => stream.destroy());
  if (stop.aborted) stream.destroy();
  if (proxyProtocol) stream.write(proxyHeader(address, port));
  if (protocol === 'tcp') return undefined;
  return await get(protocol === 'https' ? encrypt(stream) : stream, request);
}

async function open(link: Link, { address, port }: HealthRequest): Promise<Duplex> {
  try {
    return await link.ssh.forwardOut('127.0.0.1', 0, address, port);
  } catch (error) {
    const { reason, message } = error as { reason?: unknown; message: string };
    if (reason === ADMINISTRATIVELY_PROHIBITED) throw new Forbidden();
    const why = message.replace(/^.*channel open failure:\s*/i, '').toLowerCase();
    throw new RequestFailed(`${address}:${port} ${why === '' ? 'refused the connection' : why}`);
  }
}

/** PROXY protocol version 1, as the balancer sends it in front of everything else. */
function proxyHeader(address: string, port: number): string {
  const family = isIP(address);
  if (family === 0) return 'PROXY UNKNOWN\r\n';
  const source = family === 4 ? '127.0.0.1' : '::1';
  return `PROXY TCP${family} ${source} ${address} 40000 ${port}\r\n`;
}

function encrypt(stream: Duplex): Duplex {
  // The balancer accepts any certificate: the droplet's is usually self-signed, or for another name.
  return connectTls({ socket: stream, rejectUnauthorized: false });
}

/** The status of a GET. Written by hand: Node's HTTP client needs a socket, and only the first line matters. */
function get(stream: Duplex, { address, path, port }: HealthRequest): Promise<number> {
  return new Promise((resolve, reject) => {
    const reader = new StatusReader();
    const fail = (what: string) => reject(new RequestFailed(what));
    stream.on('data', (chunk: Buffer) => {
      const found = reader.take(chunk);
      if (typeof found === 'number') resolve(found);
      else if (found !== undefined) fail(found);
    });
    stream.on('end', () => fail('the connection was closed without an answer'));
    stream.on('close', () => fail('the connection was closed without an answer'));
    stream.on('error', (error) => fail(`TLS or connection error: ${error.message}`));
    const host = isIP(address) === 6 ? `[${address}]` : address;
    const lines = [
      `GET ${path || '/'} HTTP/1.1`,
      `Host: ${host}:${port}`,
      'User-Agent: do-deploy',
      'Accept: */*',
      'Connection: close',
    ];
    stream.write(`${lines.join('\r\n')}\r\n\r\n`);
  });
}

/** Reads the status of the final answer, line by line: 1xx answers with their headers may precede it. */
class StatusReader {
  #line = '';
  #bytes = 0;
  /** Within the headers of a 1xx answer. */
  #inHeaders = false;

  /** The status, or what is wrong with the answer; undefined as long as more must be read. */
  take(chunk: Buffer): number | string | undefined {
    const pieces = chunk
      .subarray(0, MAX_HEAD - this.#bytes)
      .toString('latin1')
      .split('\n');
    this.#bytes += chunk.length;
    for (const [index, piece] of pieces.entries()) {
      this.#line += piece;
      if (index === pieces.length - 1) break;
      const line = this.#line.replace(/\r$/, '');
      this.#line = '';
      if (this.#inHeaders) {
        this.#inHeaders = line !== '';
        continue;
      }
      const status = Number(/^HTTP\/\d(?:\.\d)? (\d{3})\b/.exec(line)?.[1] ?? Number.NaN);
      if (Number.isNaN(status)) return 'the answer is not HTTP';
      if (status >= 200) return status;
      this.#inHeaders = true;
    }
    return this.#bytes >= MAX_HEAD ? 'the answer has no status' : undefined;
  }
}
