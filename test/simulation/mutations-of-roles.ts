/** Faults in what holds for roles: the order in which they are rolled, and the way back of those that are done. */
import type { Mutation } from './mutations.js';

export const ROLES_FAULTS: readonly Mutation[] = [
  {
    name: 'a role is begun although the one before has failed',
    file: 'src/deploy/session/roll-to-release.ts',
    text: 'if (!ended.revertingFleet) break;',
    instead: 'if (!ended.revertingFleet) continue;',
    breaks: ['p'],
    seeds: [50_000_158, 50_000_172],
  },
  {
    name: 'under revert-fleet the roles that are done stay',
    file: 'src/deploy/session/roll-to-release.ts',
    text: 'if (!ended.revertingFleet) break;',
    instead: 'if (!ended.revertingFleet || index > 0) break;',
    breaks: ['j'],
    seeds: [50_000_157, 50_000_352, 50_000_450],
  },
  {
    name: 'what is out of a role is recorded for the environment',
    file: 'src/deploy/fleet/role-settings.ts',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: source
    text: 'return role === undefined ? environment : `${environment}:${role}`;',
    instead: 'return role === undefined ? environment : environment;',
    breaks: ['g'],
    seeds: [50_000_219, 50_000_220],
  },
  {
    name: 'only the first role has its release anchored',
    file: 'src/deploy/fleet/goal-anchor.ts',
    text: 'for (const anchor of anchors) await anchor.verified(release, before);',
    instead: 'for (const anchor of anchors.slice(0, 1)) await anchor.verified(release, before);',
    breaks: ['d'],
    seeds: [50_000_189, 50_000_190],
  },
];
