/** dots-wrapper's client, with bounds on what a server may send, and without the environment's proxy on this machine. */
import { createRequire } from 'node:module';
import type { AxiosAdapter, AxiosRequestConfig } from 'axios';
import type { createApiClient } from 'dots-wrapper';

export type Client = ReturnType<typeof createApiClient>;

type Options = Parameters<typeof createApiClient>[0] & { endpoint: string; requestTimeoutInMs: number };

/** Bounds the body of an answer, unpacked. A page of 200 droplets takes about 1 MiB. */
export const MAX_BODY_BYTES = 16 * 1024 * 1024;

/** Loading dots-wrapper takes about 100 ms: not before the first request. */
export async function createClient(options: Options): Promise<Client> {
  const library = await import('dots-wrapper');
  // It takes no options for axios, but axios' defaults at this moment; its axios need not be the one imported here.
  const { defaults, getAdapter } = axiosOfDotsWrapper();
  const { adapter, proxy } = defaults;
  const http = getAdapter('http');
  defaults.adapter = ((config) => http({ ...config, ...boundsOf(options.requestTimeoutInMs) })) as AxiosAdapter;
  if (isLoopback(options.endpoint)) defaults.proxy = false;
  try {
    return library.createApiClient(options);
  } finally {
    defaults.adapter = adapter;
    if (proxy === undefined) delete defaults.proxy;
    else defaults.proxy = proxy;
  }
}

/**
 * For one request. axios' own timeout ends with the headers of the answer: a body that trickles in would have no bound.
 * The size is checked while the body is unpacked.
 */
export function boundsOf(timeoutMs: number): Pick<AxiosRequestConfig, 'timeout' | 'signal' | 'maxContentLength'> {
  return { timeout: timeoutMs, signal: AbortSignal.timeout(timeoutMs), maxContentLength: MAX_BODY_BYTES };
}

/** Whether the address is on this machine: a proxy would look for it on its own. */
export function isLoopback(url: string): boolean {
  return /^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(url).hostname);
}

function axiosOfDotsWrapper(): typeof import('axios').default {
  const require = createRequire(import.meta.url);
  return createRequire(require.resolve('dots-wrapper'))('axios');
}
