/**
 * What is used of the API's answers, checked, and turned into the port's shapes. A proxy's page or a changed API must
 * not pass for a balancer without droplets.
 *
 * A token without a scope gets answers with fields left out (tags need tag:read, vpc_uuid vpc:read): such fields may be
 * absent. `droplet_ids` and a firewall's `tags` may not, because their absence would read as "none".
 */
import { z } from 'zod';
import type { Droplet, HealthCheck, LoadBalancer } from '../../ports.js';

const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '');

const port = z.number().int().min(1).max(65_535);

/** In answers the region is an object; a global balancer has none. */
const region = z
  .object({ slug: z.string() })
  .nullish()
  .transform((value) => value?.slug ?? '');

/** Defaults are those of DigitalOcean's description; seconds may be fractions (a sandbox's are). */
const healthCheck = z
  .object({
    protocol: z.enum(['http', 'https', 'tcp']).default('http'),
    port: port.default(80),
    path: text.transform((path) => (path.startsWith('/') ? path : `/${path}`)),
    check_interval_seconds: z.number().positive().default(10),
    response_timeout_seconds: z.number().positive().default(5),
    healthy_threshold: z.number().int().positive().default(3),
    unhealthy_threshold: z.number().int().positive().default(5),
  })
  .transform(
    (check): HealthCheck => ({
      protocol: check.protocol,
      port: check.port,
      path: check.path,
      intervalSeconds: check.check_interval_seconds,
      timeoutSeconds: check.response_timeout_seconds,
      healthyThreshold: check.healthy_threshold,
      unhealthyThreshold: check.unhealthy_threshold,
    }),
  );

/** Of balancers from before `size_unit`. */
const NODES_OF_SIZE: Record<string, number> = { 'lb-small': 1, 'lb-medium': 3, 'lb-large': 6 };

const loadBalancer = z
  .object({
    id: z.string().min(1),
    name: z.string(),
    ip: text,
    status: z.enum(['new', 'active', 'errored']),
    type: text,
    region,
    tag: text,
    /** null is how an empty list is written by some versions of the API. */
    droplet_ids: z.array(z.number().int()).nullable().optional(),
    forwarding_rules: z.array(z.object({ target_port: port })).nullish(),
    health_check: healthCheck.nullish(),
    enable_proxy_protocol: z.boolean().nullish(),
    enable_backend_keepalive: z.boolean().nullish(),
    sticky_sessions: z.object({ type: text }).nullish(),
    size_unit: z.number().int().positive().nullish(),
    size: text,
    vpc_uuid: text,
  })
  .refine((answer) => answer.droplet_ids !== undefined || answer.type === 'GLOBAL', {
    path: ['droplet_ids'],
    message: 'missing',
  })
  .transform((answer): LoadBalancer => {
    const ports = new Set(answer.forwarding_rules?.map((rule) => rule.target_port));
    return {
      id: answer.id,
      name: answer.name,
      ip: answer.ip,
      status: answer.status,
      type: answer.type || 'REGIONAL',
      region: answer.region,
      ...(answer.tag && { tag: answer.tag }),
      dropletIds: answer.droplet_ids ?? [],
      targetPorts: [...ports].sort((a, b) => a - b),
      healthCheck: answer.health_check ?? healthCheck.parse({}),
      proxyProtocol: answer.enable_proxy_protocol ?? false,
      nodes: answer.size_unit ?? NODES_OF_SIZE[answer.size] ?? 1,
      sticky: (answer.sticky_sessions?.type || 'none') !== 'none',
      backendKeepalive: answer.enable_backend_keepalive || undefined,
      ...(answer.vpc_uuid && { vpcId: answer.vpc_uuid }),
    };
  });

