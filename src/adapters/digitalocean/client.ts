/** dots-wrapper's client, which an endpoint on this machine gets without the environment's proxy. */
import type { createApiClient } from 'dots-wrapper';

export type Client = ReturnType<typeof createApiClient>;

type Options = Parameters<typeof createApiClient>[0] & { endpoint: string };

/** It takes about 100 ms to load: not before the first request. */
export async function createClient(options: Options): Promise<Client> {
  const library = await import('dots-wrapper');
  if (!isLoopback(options.endpoint)) return library.createApiClient(options);
  // It takes no such option, but copies axios' defaults now.
  const { defaults } = await loadAxios();
  const { proxy } = defaults;
  defaults.proxy = false;
  try {
    return library.createApiClient(options);
  } finally {
    if (proxy === undefined) delete defaults.proxy;
    else defaults.proxy = proxy;
  }
}

/** Whether the address is on this machine: a proxy would look for it on its own. */
export function isLoopback(url: string): boolean {
  return /^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(url).hostname);
}

/** The build of axios that dots-wrapper requires. `import('axios')` would be another one, with defaults of its own. */
export async function loadAxios(): Promise<typeof import('axios').default> {
  return (await import('axios/dist/node/axios.cjs')).default;
}
