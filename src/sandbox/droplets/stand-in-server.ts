import { randomBytes } from 'node:crypto';
import { once, setMaxListeners } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { Call, CallResult } from '../docker/cli/call.js';
import { listen } from '../http.js';

/**
 * Serves the client scripts in a droplet's `bin/`. Every field ends with a NUL. Request: token, command, working
 * directory, standard input, process id, number of arguments, arguments, number of variables, variables (NAME=value).
 * Response: exit code, standard error, size of standard output in bytes, then standard output to the end of the connection.
 * Or `become`, the number of words, and words: the program that the client becomes; the connection stays open until that
 * ends. Or `stream`, and standard output as it comes. A client that disconnects aborts its call.
 */
export class StandInServer {
  readonly #run: (call: Call) => Promise<CallResult>;
  readonly #token = randomBytes(16).toString('hex');
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #port = 0;

  private constructor(run: (call: Call) => Promise<CallResult>) {
    this.#run = run;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  static async start(run: (call: Call) => Promise<CallResult>): Promise<StandInServer> {
    const server = new StandInServer(run);
    server.#port = await listen(server.#server);
    server.#server.on('error', () => {});
    return server;
  }

  /** `PORT:TOKEN`. The token keeps out other users of the machine. */
  get address(): string {
    return `${this.#port}:${this.#token}`;
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    const gone = new AbortController();
    // Every image that is pulled adds a listener.
    setMaxListeners(0, gone.signal);
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#sockets.delete(socket);
      gone.abort();
    });
    let received = Buffer.alloc(0);
    let called = false;
    socket.on('data', (chunk) => {
      if (called) return;
      received = Buffer.concat([received, chunk]);
      const request = readRequest(received);
      if (request === undefined) return;
      called = true;
      void this.#answer(socket, request, gone.signal);
    });
  }

  async #answer(socket: Socket, { token, ...request }: Request, signal: AbortSignal): Promise<void> {
    if (token !== this.#token) {
      socket.destroy();
      return;
    }
    const { code, stdout, stderr, become, stream } = await this.#run({ ...request, signal });
    if (code === 0 && become !== undefined) {
      const words = [
        'env',
        '-i',
        ...Object.entries(become.env).map(([key, value]) => `${key}=${value}`),
        ...become.words,
      ];
      socket.write(['become', words.length, ...words, ''].join('\0'));
      return;
    }
    if (code === 0 && stream !== undefined) {
      socket.write('stream\0');
      for await (const text of stream) {
        if (!socket.write(text)) await once(socket, 'drain', { signal }).catch(() => {});
      }
      socket.end();
      return;
    }
    socket.end(`${code}\0${stderr}\0${Buffer.byteLength(stdout)}\0${stdout}`);
  }
}

type Request = Omit<Call, 'signal'> & { token: string };

/** Undefined until the request is complete. */
function readRequest(bytes: Buffer): Request | undefined {
  const fields = bytes.toString('utf8').split('\0');
  // The part after the last NUL is incomplete.
  fields.pop();
  const [token, tool, cwd, stdin, pid, argCount] = fields;
  if (token === undefined || tool === undefined || cwd === undefined || stdin === undefined) return undefined;
  const args = fields.slice(6, 6 + Number(argCount));
  const envCount = fields[6 + Number(argCount)];
  if (envCount === undefined) return undefined;
  const pairs = fields.slice(7 + Number(argCount));
  if (pairs.length < Number(envCount)) return undefined;
  return { token, tool, cwd, stdin, pid: Number(pid), args, env: Object.fromEntries(pairs.map(splitPair)) };
}

function splitPair(pair: string): [string, string] {
  const equals = pair.indexOf('=');
  return [pair.slice(0, equals), pair.slice(equals + 1)];
}