const droplet = z
  .object({
    id: z.number().int().positive(),
    name: z.string(),
    status: z.enum(['new', 'active', 'off', 'archive']),
    networks: z
      .object({ v4: z.array(z.object({ ip_address: z.string(), type: z.string() })).nullish() })
      .nullish()
      .transform((networks) => networks?.v4 ?? []),
    tags: z.array(z.string()).nullish(),
    region,
    vpc_uuid: text,
  })
  .transform((answer): Droplet => {
    // Neither the order nor the presence of either kind is promised.
    const publicAddress = answer.networks.find((network) => network.type === 'public')?.ip_address;
    const privateAddress = answer.networks.find((network) => network.type === 'private')?.ip_address;
    return {
      id: answer.id,
      name: answer.name,
      status: answer.status,
      ...(publicAddress && { publicAddress }),
      ...(privateAddress && { privateAddress }),
      tags: answer.tags ?? [],
      region: answer.region,
      ...(answer.vpc_uuid && { vpcId: answer.vpc_uuid }),
    };
  });

const peers = z.object({ tags: z.array(z.string()).nullish() }).nullish();
const firewall = z
  .object({
    id: z.string().min(1),
    name: z.string(),
    tags: z.array(z.string()).nullable(),
    inbound_rules: z.array(z.object({ sources: peers })).nullish(),
    outbound_rules: z.array(z.object({ destinations: peers })).nullish(),
  })
  .transform((answer) => ({
    id: answer.id,
    name: answer.name,
    tags: answer.tags ?? [],
    /** Tags whose droplets it lets in, or out to. */
    peers: [
      ...(answer.inbound_rules ?? []).flatMap(({ sources }) => sources?.tags ?? []),
      ...(answer.outbound_rules ?? []).flatMap(({ destinations }) => destinations?.tags ?? []),
    ],
  }));

const autoscalePool = z.object({ id: z.string().min(1), name: z.string() });
const poolMember = z
  .object({ droplet_id: z.number().int().positive(), status: z.string() })
  .transform((answer) => ({ id: answer.droplet_id, active: answer.status === 'active' }));

export const loadBalancerAnswer = z.object({ load_balancer: loadBalancer }).transform((body) => body.load_balancer);
export const dropletAnswer = z.object({ droplet }).transform((body) => body.droplet);
export const tagAnswer = z.object({ tag: z.object({ name: z.string() }) }).transform((body) => body.tag.name);

/** A change's answer: 204 without a body. */
export const noContent = z.union([z.literal(''), z.null(), z.undefined()]).transform(() => undefined);

export interface Page<T> {
  items: T[];
  /** The answer links to a page after this one. */
  linksOn: boolean;
  /** Of all pages waitForAll. */
  total?: number | undefined;
}

/** `links` is absent or empty when everything fits on one page. */
const paging = {
  links: z
    .object({ pages: z.object({ next: z.string().nullish() }).nullish() })
    .nullish()
    .transform((links) => Boolean(links?.pages?.next)),
  meta: z.object({ total: z.number().int() }).nullish(),
};

export const loadBalancersPage = z
  .object({ load_balancers: z.array(loadBalancer), ...paging })
  .transform((body) => ({ items: body.load_balancers, linksOn: body.links, total: body.meta?.total }));
export const dropletsPage = z
  .object({ droplets: z.array(droplet), ...paging })
  .transform((body) => ({ items: body.droplets, linksOn: body.links, total: body.meta?.total }));
export const firewallsPage = z
  .object({ firewalls: z.array(firewall), ...paging })
  .transform((body) => ({ items: body.firewalls, linksOn: body.links, total: body.meta?.total }));
export const autoscalePoolsPage = z
  .object({ autoscale_pools: z.array(autoscalePool), ...paging })
  .transform((body) => ({ items: body.autoscale_pools, linksOn: body.links, total: body.meta?.total }));
export const poolMembersPage = z
  .object({ droplets: z.array(poolMember), ...paging })
  .transform((body) => ({ items: body.droplets, linksOn: body.links, total: body.meta?.total }));
