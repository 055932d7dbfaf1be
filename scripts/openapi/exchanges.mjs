// Every kind of call that the sandbox's API supports, as data: an operation, a request and the expected status.
// `refused` marks requests that the description forbids too; the check requires that both agree.

/**
 * @param balancer, `tagged` and `pool`: ids; `droplet`: the id of a member; `spare`: the id of another droplet.
 */
export function exchanges({ balancer, tagged, droplet, spare, pool }) {
  const member = (ids) => ({ droplet_ids: ids });
  const resource = (id, type = 'droplet') => ({ resources: [{ resource_id: id, resource_type: type }] });
  const list = (operation) => [
    { operation, status: 200 },
    { operation, query: { page: '1', per_page: '1' }, status: 200 },
    { operation, query: { page: '0' }, status: 422, refused: true },
    { operation, query: { per_page: '201' }, status: 422, refused: true },
  ];
  const membership = (operation, id) => [
    { operation, params: { lb_id: balancer }, body: member([id]), status: 204 },
    { operation, params: { lb_id: tagged }, body: member([id]), status: 422 },
    { operation, params: { lb_id: 'nope' }, body: member([id]), status: 404 },
    { operation, params: { lb_id: balancer }, body: member([]), status: 422 },
    { operation, params: { lb_id: balancer }, body: member([String(id)]), status: 422, refused: true },
    { operation, params: { lb_id: balancer }, body: {}, status: 422, refused: true },
    { operation, params: { lb_id: balancer }, status: 422, refused: true },
    { operation, params: { lb_id: balancer }, body: member([id]), status: 403, busy: true },
  ];
  const tagging = (operation) => [
    { operation, params: { tag_id: 'shared' }, body: resource(String(droplet)), status: 204 },
    { operation, params: { tag_id: 'unknown' }, body: resource(String(droplet)), status: 404 },
    { operation, params: { tag_id: 'shared' }, body: resource('999'), status: 404 },
    { operation, params: { tag_id: 'shared' }, body: resource(droplet), status: 422, refused: true },
    { operation, params: { tag_id: 'shared' }, body: resource(String(droplet), 'server'), status: 422, refused: true },
    { operation, params: { tag_id: 'shared' }, body: {}, status: 422, refused: true },
    { operation, params: { tag_id: 'shared' }, status: 422, refused: true },
  ];
  return [
    ...list('loadBalancers_list'),
    { operation: 'loadBalancers_get', params: { lb_id: balancer }, status: 200 },
    { operation: 'loadBalancers_get', params: { lb_id: tagged }, status: 200 },
    { operation: 'loadBalancers_get', params: { lb_id: 'nope' }, status: 404 },
    ...membership('loadBalancers_add_droplets', spare),
    { operation: 'loadBalancers_add_droplets', params: { lb_id: balancer }, body: member([999]), status: 422 },
    ...membership('loadBalancers_remove_droplets', droplet),
    ...list('droplets_list'),
    { operation: 'droplets_list', query: { tag_name: 'shared' }, status: 200 },
    { operation: 'droplets_get', params: { droplet_id: String(droplet) }, status: 200 },
    { operation: 'droplets_get', params: { droplet_id: '999' }, status: 404 },
    { operation: 'droplets_get', params: { droplet_id: 'web-1' }, status: 404, refused: true },
    ...list('autoscalepools_list'),
    { operation: 'autoscalepools_list_members', params: { autoscale_pool_id: pool }, status: 200 },
    { operation: 'autoscalepools_list_members', params: { autoscale_pool_id: 'nope' }, status: 404 },
    { operation: 'tags_create', body: { name: 'do-deploy:out:prod' }, status: 201 },
    { operation: 'tags_create', body: { name: 'not allowed' }, status: 400, refused: true },
    { operation: 'tags_create', body: { name: 7 }, status: 422, refused: true },
    { operation: 'tags_create', status: 422, refused: true },
    { operation: 'tags_get', params: { tag_id: 'shared' }, status: 200 },
    { operation: 'tags_get', params: { tag_id: 'unknown' }, status: 404 },
    ...list('tags_list'),
    { operation: 'tags_delete', params: { tag_id: 'do-deploy:out:prod' }, status: 204 },
    { operation: 'tags_delete', params: { tag_id: 'shared' }, status: 204 },
    { operation: 'tags_delete', params: { tag_id: 'unknown' }, status: 404 },
    ...tagging('tags_assign_resources'),
    ...tagging('tags_unassign_resources'),
    ...list('firewalls_list'),
    { operation: 'registries_get_dockerCredentials', params: { registry_name: 'acme' }, status: 200 },
    { operation: 'registries_get_dockerCredentials', params: { registry_name: 'nope' }, status: 404 },
    ...['actions', 'images', 'regions', 'sizes', 'vpcs'].map((list) => ({
      operation: `${list}_list`,
      query: { page: '1', per_page: '1' },
      status: 200,
    })),
    { operation: 'vpcs_list', query: { page: '9' }, status: 404 },
    { operation: 'registry_get_dockerCredentials', status: 200 },
    {
      operation: 'registry_get_dockerCredentials',
      query: { expiry_seconds: '3600', read_write: 'false' },
      status: 200,
    },
    { operation: 'registry_get_dockerCredentials', query: { expiry_seconds: 'soon' }, status: 422, refused: true },
  ];
}
