/** Lists that a token is tried on: the sandbox has nothing to show in them. */
import { notFound } from './answers.js';
import { page } from './paging.js';
import type { Route } from './route.js';

export const otherRoutes: Route[] = [
  empty('actions_list', 'actions', ['actions:read']),
  empty('images_list', 'images', ['image:read']),
  empty('regions_list', 'regions', ['regions:read']),
  empty('sizes_list', 'sizes', ['sizes:read', 'regions:read']),
  {
    ...empty('vpcs_list', 'vpcs', ['vpc:read']),
    // Of these lists, only this one is described as answering with 404.
    handle: (_world, { url }) => ((url.searchParams.get('page') ?? '1') === '1' ? page('vpcs', [], url) : notFound),
  },
];

function empty(operation: string, name: string, scopes: string[]): Route {
  const handle: Route['handle'] = (_world, { url }) => page(name, [], url);
  return { operation, method: 'GET', path: `/v2/${name}`, scopes, handle };
}
