import { request } from 'node:http';
import { NotImplemented } from './failure.js';

/** The result of one healthcheck; `output` is what Docker keeps of it. */
export interface HealthResult {
  exitCode: number;
  output: string;
}

/** A container's port → the port on 127.0.0.1 that serves it. */
export type PortLookup = (containerPort: number) => number | undefined;

export type HealthCommand = (ports: PortLookup, timeoutMs: number) => Promise<HealthResult>;

/** Options that change nothing here; `-o FILE` and `-O FILE` take their value along. */
const OPTION = /^(?:-[a-zA-Z]*[oO]-?|-[qsSf]+|--(?:spider|quiet|silent|fail|show-error|no-verbose|tries=\d+))$/;
const TAKES_FILE = /^-[a-zA-Z]*[oO]$/;

/**
 * Interprets a healthcheck's `test`, because the image's programs cannot be run: `wget` and `curl` of an address in the
 * container itself, as CMD or CMD-SHELL, with `|| exit 1` at most. Throws NotImplemented for everything else.
 */
export function readHealthCommand(test: readonly string[]): HealthCommand {
  const [kind, ...given] = test;
  const words = kind === 'CMD-SHELL' ? (given[0] ?? '').replace(/\|\| *exit 1 *$|['"]/g, '').split(/\s+/) : given;
  const [program, ...args] = words.filter(Boolean);
  const refused = new NotImplemented(`healthcheck: ${given.join(' ')}`);
  if (program !== 'wget' && program !== 'curl') throw refused;

  const operands = args.filter((arg, index) => !OPTION.test(arg) && !TAKES_FILE.test(args[index - 1] ?? ''));
  const [text = ''] = operands;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (operands.length !== 1 || url?.protocol !== 'http:' || !/^(?:localhost|127\.[\d.]+)$/.test(url.hostname)) {
    throw refused;
  }
  const failsOnStatus = program === 'wget' || args.some((arg) => /^-[sS]*f|^--fail$/.test(arg));
  return async (ports, timeoutMs) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const status = await statusOf(url, ports, signal);
    if (signal.aborted) return { exitCode: -1, output: `Health check exceeded timeout (${timeoutMs / 1000}s)` };
    if (status !== undefined && (status.code < 400 || !failsOnStatus)) return { exitCode: 0, output: '' };
    return program === 'wget' ? wgetFailure(url, status) : curlFailure(url, status);
  };
}

interface HttpStatus {
  code: number;
  reason: string;
}

function wgetFailure(url: URL, status: HttpStatus | undefined): HealthResult {
  const output =
    status === undefined
      ? `wget: can't connect to remote host (${url.hostname}): Connection refused\n`
      : `wget: server returned error: HTTP/1.1 ${status.code} ${status.reason}\n`;
  return { exitCode: 1, output };
}

function curlFailure(url: URL, status: HttpStatus | undefined): HealthResult {
  if (status !== undefined) {
    return { exitCode: 22, output: `curl: (22) The requested URL returned error: ${status.code}\n` };
  }
  const where = `${url.hostname} port ${url.port || 80}`;
  return { exitCode: 7, output: `curl: (7) Failed to connect to ${where} after 0 ms: Couldn't connect to server\n` };
}

/** Undefined without a whole response. */
function statusOf(url: URL, ports: PortLookup, signal: AbortSignal): Promise<HttpStatus | undefined> {
  const port = ports(Number(url.port || 80));
  if (port === undefined) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const path = `${url.pathname}${url.search}`;
    const asked = request({ host: '127.0.0.1', port, path, agent: false, signal, headers: { host: url.host } });
    asked.on('error', () => resolve(undefined));
    asked.on('response', (response) => {
      const { statusCode: code = 0, statusMessage: reason = '' } = response;
      response.on('error', () => resolve(undefined));
      response.on('end', () => resolve({ code, reason }));
      response.resume();
    });
    asked.end();
  });
}
