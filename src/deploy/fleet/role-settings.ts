/**
 * Roles: droplets of one environment that do different work, such as those of the web and those of a queue. Each role is a
 * fleet of its own, with its target, batches and floor, and with its own records at DigitalOcean. They have one release, one
 * lease and one history.
 */
import type { Settings } from '../../config/settings.js';

/** The settings of each role, in their order; of an environment without roles its own. */
export function settingsOfRoles(settings: Settings): Settings[] {
  const { roles, rollout, ...common } = settings;
  if (roles === undefined) return [settings];
  return roles.map(({ name, target, profiles = settings.profiles, own, batch, minInRotation }) => ({
    ...common,
    ...own,
    role: name,
    target,
    ...(profiles && { profiles }),
    rollout: {
      ...rollout,
      batch: batch ?? rollout.batch,
      minInRotation: minInRotation ?? rollout.minInRotation,
    },
  }));
}

/** What the names of a fleet's tags at DigitalOcean begin with, after the app. */
export function scopeOf({ environment, role }: Pick<Settings, 'environment' | 'role'>): string {
  return role === undefined ? environment : `${environment}:${role}`;
}

/** "worker: ", before what is said of one role. */
export function ofRole({ role }: Pick<Settings, 'role'>): string {
  return role === undefined ? '' : `${role}: `;
}
