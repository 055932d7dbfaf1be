/** The health check as a command, for a droplet whose sshd forbids forwarding (AllowTcpForwarding no). */

import { isIP } from 'node:net';
import type { CommandResult, HealthRequest, HealthResponse, RemoteCommand } from '../../ports.js';
import { oneLine } from '../printable.js';
import { lastLine } from './output.js';
import { quote } from './quote.js';

/** Exit code of the script when the droplet has no tool for the request. */
const NO_TOOL = 69;

/** Prints the HTTP status, for tcp nothing. Exit code 0: there was an answer. */
export function healthRequestCommand(request: HealthRequest): RemoteCommand {
  const { protocol, address, port, proxyProtocol, timeoutMs } = request;
  const seconds = Math.max(1, Math.ceil(timeoutMs / 1000));
  const host = isIP(address) === 6 && protocol !== 'tcp' ? `[${address}]` : address;
  const script =
    protocol === 'tcp'
      ? tcpTry(`${quote(host)} ${port}`, seconds)
      : httpTry(quote(`${protocol}://${host}:${port}${request.path || '/'}`), seconds, proxyProtocol);
  return {
    name: 'balancer-check',
    args: { protocol, port },
    script: [...script, 'exit 1'].join('\n'),
    timeoutMs: timeoutMs + 5000,
    repeatable: true,
  };
}

function httpTry(url: string, seconds: number, proxyProtocol: boolean): string[] {
  const proxy = proxyProtocol ? ' --haproxy-protocol' : '';
  return [
    'if command -v curl >/dev/null; then',
    `  curl -sSgk -o /dev/null -w '%{http_code}' --max-time ${seconds}${proxy} ${url} && exit 0`,
    ...(proxyProtocol
      ? []
      : [
          'elif command -v wget >/dev/null; then',
          `  wget -S -O /dev/null -T ${seconds} -t 1 --no-check-certificate ${url} 2>&1 | grep -o 'HTTP/[0-9.]* [0-9]*' | sed 's/.* //;q' | grep . && exit 0`,
        ]),
    `else exit ${NO_TOOL}; fi`,
  ];
}

function tcpTry(target: string, seconds: number): string[] {
  return [
    'if command -v nc >/dev/null; then',
    `  nc -z -w ${seconds} ${target} && exit 0`,
    'elif command -v bash >/dev/null && command -v timeout >/dev/null; then',
    `  timeout ${seconds} bash -c ': </dev/tcp/$1/$2' bash ${target} && exit 0`,
    `else exit ${NO_TOOL}; fi`,
  ];
}

export function readHealthOutput({ code, stdout, stderr }: CommandResult, ms: number): HealthResponse {
  if (code === NO_TOOL) {
    const detail =
      'cannot be checked: sshd forbids forwarding (AllowTcpForwarding), and the droplet has no curl or wget, or nc for tcp';
    return { passed: false, detail, ms };
  }
  const status = Number(/\d{3}$/.exec(stdout.trim())?.[0] ?? 0);
  if (code === 0 && status >= 100) {
    return { passed: status >= 200 && status < 300, detail: `HTTP ${status} in ${ms} ms`, status, ms };
  }
  if (code === 0) return { passed: true, detail: `accepted the connection in ${ms} ms`, ms };
  return { passed: false, detail: oneLine(lastLine(stderr)) || 'no answer', ms };
}
