import { z } from 'zod';
import type { World } from '../world.js';
import { type Answer, created, noContent, notFound, ok, problem } from './answers.js';
import { page } from './paging.js';
import type { ApiRequest, Route } from './route.js';
import { tagWire } from './wire.js';

const newTag = z.object({ name: z.string().min(1) });
/** Ids are strings here, but numbers in a balancer's droplet_ids. */
const resources = z.object({
  resources: z.array(z.object({ resource_id: z.string().regex(/^\d+$/), resource_type: z.literal('droplet') })).min(1),
});

export const tagRoutes: Route[] = [
  {
    operation: 'tags_list',
    method: 'GET',
    path: '/v2/tags',
    scopes: ['tag:read'],
    handle: (world, { url, can }) => {
      const tags = [...world.tags].map((tag) => tagWire(tag, world, can));
      return page('tags', tags, url);
    },
  },
  {
    operation: 'tags_create',
    method: 'POST',
    path: '/v2/tags',
    scopes: ['tag:create'],
    handle: (world, { body, can }) => {
      const wish = newTag.safeParse(body);
      if (!wish.success) return problem(422, 'name must be a string');
      const { name } = wish.data;
      if (!/^[\w:-]{1,255}$/.test(name)) return invalidName(name);
      world.createTag(name);
      return created({ tag: tagWire(name, world, can) });
    },
  },
  {
    operation: 'tags_get',
    method: 'GET',
    path: '/v2/tags/{tag_id}',
    scopes: ['tag:read'],
    handle: (world, { params: { tag_id: tag = '' }, can }) =>
      world.tags.has(tag) ? ok({ tag: tagWire(tag, world, can) }) : notFound,
  },
  {
    operation: 'tags_delete',
    method: 'DELETE',
    path: '/v2/tags/{tag_id}',
    scopes: ['tag:delete'],
    handle: (world, { params: { tag_id: tag = '' } }) => {
      world.deleteTag(tag);
      return noContent;
    },
  },
  {
    operation: 'tags_assign_resources',
    method: 'POST',
    path: '/v2/tags/{tag_id}/resources',
    scopes: ['tag:create', 'droplet:update'],
    handle: (world, request) => changeResources(world, request, (tag, ids) => world.tagDroplets(tag, ids)),
  },
  {
    operation: 'tags_unassign_resources',
    method: 'DELETE',
    path: '/v2/tags/{tag_id}/resources',
    scopes: ['tag:delete', 'droplet:update'],
    handle: (world, request) => changeResources(world, request, (tag, ids) => world.untagDroplets(tag, ids)),
  },
];

function changeResources(
  world: World,
  { params: { tag_id: tag = '' }, body }: ApiRequest,
  change: (tag: string, dropletIds: number[]) => void,
): Answer {
  if (!world.tags.has(tag)) return notFound;
  const wish = resources.safeParse(body);
  if (!wish.success) {
    return problem(422, 'resources must be a list of {"resource_id": "<string>", "resource_type": "droplet"}');
  }
  change(
    tag,
    wish.data.resources.map((resource) => Number(resource.resource_id)),
  );
  return noContent;
}

/** The only error with a different format. */
function invalidName(name: string): Answer {
  const error = `Error validating resource tag: "tag-name "${name}" contains invalid characters"`;
  return {
    status: 400,
    body: { error, messages: null, root_causes: [`rpc error: code = InvalidArgument desc = ${error}`] },
  };
}
