/**
 * The fields of the API's answers that are used: checked, cleaned and turned into the port's shapes. A proxy's page or a
 * changed API must not pass for a balancer without droplets, and no text may hold control characters.
 *
 * A token without a scope gets answers with fields left out (tags need tag:read, vpc_uuid vpc:read): such fields may be
 * absent. `droplet_ids` and a firewall's `tags` may not, because their absence would mean "none".
 */
import { isIP } from 'node:net';
import { z } from 'zod';
import type { Droplet, Firewall, HealthCheck, InboundRule, LoadBalancer } from '../../ports.js';
import { oneLine } from '../printable.js';

/** Bounds of lists and numbers: far above DigitalOcean's own limits. */
const MAX_ITEMS = 10_000;
const MAX_SECONDS = 3_600;
const MAX_THRESHOLD = 1_000;
const MAX_NODES = 1_000;
const MAX_NAME = 255;

const name = z.string().transform((value) => oneLine(value, MAX_NAME));

const text = z
  .string()
  .nullish()
  .transform((value) => oneLine(value ?? '', MAX_NAME));

/** It becomes part of the path of a request. */
const id = z.string().regex(/^[0-9a-zA-Z-]{1,64}$/);

const port = z.number().int().min(1).max(65_535);
const seconds = z.number().positive().max(MAX_SECONDS);
const threshold = z.number().int().positive().max(MAX_THRESHOLD);
const tags = z.array(name).max(MAX_ITEMS);

/** In answers the region is an object; a global balancer has none. */
const region = z
  .object({ slug: name })
  .nullish()
  .transform((value) => value?.slug ?? '');

