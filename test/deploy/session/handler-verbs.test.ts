import { expect, it } from 'vitest';
import { type Member, NOTHING_KNOWN } from '../../../src/deploy/droplet/member.js';
import { verbsOf } from '../../../src/deploy/session/handler-verbs.js';
import type { Session } from '../../../src/deploy/session/session.js';
import type { RemoteCommand } from '../../../src/ports.js';
import { earlierRelease } from '../../simulation/project.js';

/** A session with one droplet, whose commands end with these codes. */
function sessionOf(codes: Readonly<Record<string, number>>): { session: Session; ran: RemoteCommand[] } {
  const ran: RemoteCommand[] = [];
  const run = async (command: RemoteCommand) => {
    ran.push(command);
    return { code: codes[command.name] ?? 0, stdout: '', stderr: codes[command.name] === 0 ? 'ended 0' : '' };
  };
  const member = {
    droplet: { id: 1 },
    host: { name: 'web-1', address: '203.0.113.1' },
    connection: { run },
    survey: NOTHING_KNOWN,
    containers: [{ service: 'worker', state: 'running' }],
    services: [],
  } as unknown as Member;
  const settings = { app: 'shop' };
  const session = {
    members: [member],
    goal: { release: earlierRelease('single', 'v1', 0) },
    run: { id: 'this run', settings, lease: { ensure: async () => {} } },
    options: { settings },
    made: '',
    skipped: [],
  } as unknown as Session;
  return { session, ran };
}

const never = new AbortController().signal;

it('a success that cannot be recorded is no failure of the migration, and says what to do', async () => {
  const { session } = sessionOf({ once: 74 });
  const { run } = verbsOf(session, 'deploy', {}, never);
  await expect(run('web', ['migrate'], { once: 'migrate' })).rejects.toMatchObject({
    code: 'not-recorded',
    message: 'It succeeded, but web-1 has no room to record that.',
    hint: "Free space, then run this again: it is not started a second time. ssh 203.0.113.1 df -h '~'",
  });
});

it('what is stopped before a droplet leaves is owed, and at other events it is not', async () => {
  const { session, ran } = sessionOf({});
  await verbsOf(session, 'before_leave', { droplet: 'web-1' }, never).process('worker', 'stop');
  await verbsOf(session, 'post_deploy', {}, never).process('worker', 'stop');
  await verbsOf(session, 'before_leave', { droplet: 'web-1' }, never).process('worker', 'restart');
  expect(ran.map(({ args }) => args.owed)).toEqual([true, false, false]);
  expect(ran.map(({ script }) => script.includes('>>handled'))).toEqual([true, false, false]);
  expect([...(session.members[0]?.handled?.keys() ?? [])]).toEqual(['worker']);
});

it.each([
  'start $ids; id >&2; :',
  'bogus',
  { stop: { graceMs: '1; id' } },
  { stop: { graceMs: -1 } },
  { signal: 'TERM; id' },
  { signal: 'TERM', graceMs: Number.NaN },
  undefined,
])('an action for processes that is none runs nothing: %j', async (action) => {
  const { session, ran } = sessionOf({});
  await expect(verbsOf(session, 'deploy', {}, never).process('worker', action as never)).rejects.toMatchObject({
    code: 'layer-misused',
    message: expect.stringContaining("is not an action for processes: 'start', 'restart', 'stop',"),
  });
  expect(ran).toEqual([]);
});
