/** Faults around droplets that are taken out by hand, in restarts, and around services that are stopped. */
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
  {
    name: 'a restart of the whole app starts what was stopped',
    file: 'src/deploy/steps/switch-release.ts',
    text: 'all: stopped.size === 0 });',
    instead: 'all: true });',
    breaks: ['r'],
    seeds: [],
    stories: [
      {
        fleet: 3,
        app: 'full',
        runs: [
          { command: 'stop', tag: 'worker' },
          { command: 'restart', tag: '' },
        ],
      },
    ],
  },
  {
    name: 'what was stopped is forgotten when its droplet is verified again',
    file: 'src/deploy/steps/clear-mark.ts',
    text: "nextState(member, run.release.id, 'verified', written, stopped, run.condemned)",
    instead: "nextState(member, run.release.id, 'verified', written)",
    breaks: ['r'],
    seeds: [],
    stories: [{ fleet: 3, app: 'full', runs: [{ command: 'stop', tag: 'worker' }] }],
  },
];