/** The defaults are those of DigitalOcean's description; seconds may be fractions, as in a sandbox. */
const healthCheck = z
  .object({
    protocol: z.enum(['http', 'https', 'tcp']).default('http'),
    port: port.default(80),
    path: text.transform((path) => (path.startsWith('/') ? path : `/${path}`)),
    check_interval_seconds: seconds.default(10),
    response_timeout_seconds: seconds.default(5),
    healthy_threshold: threshold.default(3),
    unhealthy_threshold: threshold.default(5),
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

/** Of balancers older than `size_unit`. */
const NODES_OF_SIZE: Record<string, number> = { 'lb-small': 1, 'lb-medium': 3, 'lb-large': 6 };

const loadBalancer = z
  .object({
    id,
    name,
    ip: text,
    status: z.enum(['new', 'active', 'errored']),
    type: text,
    region,
    tag: text,
    /** Some versions of the API write an empty list as null. */
    droplet_ids: z.array(z.number().int()).max(MAX_ITEMS).nullable().optional(),
    forwarding_rules: z
      .array(z.object({ target_port: port, entry_protocol: text, entry_port: port.nullish().catch(undefined) }))
      .max(MAX_ITEMS)
      .nullish(),
    health_check: healthCheck.nullish(),
    redirect_http_to_https: z.boolean().nullish(),
    enable_proxy_protocol: z.boolean().nullish(),
    enable_backend_keepalive: z.boolean().nullish(),
    sticky_sessions: z.object({ type: text }).nullish(),
    size_unit: z.number().int().positive().max(MAX_NODES).nullish(),
    size: text,
    vpc_uuid: text,
  })
  .refine((answer) => answer.droplet_ids !== undefined || answer.type === 'GLOBAL', {
    path: ['droplet_ids'],
    message: 'missing',
  })
  .transform((answer): LoadBalancer => {
    const plain = answer.redirect_http_to_https
      ? undefined
      : answer.forwarding_rules?.find((rule) => rule.entry_protocol === 'http');
    const ports = new Set(answer.forwarding_rules?.map((rule) => rule.target_port));
    return {
      id: answer.id,
      name: answer.name,
      ip: answer.ip,
      status: answer.status,
      type: answer.type || 'REGIONAL',
      region: answer.region,
      tag: answer.tag || undefined,
      dropletIds: answer.droplet_ids ?? [],
      httpPort: plain?.entry_port ?? undefined,
      targetPorts: [...ports].sort((a, b) => a - b),
      healthCheck: answer.health_check ?? healthCheck.parse({}),
      proxyProtocol: answer.enable_proxy_protocol ?? false,
      nodes: answer.size_unit ?? NODES_OF_SIZE[answer.size] ?? 1,
      sticky: (answer.sticky_sessions?.type || 'none') !== 'none',
      vpcId: answer.vpc_uuid || undefined,
      backendKeepalive: answer.enable_backend_keepalive || undefined,
    };
  });

/** It becomes the target of connections. */
const address = z.string().refine((value) => isIP(value) !== 0, { message: 'is not an IP address' });

const droplet = z
  .object({
    id: z.number().int().positive(),
    name,
    status: z.enum(['new', 'active', 'off', 'archive']),
    networks: z
      .object({
        v4: z
          .array(z.object({ ip_address: address, type: z.string() }))
          .max(MAX_ITEMS)
          .nullish(),
      })
      .nullish()
      .transform((networks) => networks?.v4 ?? []),
    tags: tags.nullish(),
    region,
    vpc_uuid: text,
  })
  .transform((answer): Droplet => {
    // DigitalOcean promises neither the order nor the presence of either kind.
    const publicAddress = answer.networks.find((network) => network.type === 'public')?.ip_address;
    const privateAddress = answer.networks.find((network) => network.type === 'private')?.ip_address;
    return {
      id: answer.id,
      name: answer.name,
      status: answer.status,
      publicAddress,
      privateAddress,
      tags: answer.tags ?? [],
      region: answer.region,
      vpcId: answer.vpc_uuid || undefined,
    };
  });

const peers = z
  .object({
    tags: tags.nullish(),
    addresses: z.array(text).max(MAX_ITEMS).nullish(),
    load_balancer_uids: z.array(text).max(MAX_ITEMS).nullish(),
  })
  .nullish();
const firewall = z
  .object({
    id,
    name,
    tags: tags.nullable(),
    droplet_ids: z.array(z.number().int()).max(MAX_ITEMS).nullish(),
    inbound_rules: z
      .array(z.object({ protocol: text, ports: text, sources: peers }))
      .max(MAX_ITEMS)
      .nullish(),
    outbound_rules: z
      .array(z.object({ destinations: peers }))
      .max(MAX_ITEMS)
      .nullish(),
  })
  .transform((answer) => ({
    id: answer.id,
    name: answer.name,
    tags: answer.tags ?? [],
    /** Tags of droplets that its rules admit as sources or destinations. */
    peers: [
      ...(answer.inbound_rules ?? []).flatMap(({ sources }) => sources?.tags ?? []),
      ...(answer.outbound_rules ?? []).flatMap(({ destinations }) => destinations?.tags ?? []),
    ],
    firewall: {
      name: answer.name,
      tags: answer.tags ?? [],
      dropletIds: answer.droplet_ids ?? [],
      inbound: (answer.inbound_rules ?? []).flatMap(({ protocol, ports, sources }): InboundRule[] =>
        protocol === 'tcp'
          ? [
              {
                ports: portsOf(ports),
                addresses: sources?.addresses ?? [],
                balancerIds: sources?.load_balancer_uids ?? [],
              },
            ]
          : [],
      ),
    } satisfies Firewall,
  }));

/** `80`, `8000-9000`, or `all`, `0` and `` for every port. */
function portsOf(written: string): InboundRule['ports'] {
  const [, from, to = from] = /^([1-9]\d{0,4})(?:-(\d{1,5}))?$/.exec(written) ?? [];
  return from === undefined ? { from: 1, to: 65_535 } : { from: Number(from), to: Number(to) };
}

const autoscalePool = z.object({ id, name });
const poolMember = z
  .object({ droplet_id: z.number().int().positive(), status: z.string() })
  .transform((answer) => ({ id: answer.droplet_id, active: answer.status === 'active' }));

export const loadBalancerAnswer = z.object({ load_balancer: loadBalancer }).transform((body) => body.load_balancer);
export const dropletAnswer = z.object({ droplet }).transform((body) => body.droplet);
export const tagAnswer = z.object({ tag: z.object({ name }) }).transform((body) => body.tag.name);

/** Docker's config.json. The auth reaches a file on droplets: nothing but base64 may be in it. */
export const registryAnswer = z
  .object({
    auths: z.object({
      'registry.digitalocean.com': z.object({ auth: z.string().regex(/^[A-Za-z0-9+/]{4,8000}={0,2}$/) }),
    }),
  })
  .transform(({ auths }) => auths['registry.digitalocean.com'].auth);

/** The answer to a change: 204 without a body. */
export const noContent = z.union([z.literal(''), z.null(), z.undefined()]).transform(() => undefined);

/** Any list: only that there is an answer counts. */
export const anyList = z.looseObject({ meta: z.object({ total: z.number().int() }) });

export interface Page<T> {
  items: T[];
  /** The answer links to a next page. */
  linksOn: boolean;
  /** Number of items on all pages. */
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
  .object({ load_balancers: z.array(loadBalancer).max(MAX_ITEMS), ...paging })
  .transform((body) => ({ items: body.load_balancers, linksOn: body.links, total: body.meta?.total }));
export const dropletsPage = z
  .object({ droplets: z.array(droplet).max(MAX_ITEMS), ...paging })
  .transform((body) => ({ items: body.droplets, linksOn: body.links, total: body.meta?.total }));
export const firewallsPage = z
  .object({ firewalls: z.array(firewall).max(MAX_ITEMS), ...paging })
  .transform((body) => ({ items: body.firewalls, linksOn: body.links, total: body.meta?.total }));
export const autoscalePoolsPage = z
  .object({ autoscale_pools: z.array(autoscalePool).max(MAX_ITEMS), ...paging })
  .transform((body) => ({ items: body.autoscale_pools, linksOn: body.links, total: body.meta?.total }));
export const poolMembersPage = z
  .object({ droplets: z.array(poolMember).max(MAX_ITEMS), ...paging })
  .transform((body) => ({ items: body.droplets, linksOn: body.links, total: body.meta?.total }));
export const tagsPage = z
  .object({ tags: z.array(z.object({ name }).transform((tag) => ({ id: tag.name }))).max(MAX_ITEMS), ...paging })
  .transform((body) => ({ items: body.tags, linksOn: body.links, total: body.meta?.total }));
