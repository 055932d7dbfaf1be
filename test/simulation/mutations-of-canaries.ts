/** Faults in rollouts to a part of the fleet. */
import type { Told } from './calm.js';
import type { Mutation } from './mutations.js';

const AFTER_A_KILLED_PROMOTE: Told = {
  fleet: 3,
  runs: [
    { canary: 1 },
    { command: 'promote', crash: { call: 'switch', nth: 0, applied: true, power: false } },
    { canary: 1 },
  ],
};

export const CANARY_FAULTS: readonly Mutation[] = [
  {
    name: 'a canary goes on to the next droplet',
    file: 'src/rollout/rollout-state.ts',
    text: 'return Math.max(0, holdAt - have.length);',
    instead: 'return Math.max(0, holdAt + 1 - have.length);',
    breaks: ['n'],
    seeds: [40000002, 40000004],
  },
  {
    name: 'a canary counts as the release of the fleet',
    file: 'src/deploy/session/rollout.ts',
    text: 'rollout.anchors && !isCanary\n',
    instead: 'rollout.anchors\n',
    breaks: ['n', 'd'],
    seeds: [40000002, 40000004],
  },
  {
    name: 'without anchors, a canary is adopted',
    file: 'src/deploy/fleet/fleet-release.ts',
    text: 'members.filter((member) => !runsAny(member, canaries))',
    instead: 'members.filter((member) => !runsAny(member, canaries) || true)',
    breaks: ['n', 'd'],
    seeds: [40000084, 40000106],
  },
  {
    name: 'abort leaves what the canary has left recorded as out',
    file: 'src/deploy/rollouts/end-canary.ts',
    text: 'const exempt = placed.filter((member) => !canary.members.includes(member));',
    instead: 'const exempt = members.filter((member) => placed.length >= 0 && !canary.members.includes(member));',
    breaks: ['d'],
    seeds: [40000824],
  },
  {
    name: 'the record of a canary is never removed',
    file: 'src/deploy/session/canary.ts',
    text: 'for (const hash of canary.hashes) {',
    instead: 'for (const hash of canary.hashes.slice(0, 0)) {',
    breaks: ['n'],
    seeds: [40000008, 40000010],
  },
  {
    name: 'a canary is well beside droplets that a killed promote has left out',
    file: 'src/rollout/rollout-state.ts',
    text: ' && leftOut(state).length === 0;',
    instead: ';',
    breaks: ['n'],
    seeds: [],
    stories: [AFTER_A_KILLED_PROMOTE],
  },
];
