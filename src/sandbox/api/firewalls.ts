import { page } from './paging.js';
import type { Route } from './route.js';
import { firewallWire } from './wire.js';

export const firewallRoutes: Route[] = [
  {
    operation: 'firewalls_list',
    method: 'GET',
    path: '/v2/firewalls',
    scopes: ['firewall:read'],
    handle: (world, { url, can }) => {
      const firewalls = world.firewalls.map((firewall) => firewallWire(firewall, can));
      return page('firewalls', firewalls, url);
    },
  },
];
