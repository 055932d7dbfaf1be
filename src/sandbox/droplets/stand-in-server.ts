import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Call, CallResult } from '../docker/cli/call.js';

/**
 * Answers the client scripts in a droplet's `bin/`. Protocol: every field ends with a NUL. From the client: token,
 * command, working directory, standard input, number of arguments, arguments, number of variables, variables
 * (NAME=value). To the client: exit code, standard error, size of standard output in bytes, then standard output up to
 * the end. A client that goes away
 * aborts its call.
 */
export class StandInServer {
  readonly #run: (call: Call) => Promise<CallResult>;
  readonly #token = randomBytes(16).toString('hex');
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(run: (call: Call) => Promise<CallResult>) {
    this.#run = run;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  static async start(run: (call: Call) => Promise<CallResult>): Promise<StandInServer> {
    const server = new StandInServer(run);
    await new Promise<void>((resolve, reject) => {
      server.#server.once('error', reject);
      server.#server.listen({ host: '127.0.0.1', port: 0 }, resolve);
    });
    server.#server.on('error', () => {});
    return server;
  }

  /** `PORT:TOKEN`. The token keeps other users of the machine out. */
  get address(): string {
    return `${(this.#server.address() as AddressInfo).port}:${this.#token}`;
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    const gone = new AbortController();
    // One for every image that is pulled.
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
    const { code, stdout, stderr } = await this.#run({ ...request, signal });
    socket.end(`${code}\0${stderr}\0${Buffer.byteLength(stdout)}\0${stdout}`);
  }
}

type Request = Omit<Call, 'signal'> & { token: string };

/** undefined until all of it is there. */
function readRequest(bytes: Buffer): Request | undefined {
  const fields = bytes.toString('utf8').split('\0');
  // What follows the last NUL is not complete.
  fields.pop();
  const [token, tool, cwd, stdin, argCount] = fields;
  if (token === undefined || tool === undefined || cwd === undefined || stdin === undefined) return undefined;
  const args = fields.slice(5, 5 + Number(argCount));
  const envCount = fields[5 + Number(argCount)];
  if (envCount === undefined) return undefined;
  const pairs = fields.slice(6 + Number(argCount));
  if (pairs.length < Number(envCount)) return undefined;
  return { token, tool, cwd, stdin, args, env: Object.fromEntries(pairs.map(splitPair)) };
}

function splitPair(pair: string): [string, string] {
  const equals = pair.indexOf('=');
  return [pair.slice(0, equals), pair.slice(equals + 1)];
}
