import { missingScope, notFound, ok, problem } from './answers.js';
import { page } from './paging.js';
import type { Route } from './route.js';
import { dropletWire, poolMemberWire, poolWire } from './wire.js';

export const dropletRoutes: Route[] = [
  {
    operation: 'droplets_list',
    method: 'GET',
    path: '/v2/droplets',
    scopes: ['droplet:read'],
    handle: (world, { url, can }) => {
      const tag = url.searchParams.get('tag_name');
      const name = url.searchParams.get('name')?.toLowerCase();
      if (tag !== null && name !== undefined) return problem(422, 'tag_name can not be combined with name');
      if (tag !== null && !can('tag:read')) return missingScope;
      const droplets = [...world.droplets.values()]
        .filter((droplet) => tag === null || droplet.tags.has(tag))
        .filter((droplet) => name === undefined || droplet.name.toLowerCase() === name);
      return page(
        'droplets',
        droplets.map((droplet) => dropletWire(droplet, can)),
        url,
      );
    },
  },
  // Their path has the form of a droplet's, so it must come first.
  {
    operation: 'autoscalepools_list',
    method: 'GET',
    path: '/v2/droplets/autoscale',
    scopes: ['droplet:read'],
    handle: (world, { url, can }) => {
      const name = url.searchParams.get('name');
      const pools = world.pools.filter((pool) => name === null || pool.name === name);
      return page(
        'autoscale_pools',
        pools.map((pool) => poolWire(pool, world, can)),
        url,
      );
    },
  },
  {
    operation: 'autoscalepools_list_members',
    method: 'GET',
    path: '/v2/droplets/autoscale/{autoscale_pool_id}/members',
    scopes: ['droplet:read'],
    handle: (world, { url, params }) => {
      const pool = world.pools.find(({ id }) => id === params.autoscale_pool_id);
      return pool === undefined ? notFound : page('droplets', world.dropletsOfPool(pool).map(poolMemberWire), url);
    },
  },
  {
    operation: 'droplets_get',
    method: 'GET',
    path: '/v2/droplets/{droplet_id}',
    scopes: ['droplet:read'],
    handle: (world, { params, can }) => {
      const droplet = world.droplets.get(Number(params.droplet_id));
      return droplet === undefined ? notFound : ok({ droplet: dropletWire(droplet, can) });
    },
  },
];
