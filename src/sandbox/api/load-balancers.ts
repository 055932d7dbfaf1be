import { z } from 'zod';
import type { World } from '../world.js';
import { noContent, ok, problem } from './answers.js';
import { page } from './paging.js';
import type { ApiRequest, Route } from './route.js';
import { balancerWire } from './wire.js';

const membership = z.object({ droplet_ids: z.array(z.int()) });

export const loadBalancerRoutes: Route[] = [
  {
    operation: 'loadBalancers_list',
    method: 'GET',
    path: '/v2/load_balancers',
    scopes: ['load_balancer:read'],
    handle: (world, { url, can }) => {
      const balancers = [...world.balancers.values()].map((balancer) => balancerWire(balancer, can));
      return page('load_balancers', balancers, url);
    },
  },
  {
    operation: 'loadBalancers_get',
    method: 'GET',
    path: '/v2/load_balancers/{lb_id}',
    scopes: ['load_balancer:read'],
    handle: (world, { params, can }) => ok({ load_balancer: balancerWire(world.balancer(params.lb_id ?? ''), can) }),
  },
  {
    operation: 'loadBalancers_add_droplets',
    method: 'POST',
    path: '/v2/load_balancers/{lb_id}/droplets',
    scopes: ['load_balancer:update'],
    handle: (world, request) => changeMembers(world, request, (id, droplets) => world.addToBalancer(id, droplets)),
  },
  {
    operation: 'loadBalancers_remove_droplets',
    method: 'DELETE',
    path: '/v2/load_balancers/{lb_id}/droplets',
    scopes: ['load_balancer:update'],
    handle: (world, request) => changeMembers(world, request, (id, droplets) => world.removeFromBalancer(id, droplets)),
  },
];

function changeMembers(
  world: World,
  { params, body }: ApiRequest,
  change: (balancerId: string, dropletIds: number[]) => void,
) {
  const { id } = world.balancer(params.lb_id ?? '');
  const wish = membership.safeParse(body);
  if (!wish.success) return problem(422, 'droplet_ids must be a list of whole numbers');
  change(id, wish.data.droplet_ids);
  return noContent;
}
