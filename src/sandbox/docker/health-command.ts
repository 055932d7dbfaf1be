import { request } from 'node:http';
import { connect } from 'node:net';
import { NotImplemented } from './failure.js';
import { splitWords } from './words.js';

/** What a healthcheck came to; `output` is what Docker keeps of it. */
export interface HealthResult {
  exitCode: number;
  output: string;
}

/** A container's port → the loopback port where the stand-in really serves it. */
export type PortLookup = (containerPort: number) => number | undefined;

export type HealthCommand = (ports: PortLookup, timeoutMs: number) => Promise<HealthResult>;

/** Docker keeps this much of a check's output (daemon/health.go, maxOutputLen). */
const MAX_OUTPUT = 4096;

/**
 * The meaning of a healthcheck's `test`. The image's programs are not there to be run, so wget, curl, nc, exit, true
 * and false are interpreted, and anything else is refused before a container is made of it.
 */
export function readHealthCommand(test: readonly string[]): HealthCommand {
  const [kind, ...words] = test;
  if (kind === 'CMD') return bounded(readCommand(words));
  if (kind === 'CMD-SHELL') return bounded(readAlternatives(words.join(' ')));
  throw new NotImplemented(`healthcheck.test: ${JSON.stringify(test)}`);
}

type Check = (ports: PortLookup, signal: AbortSignal) => Promise<HealthResult>;

function bounded(check: Check): HealthCommand {
  return async (ports, timeoutMs) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const result = await check(ports, signal);
    return signal.aborted ? { exitCode: -1, output: `Health check exceeded timeout (${timeoutMs / 1000}s)` } : result;
  };
}

/** `curl … || exit 1`: the first that succeeds decides. */
function readAlternatives(line: string): Check {
  const checks = line.split('||').map((part) => readCommand(wordsOf(part)));
  return async (ports, signal) => {
    let output = '';
    let exitCode = 0;
    for (const check of checks) {
      const result = await check(ports, signal);
      output += result.output;
      exitCode = result.exitCode;
      if (exitCode === 0) break;
    }
    return { exitCode, output: output.slice(0, MAX_OUTPUT) };
  };
}

function wordsOf(line: string): string[] {
  if (/[;&|<>$`()]/.test(line)) throw new NotImplemented(`healthcheck: ${line.trim()}`);
  return splitWords(line);
}

function readCommand(words: readonly string[]): Check {
  const [program, ...args] = words;
  const refuse = () => new NotImplemented(`healthcheck: ${words.join(' ')}`);
  switch (program) {
    case 'true':
    case 'false':
      return fixed(program === 'true' ? 0 : 1);
    case 'exit':
      if (!/^\d{1,3}$/.test(args[0] ?? '0')) throw refuse();
      return fixed(Number(args[0] ?? 0));
    case 'wget':
      return readWget(args, refuse);
    case 'curl':
      return readCurl(args, refuse);
    case 'nc': {
      const [flags, host = '', port = ''] = args;
      if (flags !== '-z' || !isLoopback(host) || !/^\d+$/.test(port)) throw refuse();
      return tcpCheck(Number(port));
    }
    default:
      throw refuse();
  }
}

function fixed(exitCode: number): Check {
  return async () => ({ exitCode, output: '' });
}

function readWget(args: string[], refuse: () => Error): Check {
  const { url, output, rest } = readHttpArguments(
    args,
    /^-(?:q|qO-|q?O|O-|-quiet|-spider|-tries=\d+|-no-verbose|nv)$/,
    /^-q?O$/,
  );
  if (url === undefined || rest.length > 0) throw refuse();
  const show = args.includes('-qO-') || args.includes('-O-') || output === '-';
  return async (ports, signal) => {
    const answer = await get(url, ports, signal);
    if ('refused' in answer) {
      return { exitCode: 1, output: `wget: can't connect to remote host (${url.hostname}): Connection refused\n` };
    }
    const passed = answer.status < 400;
    if (!passed)
      return { exitCode: 1, output: `wget: server returned error: HTTP/1.1 ${answer.status} ${answer.reason}\n` };
    return { exitCode: 0, output: show ? answer.body : '' };
  };
}

function readCurl(args: string[], refuse: () => Error): Check {
  const { url, output, rest } = readHttpArguments(
    args,
    /^-(?:[fsS]+|[fsS]*o|-fail|-silent|-show-error|-output)$/,
    /^-(?:[fsS]*o|-output)$/,
  );
  if (url === undefined || rest.length > 0) throw refuse();
  const fails = args.some((arg) => /^-[sSo]*f/.test(arg) || arg === '--fail');
  return async (ports, signal) => {
    const answer = await get(url, ports, signal);
    if ('refused' in answer) {
      const where = `${url.hostname} port ${url.port || 80}`;
      return {
        exitCode: 7,
        output: `curl: (7) Failed to connect to ${where} after 0 ms: Couldn't connect to server\n`,
      };
    }
    if (fails && answer.status >= 400) {
      return { exitCode: 22, output: `curl: (22) The requested URL returned error: ${answer.status}\n` };
    }
    return { exitCode: 0, output: output === undefined ? answer.body : '' };
  };
}

/** Sorts flags, the value of the output flag and the one URL; what is left over is for the caller to refuse. */
function readHttpArguments(args: string[], known: RegExp, takesFile: RegExp) {
  let url: URL | undefined;
  let output: string | undefined;
  const rest: string[] = [];
  const left = [...args];
  for (let arg = left.shift(); arg !== undefined; arg = left.shift()) {
    if (known.test(arg)) {
      if (takesFile.test(arg)) output = left.shift();
    } else if (url === undefined && !arg.startsWith('-')) {
      url = readUrl(arg);
      if (url === undefined) rest.push(arg);
    } else {
      rest.push(arg);
    }
  }
  return { url, output, rest };
}

function readUrl(text: string): URL | undefined {
  const withScheme = /^\w+:\/\//.test(text) ? text : `http://${text}`;
  if (!URL.canParse(withScheme)) return undefined;
  const url = new URL(withScheme);
  return url.protocol === 'http:' && isLoopback(url.hostname) ? url : undefined;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || host === '0.0.0.0' || host.startsWith('127.');
}

type Answer = { refused: true } | { status: number; reason: string; body: string };

function get(url: URL, ports: PortLookup, signal: AbortSignal): Promise<Answer> {
  const port = ports(Number(url.port || 80));
  if (port === undefined) return Promise.resolve({ refused: true });
  return new Promise((resolve) => {
    const gone = () => resolve({ refused: true });
    const asked = request(
      {
        host: '127.0.0.1',
        port,
        path: `${url.pathname}${url.search}`,
        agent: false,
        signal,
        headers: { host: url.host },
      },
      (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (text: string) => {
          if (body.length < MAX_OUTPUT) body += text;
        });
        response.on('error', gone);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            reason: response.statusMessage ?? '',
            body: body.slice(0, MAX_OUTPUT),
          }),
        );
      },
    );
    asked.on('error', gone);
    asked.end();
  });
}

function tcpCheck(containerPort: number): Check {
  return (ports, signal) => {
    const port = ports(containerPort);
    if (port === undefined) return Promise.resolve({ exitCode: 1, output: '' });
    return new Promise((resolve) => {
      const socket = connect({ host: '127.0.0.1', port, signal });
      socket.on('connect', () => {
        socket.destroy();
        resolve({ exitCode: 0, output: '' });
      });
      socket.on('error', () => resolve({ exitCode: 1, output: '' }));
    });
  };
}
