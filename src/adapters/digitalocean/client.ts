/**
 * The part of dots-wrapper that do-deploy uses, with bounds on what a server may send, and without the environment's proxy
 * for an endpoint on this machine.
 */
import type { AxiosAdapter, AxiosRequestConfig, AxiosStatic, CreateAxiosDefaults } from 'axios';
import type { ICreateContextInput } from 'dots-wrapper/dist/common/create-context/create-context.js';

interface Options {
  token: string;
  endpoint: string;
  requestTimeoutInMs: number;
}

/** Bounds the body of an answer, unpacked. A page of 200 droplets takes about 1 MiB. */
export const MAX_BODY_BYTES = 16 * 1024 * 1024;

export type Client = Awaited<ReturnType<typeof createClient>>;

/**
 * dots-wrapper's own `createApiClient` loads all of its 430 modules, which takes twice as long as everything else here.
 * These are the same functions on the same context. Imported before the first request, not earlier.
 */
export async function createClient({ token, endpoint, requestTimeoutInMs }: Options) {
  const [{ default: axios }, { createContext }, droplet, firewall, loadBalancer, tag] = await Promise.all([
    import('axios'),
    import('dots-wrapper/dist/common/create-context/create-context.js'),
    import('dots-wrapper/dist/droplet/index.js'),
    import('dots-wrapper/dist/firewall/index.js'),
    import('dots-wrapper/dist/load-balancer/index.js'),
    import('dots-wrapper/dist/tag/index.js'),
  ]);
  // The types of axios as an ES module and as a CommonJS module are two to TypeScript.
  const http = bounded(axios, endpoint, requestTimeoutInMs) as unknown as ICreateContextInput['axios'];
  const context = createContext({ axios: http, endpoint, token, requestTimeoutInMs });
  return {
    droplet: {
      getDroplet: droplet.getDroplet(context),
      listDroplets: droplet.listDroplets(context),
    },
    firewall: {
      listFirewalls: firewall.listFirewalls(context),
    },
    loadBalancer: {
      addDropletsToLoadBalancer: loadBalancer.addDropletsToLoadBalancer(context),
      getLoadBalancer: loadBalancer.getLoadBalancer(context),
      listLoadBalancers: loadBalancer.listLoadBalancers(context),
      removeDropletsFromLoadBalancer: loadBalancer.removeDropletsFromLoadBalancer(context),
    },
    tag: {
      createTag: tag.createTag(context),
      deleteTag: tag.deleteTag(context),
      getTag: tag.getTag(context),
      listTags: tag.listTags(context),
      tagResources: tag.tagResources(context),
      untagResources: tag.untagResources(context),
    },
  };
}

/** Its context takes no options for axios, but calls `axios.create`. */
function bounded(axios: AxiosStatic, endpoint: string, timeoutMs: number): AxiosStatic {
  const http = axios.getAdapter('http');
  const adapter: AxiosAdapter = (config) => http({ ...config, ...boundsOf(timeoutMs) });
  const proxy = isLoopback(endpoint) ? { proxy: false as const } : {};
  const create = (config?: CreateAxiosDefaults) => axios.create({ ...config, ...proxy, adapter });
  return Object.assign(Object.create(axios), { create });
}

/**
 * For one request. axios' own timeout ends with the headers of the answer: a body that trickles in would have no bound.
 * The size is checked while the body is unpacked.
 */
export function boundsOf(timeoutMs: number): Pick<AxiosRequestConfig, 'timeout' | 'signal' | 'maxContentLength'> {
  return { timeout: timeoutMs, signal: AbortSignal.timeout(timeoutMs), maxContentLength: MAX_BODY_BYTES };
}

/** Whether the address is on this machine, where a proxy could not reach it. */
export function isLoopback(url: string): boolean {
  return /^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(url).hostname);
}
