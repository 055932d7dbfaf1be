import { ApiServer, type ApiServerOptions } from '../../src/sandbox/api/server.js';
import { World } from '../../src/sandbox/world.js';
import { ManualClock } from './manual-clock.js';

export const TOKEN = 'dop_v1_sandbox';

export interface Reply {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests know the shape of the JSON that they expect
  body: any;
}

export interface Bench {
  clock: ManualClock;
  world: World;
  api: ApiServer;
  /** Calls the API with the valid token; `path` without `/v2`. */
  call(method: string, path: string, body?: unknown, token?: string): Promise<Reply>;
}

/** An API with a manual clock. Stop `api` afterwards. */
export async function startBench(options: Partial<ApiServerOptions> = {}): Promise<Bench> {
  const clock = new ManualClock();
  const world = new World({ clock });
  const api = await ApiServer.start({ world, tokens: [{ token: TOKEN }], ...options });
  const call: Bench['call'] = async (method, path, body, token = TOKEN) => {
    const response = await fetch(api.url + path, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') ?? false;
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
  };
  return { clock, world, api, call };
}
