/** Faults in what holds for fleets without a balancer. */
import type { Mutation } from './mutations.js';

export const WORKERS_FAULTS: readonly Mutation[] = [
  {
    name: 'the app is not asked before a droplet is done',
    file: 'src/deploy/steps/app-check.ts',
    text: 'if (check === undefined || exemptFromAppCheck?.has(runningRelease(member))) return undefined;',
    instead: 'if (check !== null) return undefined;',
    breaks: ['c'],
    seeds: [2_000_002],
  },
  {
    name: 'without a balancer there is no floor',
    file: 'src/rollout/rollout-state.ts',
    text: 'if (policy.allowDowntime || !policy.isFleet) return 0;',
    instead: 'if (policy.allowDowntime || !policy.balanced) return 0;',
    breaks: ['a'],
    seeds: [2_000_017, 2_000_118, 2_000_126],
  },
  {
    name: 'without a balancer nothing is recorded',
    file: 'src/rollout/courses.ts',
    text: "isFleet && !isMarked ? ['mark-out'] : []",
    instead: "balanced && !droplet.inLedger ? ['mark-out'] : []",
    breaks: ['g'],
    seeds: [2_000_002, 2_000_003],
  },
  {
    name: 'the mark of a worker stays',
    file: 'src/deploy/steps/clear-mark.ts',
    text: 'if (!run.target.isFleet) return;',
    instead: 'if (run.target.healthCheck === undefined) return;',
    breaks: ['d', 'f'],
    seeds: [2_000_001, 2_000_002],
  },
  {
    name: 'a worker counts as serving whatever its containers do',
    file: 'src/deploy/session/observe-fleet.ts',
    text: "return { healthy: kind === 'healthy' && (await askApp(run, member))?.passed !== false, now };",
    instead: 'return { healthy: true, now };',
    breaks: ['a'],
    seeds: [2_000_376],
    stories: [{ target: 'tagged', fleet: 3, happenings: [{ atMs: 500, kind: 'ill', droplet: 2, forMs: 60_000 }] }],
  },
  {
    name: 'a worker that was left half-changed counts as serving',
    file: 'src/deploy/session/observe-fleet.ts',
    text: 'now === undefined || isHalfDone(member) ||',
    instead: 'now === undefined ||',
    breaks: ['a'],
    seeds: [2_001_160, 2_001_200],
  },
];
