/**
 * DigitalOcean's API behind the Cloud port: through dots-wrapper, and directly where it lacks a call. Its
 * updateLoadBalancer is never used: PUT resets every field that the library does not send.
 */
import type { Secret } from '../config/secret.js';
import { CloudError } from '../errors.js';
import type { BeforeChange, Clock, Cloud, OnTrace } from '../ports.js';
import {
  anyList,
  autoscalePoolsPage,
  dropletAnswer,
  dropletsPage,
  firewallsPage,
  loadBalancerAnswer,
  loadBalancersPage,
  noContent,
  poolMembersPage,
  registryAnswer,
  tagAnswer,
  tagsPage,
} from './digitalocean/answers.js';
import { DigitalOceanApi } from './digitalocean/api.js';
import type { Call } from './digitalocean/call.js';
import { checkDropletId, checkLoadBalancerId, checkPoolId, checkRegistryName, checkTag } from './digitalocean/names.js';

export interface DigitalOceanOptions {
  token: Secret;
  /** Where it is set; for messages. */
  tokenPlace?: string;
  /** With its version, e.g. `https://api.digitalocean.com/v2`. */
  apiUrl: string;
  clock: Clock;
  /** Called for every request, e.g. `GET /v2/droplets 200`, with its duration in ms. Never contains the token. */
  onTrace?: OnTrace;
  /** Bound of a single request. */
  requestTimeoutMs?: number;
  /** How long a balancer may be busy with previous actions before a change fails as busy. */
  busyTimeoutMs?: number;
}

