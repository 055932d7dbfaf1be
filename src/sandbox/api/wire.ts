/**
 * Records in the format of DigitalOcean's API, with every field of the official description that an ordinary resource has.
 * Fields that require a scope which the token lacks are omitted.
 */
import type { BalancerRecord, DropletRecord, FirewallRecord, PoolRecord } from '../records.js';
import { PROJECT_ID, VPC_ID, type World } from '../world.js';

type Can = (scope: string) => boolean;

const SIZE = 's-1vcpu-1gb';
const REGION = {
  name: 'New York 3',
  slug: 'nyc3',
  features: ['backups', 'ipv6', 'metadata', 'install_agent', 'storage', 'image_transfer'],
  available: true,
  sizes: [SIZE, 's-2vcpu-4gb'],
};
const IMAGE = {
  id: 63_663_980,
  name: '24.04 (LTS) x64',
  distribution: 'Ubuntu',
  slug: 'ubuntu-24-04-x64',
  public: true,
  regions: ['nyc3'],
  created_at: '2026-05-15T05:47:50Z',
  type: 'base',
  min_disk_size: 10,
  size_gigabytes: 2.36,
  description: 'Ubuntu 24.04 (LTS) x64',
  tags: [],
  status: 'available',
};

export function dropletWire(droplet: DropletRecord, can: Can): Record<string, unknown> {
  return {
    id: droplet.id,
    name: droplet.name,
    memory: 1024,
    vcpus: 1,
    disk: 25,
    disk_info: [{ type: 'local', size: { amount: 25, unit: 'gib' } }],
    locked: false,
    status: droplet.status,
    kernel: null,
    created_at: instant(droplet.createdAt),
    features: ['private_networking'],
    backup_ids: [],
    next_backup_window: null,
    snapshot_ids: [],
    image: IMAGE,
    volume_ids: [],
    size: {
      slug: SIZE,
      memory: 1024,
      vcpus: 1,
      disk: 25,
      transfer: 1,
      price_monthly: 6,
      price_hourly: 0.00893,
      regions: ['nyc3'],
      available: true,
      description: 'Basic',
    },
    size_slug: SIZE,
    networks: {
      // Private first: the order is not promised, so nothing may rely on the public address being first.
      v4: [
        { ip_address: droplet.privateAddress, netmask: '255.255.0.0', gateway: '10.10.0.1', type: 'private' },
        { ip_address: droplet.publicAddress, netmask: '255.255.255.0', gateway: '203.0.113.1', type: 'public' },
      ],
      v6: [],
    },
    region: REGION,
    tags: can('tag:read') ? [...droplet.tags] : [],
    ...(can('vpc:read') && { vpc_uuid: VPC_ID }),
  };
}

export function balancerWire(balancer: BalancerRecord, can: Can): Record<string, unknown> {
  const { healthCheck: check } = balancer;
  return {
    id: balancer.id,
    name: balancer.name,
    project_id: PROJECT_ID,
    ip: balancer.status === 'new' ? '' : balancer.ip,
    size_unit: 1,
    size: 'lb-small',
    algorithm: 'round_robin',
    status: balancer.status,
    created_at: instant(balancer.createdAt),
    forwarding_rules: [
      {
        entry_protocol: 'http',
        entry_port: 80,
        target_protocol: 'http',
        target_port: 80,
        certificate_id: '',
        tls_passthrough: false,
      },
    ],
    health_check: {
      protocol: 'http',
      port: check.port,
      path: check.path,
      check_interval_seconds: check.intervalSeconds,
      response_timeout_seconds: check.timeoutSeconds,
      unhealthy_threshold: check.unhealthyThreshold,
      healthy_threshold: check.healthyThreshold,
    },
    sticky_sessions: { type: 'none' },
    redirect_http_to_https: false,
    enable_proxy_protocol: false,
    enable_backend_keepalive: balancer.backendKeepalive,
    http_idle_timeout_seconds: balancer.idleTimeoutSeconds,
    ...(can('vpc:read') && { vpc_uuid: VPC_ID }),
    disable_lets_encrypt_dns_records: false,
    firewall: { deny: [], allow: [] },
    network: 'EXTERNAL',
    network_stack: 'IPV4',
    type: 'REGIONAL',
    tls_cipher_policy: 'DEFAULT',
    region: REGION,
    tag: balancer.tag ?? '',
    droplet_ids: balancer.shown.ids,
  };
}

export function poolWire(pool: PoolRecord, world: World, can: Can): Record<string, unknown> {
  const members = world.dropletsOfPool(pool);
  return {
    id: pool.id,
    name: pool.name,
    config: { target_number_instances: Math.max(1, members.length) },
    droplet_template: {
      name: pool.name,
      region: REGION.slug,
      size: SIZE,
      image: IMAGE.slug,
      ssh_keys: [],
      ...(can('tag:read') && { tags: [] }),
      ...(can('vpc:read') && { vpc_uuid: VPC_ID }),
      with_droplet_agent: true,
      project_id: PROJECT_ID,
      ipv6: false,
      user_data: '',
    },
    created_at: instant(pool.createdAt),
    updated_at: instant(pool.createdAt),
    status: 'active',
    active_resources_count: members.filter(({ status }) => status === 'active').length,
  };
}

export function poolMemberWire(droplet: DropletRecord): Record<string, unknown> {
  return {
    droplet_id: droplet.id,
    created_at: instant(droplet.createdAt),
    updated_at: instant(droplet.createdAt),
    health_status: 'healthy',
    status: droplet.status === 'new' ? 'provisioning' : droplet.status === 'active' ? 'active' : 'off',
    current_utilization: { memory: 0.25, cpu: 0.01 },
  };
}

export function tagWire(tag: string, world: World, can: Can): Record<string, unknown> {
  const tagged = can('droplet:read') ? world.dropletsWithTag(tag) : [];
  const last = tagged.at(-1);
  const uri = last && `https://api.digitalocean.com/v2/droplets/${last.id}`;
  const statistics = { count: tagged.length, last_tagged_uri: uri };
  return { name: tag, resources: { ...statistics, droplets: statistics } };
}

export function firewallWire(firewall: FirewallRecord, can: Can): Record<string, unknown> {
  const everywhere = { addresses: ['0.0.0.0/0', '::/0'] };
  return {
    id: firewall.id,
    name: firewall.name,
    status: 'succeeded',
    created_at: instant(firewall.createdAt),
    pending_changes: [],
    droplet_ids: firewall.dropletIds,
    tags: can('tag:read') ? firewall.tags : [],
    inbound_rules: [{ protocol: 'tcp', ports: firewall.ports, sources: everywhere }],
    outbound_rules: [{ protocol: 'tcp', ports: 'all', destinations: everywhere }],
  };
}

/** RFC 3339 with whole seconds, like in the API. */
function instant(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
