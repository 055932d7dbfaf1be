import type { World } from '../world.js';
import { type Answer, notFound, ok, problem } from './answers.js';
import type { ApiRequest, Route } from './route.js';

const scopes = ['registry:read', 'registry:update'];

export const registryRoutes: Route[] = [
  {
    operation: 'registries_get_dockerCredentials',
    method: 'GET',
    path: '/v2/registries/{registry_name}/docker-credentials',
    scopes,
    handle: (world, request) => credentials(world.registries.get(request.params.registry_name ?? ''), request),
  },
  {
    operation: 'registry_get_dockerCredentials',
    method: 'GET',
    path: '/v2/registry/docker-credentials',
    scopes,
    handle: (world: World, request) => credentials([...world.registries.values()][0], request),
  },
];

/** One login for all, whatever was asked: it does not expire here. */
function credentials(token: string | undefined, { url }: ApiRequest): Answer {
  const expiry = url.searchParams.get('expiry_seconds') ?? '0';
  if (!/^\d+$/.test(expiry)) return problem(422, 'expiry_seconds must be a whole number');
  if (token === undefined) return notFound;
  const auth = Buffer.from(`${token}:${token}`).toString('base64');
  return ok({ auths: { 'registry.digitalocean.com': { auth } } });
}
