/** The token's scopes that an environment needs. */
import type { Settings, TargetSettings } from '../../config/settings.js';
import { settingsOfRoles } from '../fleet/role-settings.js';

/** `load_balancer:update` works only together with these: docs.digitalocean.com/reference/api/scopes/load_balancer/update */
const WITH_CHANGES_OF_BALANCERS = ['actions:read', 'image:read', 'regions:read', 'sizes:read', 'vpc:read'] as const;

/** Without one of these, nothing of the fleet can be read as it is. */
const TO_FIND: Readonly<Record<TargetSettings['kind'], readonly string[]>> = {
  load_balancer: ['load_balancer:read', 'droplet:read', 'tag:read'],
  tag: ['droplet:read', 'tag:read'],
  droplets: ['droplet:read', 'tag:read'],
  droplet: ['droplet:read'],
};

/** That only a change shows. */
const TO_CHANGE: Readonly<Record<TargetSettings['kind'], readonly string[]>> = {
  load_balancer: ['load_balancer:update', 'droplet:update', 'tag:create', 'tag:delete'],
  tag: ['droplet:update', 'tag:create', 'tag:delete'],
  droplets: ['droplet:update', 'tag:create', 'tag:delete'],
  droplet: [],
};

export interface NeededScopes {
  /** Without them the fleet cannot be looked at. */
  toFind: string[];
  /** All that a read shows. */
  readable: string[];
  /** Those that only a change shows. */
  toChange: string[];
}

export function neededScopes(settings: Settings): NeededScopes {
  const kinds = settingsOfRoles(settings).map(({ target }) => target.kind);
  const unique = (scopes: readonly string[]) => [...new Set(scopes)];
  const toFind = unique(kinds.flatMap((kind) => TO_FIND[kind]));
  const ofBalancers = kinds.includes('load_balancer') ? WITH_CHANGES_OF_BALANCERS : [];
  const ofRegistry = settings.registry?.digitalocean === undefined ? [] : ['registry:read', 'registry:update'];
  return {
    toFind,
    readable: unique([...toFind, ...ofBalancers]),
    toChange: unique([...kinds.flatMap((kind) => TO_CHANGE[kind]), ...ofRegistry]),
  };
}