/** Loads and contacts nothing before the first call. One per run: it keeps the budget of requests. */
export function createDigitalOceanCloud(options: DigitalOceanOptions): Cloud {
  const api = new DigitalOceanApi({ requestTimeoutMs: 15_000, busyTimeoutMs: 180_000, ...options });

  async function changeMembership(
    method: 'POST' | 'DELETE',
    id: string,
    dropletIds: number[],
    before?: BeforeChange,
  ): Promise<void> {
    checkLoadBalancerId(id);
    dropletIds.forEach(checkDropletId);
    if (dropletIds.length === 0) return;
    const adds = method === 'POST';
    const call: Call = {
      method,
      path: `/load_balancers/${id}/droplets`,
      purpose: `${adds ? 'add' : 'remove'} ${named(dropletIds)} ${adds ? 'to' : 'from'} load balancer ${id}`,
      change: true,
      scopes: ['load_balancer:update'],
      ifNotFound: 'The balancer or the droplet no longer exists: check `do-deploy status`.',
    };
    const request = { load_balancer_id: id, droplet_ids: dropletIds };
    await api.request(
      call,
      ({ loadBalancer }) =>
        adds ? loadBalancer.addDropletsToLoadBalancer(request) : loadBalancer.removeDropletsFromLoadBalancer(request),
      noContent,
      before,
    );
  }

  async function changeTag(
    method: 'POST' | 'DELETE',
    name: string,
    dropletIds: number[],
    before?: BeforeChange,
  ): Promise<void> {
    checkTag(name);
    dropletIds.forEach(checkDropletId);
    if (dropletIds.length === 0) return;
    const tags = method === 'POST';
    const call: Call = {
      method,
      path: `/tags/${name}/resources`,
      purpose: tags ? `tag ${named(dropletIds)} with "${name}"` : `remove the tag "${name}" from ${named(dropletIds)}`,
      change: true,
      scopes: [tags ? 'tag:create' : 'tag:delete', 'droplet:update'],
      ifNotFound: `The tag "${name}" or the droplet does not exist.`,
    };
    const resources = dropletIds.map((id) => ({ resource_id: String(id), resource_type: 'droplet' as const }));
    const request = { tag_name: name, resources };
    await api.request(
      call,
      ({ tag }) => (tags ? tag.tagResources(request) : tag.untagResources(request)),
      noContent,
      before,
    );
  }

  const listFirewalls = () =>
    api.everyPage(
      read('/firewalls', 'list the firewalls', ['firewall:read', 'tag:read']),
      ({ firewall }, page) => firewall.listFirewalls(page),
      firewallsPage,
    );

  return {
    listLoadBalancers: () =>
      api.everyPage(
        read('/load_balancers', 'list the load balancers', ['load_balancer:read']),
        ({ loadBalancer }, page) => loadBalancer.listLoadBalancers(page),
        loadBalancersPage,
      ),

    async getLoadBalancer(id) {
      checkLoadBalancerId(id);
      return api.request(
        {
          ...read(`/load_balancers/${id}`, `read load balancer ${id}`, ['load_balancer:read']),
          ifNotFound:
            "Check load_balancer in the configuration file, and that the token belongs to the balancer's team.",
        },
        ({ loadBalancer }) => loadBalancer.getLoadBalancer({ load_balancer_id: id }),
        loadBalancerAnswer,
      );
    },

    async listDroplets({ tag } = {}) {
      if (tag !== undefined) checkTag(tag);
      const call =
        tag === undefined
          ? read('/droplets', 'list the droplets', ['droplet:read'])
          : read('/droplets', `list the droplets tagged "${tag}"`, ['droplet:read', 'tag:read']);
      return api.everyPage(
        call,
        ({ droplet }, page) => droplet.listDroplets(tag === undefined ? page : { ...page, tag_name: tag }),
        dropletsPage,
      );
    },

    async getDroplet(id) {
      checkDropletId(id);
      return api.request(
        {
          ...read(`/droplets/${id}`, `read droplet ${id}`, ['droplet:read']),
          ifNotFound: "Check the droplet's id, and that the token belongs to its team.",
        },
        ({ droplet }) => droplet.getDroplet({ droplet_id: id }),
        dropletAnswer,
      );
    },

    listAutoscalePools: () =>
      api.everyPage(
        read('/droplets/autoscale', 'list the autoscale pools', ['droplet:read']),
        (_, page) => api.get('/droplets/autoscale', page),
        autoscalePoolsPage,
      ),

    async listPoolMembers(poolId) {
      checkPoolId(poolId);
      const path = `/droplets/autoscale/${poolId}/members`;
      const call: Call = {
        ...read(path, `list the droplets of autoscale pool ${poolId}`, ['droplet:read']),
        ifNotFound: 'The autoscale pool no longer exists: check autoscale_pool in the configuration file.',
      };
      const members = await api.everyPage(call, (_, page) => api.get(path, page), poolMembersPage);
      return members.filter(({ active }) => active).map(({ id }) => id);
    },

    addDroplets: (id, dropletIds, before) => changeMembership('POST', id, dropletIds, before),
    removeDroplets: (id, dropletIds, before) => changeMembership('DELETE', id, dropletIds, before),

    async listTags(prefix) {
      checkTag(prefix);
      const call = read('/tags', `list the tags that start with "${prefix}"`, ['tag:read']);
      const found = await api.everyPage(call, ({ tag }, page) => tag.listTags(page), tagsPage);
      return found.map(({ id: name }) => name).filter((name) => name.startsWith(prefix));
    },

    async createTag(name, before) {
      checkTag(name);
      const create: Call = {
        method: 'POST',
        path: '/tags',
        purpose: `create the tag "${name}"`,
        change: true,
        scopes: ['tag:create'],
      };
      try {
        await api.request(create, ({ tag }) => tag.createTag({ name }), tagAnswer, before);
      } catch (error) {
        // "Already exists" is a 422 like other refusals; reading the tag distinguishes them.
        if (!(error instanceof CloudError && error.kind === 'unprocessable')) throw error;
        const lookUp = read(`/tags/${name}`, `read the tag "${name}"`, ['tag:read']);
        await api
          .request(lookUp, ({ tag }) => tag.getTag({ tag_name: name }), tagAnswer)
          .catch((failure: unknown) => {
            throw failure instanceof CloudError && failure.kind === 'not-found' ? error : failure;
          });
      }
    },

    async deleteTag(name, before) {
      checkTag(name);
      const call: Call = {
        method: 'DELETE',
        path: `/tags/${name}`,
        purpose: `delete the tag "${name}"`,
        change: true,
        scopes: ['tag:delete'],
      };
      try {
        await api.request(call, ({ tag }) => tag.deleteTag({ tag_name: name }), noContent, before);
      } catch (error) {
        if (!(error instanceof CloudError && error.kind === 'not-found')) throw error;
      }
    },

    tagDroplets: (name, dropletIds, before) => changeTag('POST', name, dropletIds, before),
    untagDroplets: (name, dropletIds, before) => changeTag('DELETE', name, dropletIds, before),

    async registryLogin(name, validSeconds) {
      checkRegistryName(name);
      const query = { expiry_seconds: validSeconds, read_write: 'false' };
      const login = (path: string) => {
        const call: Call = {
          ...read(path, `get a login to the registry ${name}`, ['registry:read', 'registry:update']),
          ifNotFound: `Check registry.digitalocean in the configuration file: the token's team has no registry ${name}.`,
        };
        return api.request(call, () => api.get(path, query), registryAnswer);
      };
      try {
        return await login(`/registries/${name}/docker-credentials`);
      } catch (error) {
        // Teams with a single registry may know only the older form.
        if (!(error instanceof CloudError && error.kind === 'not-found')) throw error;
        return await login('/registry/docker-credentials').catch((older: unknown) => {
          throw older instanceof CloudError && older.kind === 'not-found' ? error : older;
        });
      }
    },

    listFirewalls: async () => (await listFirewalls()).map(({ firewall }) => firewall),

    async missingScopes(scopes) {
      const tried = await Promise.all(
        scopes.map(async (scope) => {
          const { list, also } = READABLE[scope] ?? {};
          if (list === undefined) return [];
          const call = read(list, `find out whether the token has ${scope}`, [scope, ...(also ? [also] : [])]);
          try {
            await api.request(call, () => api.get(list, { page: 1, per_page: 1 }), anyList);
            return [];
          } catch (error) {
            if (error instanceof CloudError && error.kind === 'forbidden') return [scope];
            throw error;
          }
        }),
      );
      const missing = tried.flat();
      // Without the other scope, its list says nothing of this one.
      return missing.filter((scope) => !missing.includes(READABLE[scope]?.also ?? ''));
    },

    async firewallsWithTag(tag) {
      checkTag(tag);
      const firewalls = await listFirewalls();
      const applying = firewalls.filter(({ tags }) => tags.includes(tag));
      const admitting = firewalls.filter(({ peers }) => peers.includes(tag));
      return [
        ...applying.map(({ name }) => ({ name, how: 'applies' as const })),
        ...admitting.map(({ name }) => ({ name, how: 'admits' as const })),
      ];
    },
  };
}

/** Lists from which a scope is known; `also`: another one that the list takes. */
const READABLE: Readonly<Record<string, { list: string; also?: string }>> = {
  'load_balancer:read': { list: '/load_balancers' },
  'droplet:read': { list: '/droplets' },
  'tag:read': { list: '/tags' },
  'firewall:read': { list: '/firewalls' },
  'actions:read': { list: '/actions' },
  'image:read': { list: '/images' },
  'regions:read': { list: '/regions' },
  'sizes:read': { list: '/sizes', also: 'regions:read' },
  'vpc:read': { list: '/vpcs' },
};

function read(path: string, purpose: string, scopes: string[]): Call {
  return { method: 'GET', path, purpose, change: false, scopes };
}

function named(dropletIds: number[]): string {
  return `${dropletIds.length === 1 ? 'droplet' : 'droplets'} ${dropletIds.join(', ')}`;
}
