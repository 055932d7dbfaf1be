/** Faults around droplets that are taken out by hand, and in restarts. */
import type { Mutation } from './mutations.js';

export const BY_HAND_FAULTS: readonly Mutation[] = [
  {
    name: 'what was taken out by hand counts as left out by a crash',
    file: 'src/deploy/fleet/find-fleet.ts',
    text: 'byHand !== undefined && setApart !== false &&',
    instead: 'false && byHand !== undefined && setApart !== false &&',
    breaks: ['q'],
    seeds: [],
    stories: [
      {
        fleet: 3,
        runs: [
          { command: 'droplet out', tag: 'web-2' },
          { command: 'heal', tag: '' },
        ],
      },
    ],
  },
  {
    name: 'the mark of what was taken out by hand stays when it is back',
    file: 'src/deploy/fleet/ledger.ts',
    text: 'await this.forgetByHand(dropletId, before);',
    instead: '',
    breaks: ['q'],
    seeds: [],
    stories: [{ fleet: 3, runs: [{ command: 'droplet out', tag: 'web-2' }] }],
  },
  {
    name: 'a restart brings every droplet to the release that most of them run',
    file: 'src/deploy/rollouts/restart.ts',
    text: 'own.set(member.droplet.id, release);',
    instead: '',
    breaks: ['q'],
    seeds: [],
    stories: [{ fleet: 3, runs: [{ canary: 1 }, { command: 'restart', tag: '' }] }],
  },
];
