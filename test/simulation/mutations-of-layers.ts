/** Faults in what happens around the events of layers. */
import { DIES_BACK_IN_SECOND, DIES_MIGRATING } from './calm.js';
import type { Mutation } from './mutations.js';

const MIGRATED_TWICE = [1, 2, 3, 4, 5].map((seed) => ({
  seed,
  layers: true,
  migrates: true,
  runs: [{ crash: DIES_MIGRATING }, {}, {}],
}));

export const LAYERED_FAULTS: readonly Mutation[] = [
  {
    name: 'what a dead run has stopped is forgotten',
    file: 'src/deploy/session/handler-verbs.ts',
    text: "const owed = event === 'before_leave' &&",
    instead: 'const owed = false &&',
    breaks: ['c', 'f'],
    seeds: [1000533, 1001969],
  },
  {
    name: 'a droplet returns without what layers have stopped',
    file: 'src/deploy/steps/start-stopped.ts',
    text: 'const stopped = member.containers.filter(wasStopped);',
    instead: 'const stopped: typeof member.containers = [];',
    breaks: ['c'],
    seeds: [1002393],
  },
  {
    name: 'a migration belongs to its connection',
    file: 'src/deploy/session/once-command.ts',
    text: 'const flags = `--detach',
    instead: 'const flags = `--rm',
    breaks: ['m'],
    seeds: [],
    stories: MIGRATED_TWICE,
  },
  {
    name: 'the success of a migration is recorded by its deployer alone',
    file: 'src/deploy/session/once-command.ts',
    text: `'settle "$code" || exit 0',`,
    instead: '',
    breaks: ['m'],
    seeds: [],
    stories: MIGRATED_TWICE.map((story) => ({ ...story, runs: [{ crash: DIES_MIGRATING }, { startMs: 60_000 }, {}] })),
  },
  {
    name: 'compose removes the only record of a migration',
    file: 'src/deploy/steps/switch-release.ts',
    text: 'settleEnded(record.app)',
    instead: `':'`,
    breaks: ['m'],
    seeds: [],
    stories: [46, 51, 56].map((seed) => ({
      seed,
      layers: true,
      migrates: true,
      runs: [{ crash: DIES_MIGRATING }, { command: 'rollback', startMs: 90_000 }, {}],
    })),
  },
  {
    name: 'a failed handler ends nothing',
    file: 'src/deploy/core/raise-event.ts',
    text: 'if (!onlyWarns(payload.event) && handler.mayFail !== true) throw error;',
    instead: '',
    breaks: ['l'],
    seeds: [1000017, 1000069],
  },
  {
    name: 'an interrupted run has no ending',
    file: 'src/deploy/session/session.ts',
    text: 'await raiseEnding(session, result);',
    instead: `if (result.outcome !== 'interrupted') await raiseEnding(session, result);`,
    breaks: ['l'],
    seeds: [1000157, 1000657],
  },
  {
    name: 'post_deploy is never made up for',
    file: 'src/deploy/session/post-deploy.ts',
    text: 'return (await readDone(session, KEY)).release !== goal.release.id;',
    instead: 'return false;',
    breaks: ['l'],
    seeds: [1000001, 1000249],
  },
  {
    name: 'post_deploy of an earlier rollout counts',
    file: 'src/deploy/session/post-deploy.ts',
    text: `if (release === goal.release.id) await recordDone(session, KEY, { number: number + 1, release: '' });`,
    instead: '',
    breaks: ['l'],
    seeds: [],
    stories: [
      {
        seed: 3,
        layers: true,
        runs: [{}, { force: true, crash: DIES_BACK_IN_SECOND }, { command: 'heal' }, {}],
      },
    ],
  },
];
