import { missingScope, notFound, ok } from './answers.js';
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
      if (tag !== null && !can('tag:read')) return missingScope;
      const droplets = tag === null ? [...world.droplets.values()] : world.dropletsWithTag(tag);
      const items = droplets.map((droplet) => dropletWire(droplet, can));
      return page('droplets', items, url);
    },
  },
  // Before droplets_get: its path would match too.
  {
    operation: 'autoscalepools_list',
    method: 'GET',
    path: '/v2/droplets/autoscale',
    scopes: ['droplet:read'],
    handle: (world, { url, can }) => {
      const items = world.pools.map((pool) => poolWire(pool, world, can));
      return page('autoscale_pools', items, url);
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
