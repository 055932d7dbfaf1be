import { expect, it } from 'vitest';
import type { DeployPorts } from '../../../src/deploy/core/deploy-ports.js';
import { runSession, type SessionOptions } from '../../../src/deploy/session/session.js';
import checklist from '../../../src/layers/checklist.js';
import { handlersOf } from '../../../src/layers/handlers.js';
import type { DeployResult, RollingCommand } from '../../../src/rollout/model.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const ITEMS = [
  { name: 'snapshot', ask: 'Taken?' },
  { name: 'announced', ask: 'Announced?', on: 'deploy' },
  { name: 'flag', ask: 'Is the flag on?', on: 'post_deploy' },
];

/** Begins a run that would succeed. */
async function begin({ command = 'deploy', lacking = [], ...more }: Partial<SessionOptions> & Begun) {
  const clock = new VirtualClock();
  const ports = { clock, reporter: { report: () => {} } } as unknown as DeployPorts;
  const never = new AbortController().signal;
  const options = {
    settings: { app: 'shop', environment: 'production' },
    deployer: { who: 'ann@desk' },
    interrupted: never,
    aborted: never,
    handlers: handlersOf(checklist, checklist.config.parse(ITEMS), {}),
    lacks: (name: string) => lacking.includes(name),
    ...more,
  } as unknown as SessionOptions;
  const release = { id: 'v2', imageTag: 'v2' };
  const done: DeployResult = { outcome: 'succeeded', release, rows: [], durationMs: 0, summary: '' };
  let began = false;
  const ended = runSession(command, ports, options, release, async () => {
    began = true;
    return done;
  });
  await clock.run(ended);
  return { began, error: (await ended).error };
}

interface Begun {
  command?: RollingCommand;
  lacking?: readonly string[];
}

it('items of every event are refused before anything begins, with one line that confirms them all', async () => {
  expect(await begin({ lacking: ['snapshot', 'flag'] })).toEqual({
    began: false,
    error: expect.objectContaining({
      code: 'layer-failed',
      source: 'user',
      message: 'snapshot, flag are not confirmed, and no user can be asked.',
      hint: 'Run again with: do-deploy production v2 --confirm snapshot --confirm flag',
    }),
  });
});

it('nothing is refused where all are confirmed, or are not asked', async () => {
  const passes = { began: true, error: undefined };
  expect(await begin({})).toEqual(passes);
  expect(await begin({ lacking: ['flag'], command: 'rollback' }), 'another command').toEqual(passes);
  expect(await begin({ lacking: ['flag'], part: { canary: 1 } }), 'a part of the fleet').toEqual(passes);
  expect(await begin({ lacking: ['announced'], part: { canary: 1 } })).toMatchObject({ began: false });
});
