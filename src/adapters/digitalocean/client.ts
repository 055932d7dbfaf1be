/** The part of dots-wrapper that do-deploy uses, without the environment's proxy for an endpoint on this machine. */
import type { AxiosStatic, CreateAxiosDefaults } from 'axios';
import type { ICreateContextInput } from 'dots-wrapper/dist/common/create-context/create-context.js';

interface Options {
  token: string;
  endpoint: string;
  requestTimeoutInMs: number;
}

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
  const http = (isLoopback(endpoint) ? withoutProxy(axios) : axios) as unknown as ICreateContextInput['axios'];
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
      getTag: tag.getTag(context),
      tagResources: tag.tagResources(context),
      untagResources: tag.untagResources(context),
    },
  };
}

/** Its context takes no proxy option, but calls `axios.create`. */
function withoutProxy(axios: AxiosStatic): AxiosStatic {
  const create = (config?: CreateAxiosDefaults) => axios.create({ ...config, proxy: false });
  return Object.assign(Object.create(axios), { create });
}

/** Whether the address is on this machine, where a proxy could not reach it. */
export function isLoopback(url: string): boolean {
  return /^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(url).hostname);
}
