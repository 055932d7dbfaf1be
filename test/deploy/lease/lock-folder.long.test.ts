/** The lock folder as different users of a droplet find and create it. Other users need root: elsewhere it is skipped. */
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  asHolder,
  holdLeaseCommand,
  leaseStatusCommand,
  NOT_HOLDER,
} from '../../../src/deploy/lease/lease-commands.js';
import { answer, answerOf, Droplet, end, holderOf, type User } from './lock-shell.js';

/** Without names on this machine. */
const DOCKER_GROUP = 47_901;
const ANN = { uid: 47_911, gid: DOCKER_GROUP };
const BEN = { uid: 47_912, gid: DOCKER_GROUP };
const STRANGER = { uid: 47_913, gid: 47_913 };

describe.skipIf(process.getuid?.() !== 0)('the lock folder', () => {
  let droplet: Droplet;
  let ann: User;
  let ben: User;
  let stranger: User;
  beforeEach(() => {
    droplet = new Droplet(true);
    droplet.dockerSocket(DOCKER_GROUP);
    ann = droplet.addUser('ann', ANN);
    ben = droplet.addUser('ben', BEN);
    stranger = droplet.addUser('stranger', STRANGER);
  });
  afterEach(() => droplet.stop());

  const guard = (run: string, user: User) => droplet.run(`set -eu\n${asHolder('shop', run)}\n`, user).code;
  const users = () => ({ ann, ben, root: droplet.root });

  it.each([
    ['root', 'ann'],
    ['ann', 'root'],
    ['ann', 'ben'],
  ] as const)('is one for %s, who creates it, and %s', async (one, other) => {
    const first = droplet.hold(holderOf('first'), { user: users()[one] });
    expect(await answerOf(first)).toBe('held');
    expect(statSync(droplet.locks)).toMatchObject({ gid: DOCKER_GROUP, mode: 0o42770 });
    expect(await answerOf(droplet.hold(holderOf('second'), { user: users()[other] }))).toBe('busy first');
    expect(droplet.run(leaseStatusCommand('shop').script, users()[other]).stdout).toContain('"run":"first"');
    await end(first);

    expect(await answerOf(droplet.hold(holderOf('third'), { user: users()[other] }))).toBe('held');
    expect(guard('third', users()[other])).toBe(0);
    expect(guard('first', users()[one])).toBe(NOT_HOLDER);
    expect(await answerOf(droplet.hold(holderOf('first'), { user: users()[one], again: true }))).toBe('busy third');
  });

  it('is one for users who create it at the same moment', async () => {
    for (let round = 0; round < 5; round += 1) {
      rmSync(droplet.locks, { recursive: true, force: true });
      const holds = [ann, ben, droplet.root].map((user, index) => droplet.hold(holderOf(`run ${index}`), { user }));
      const answers = await Promise.all(holds.map(answerOf));
      expect(answers.filter((said) => said === 'held')).toHaveLength(1);
      const winner = answers.indexOf('held');
      // On a slow machine the winner may take more than 2 s to write its name.
      expect(answers.filter((said) => said === `busy run ${winner}` || said === 'busy')).toHaveLength(2);
      await Promise.all(holds.map(end));
    }
  });

  it('is closed to users who may not use Docker', async () => {
    expect(await answer(droplet.hold(holderOf('first')))).toBe('held');
    expect(droplet.run(`cat ${droplet.locks}/*; flock -n ${droplet.locks}/app-shop.lock true`, stranger).code).not.toBe(
      0,
    );
    expect(await answer(droplet.hold(holderOf('second'), { user: stranger }))).toBe(`closed ${droplet.locks}`);
  });

  it('is open to every user where Docker is', async () => {
    droplet.dockerSocket(DOCKER_GROUP, 0o666);
    const first = droplet.hold(holderOf('first'), { user: stranger });
    expect(await answerOf(first)).toBe('held');
    expect(await answerOf(droplet.hold(holderOf('second'), { user: ann }))).toBe('busy first');
    await end(first);
    expect(await answerOf(droplet.hold(holderOf('third')))).toBe('held');
  });

  const TRAPS: [string, (path: string) => void][] = [
    ['a folder', (path) => mkdirSync(path, { mode: 0o700 })],
    [
      'a folder open to all',
      (path) => {
        mkdirSync(path);
        chmodSync(path, 0o777);
      },
    ],
    ['a folder that is not empty', (path) => mkdirSync(join(path, 'app-shop.lock'), { recursive: true })],
    ['a file', (path) => writeFileSync(path, '', { mode: 0o600 })],
    ['a link to a folder of root', (path) => symlinkSync(droplet.root.home, path)],
    ['a broken link', (path) => symlinkSync('/nonexistent/x', path)],
  ];

  it.each(TRAPS)(
    'that a stranger has put there first as %s is replaced by root, and refused by others',
    async (_, set) => {
      set(droplet.locks);
      droplet.run(`chown -h ${STRANGER.uid}:${STRANGER.gid} ${droplet.locks}`);
      expect(await answer(droplet.hold(holderOf('first'), { user: ann }))).toBe(`foreign ${droplet.locks}`);
      expect(await answer(droplet.hold(holderOf('second')))).toBe('held');
      expect(statSync(droplet.locks)).toMatchObject({ uid: 0, gid: DOCKER_GROUP, mode: 0o42770 });
      expect(await answerOf(droplet.hold(holderOf('first'), { user: ann }))).toBe('busy second');
    },
  );

  it('that root replaces leads no write to where a stranger wants it', async () => {
    const victim = join(droplet.folder, 'victim');
    writeFileSync(victim, 'precious');
    mkdirSync(droplet.locks);
    for (const name of ['app-shop.lock', 'app-shop.holder', 'app-shop.holder.new', 'rotation.holder.new']) {
      symlinkSync(victim, join(droplet.locks, name));
    }
    chownSync(droplet.locks, STRANGER.uid, STRANGER.gid);
    expect(await answer(droplet.hold(holderOf('first')))).toBe('held');
    expect(readFileSync(victim, 'utf8')).toBe('precious');
  });

  it('that is gone while its lock is held refuses every change of the run', async () => {
    const first = droplet.hold(holderOf('first'), { user: ann });
    await answer(first);
    rmSync(droplet.locks, { recursive: true });
    expect(guard('first', ann)).toBe(NOT_HOLDER);
  });

  it.each(['shared', 'home'])('on a full disk (%s) leaves the lock to nobody', async (which) => {
    const before = droplet.hold(holderOf('before'), { user: ann });
    await answer(before);
    await end(before);
    const full = which === 'shared' ? droplet.locks : join(ann.home, 'do-deploy');
    // Only this process and its children see the mount; the lock files are there already, so that only writing fails.
    const script = `
      mount -t tmpfs -o size=64k tmpfs /mnt && cp -a ${full}/. /mnt/ && mount --bind /mnt ${full}
      chown --reference=${ann.home} ${full}; chmod 2770 ${full}
      cat /dev/zero >${full}/ballast 2>/dev/null
      exec setpriv --reuid ${ANN.uid} --regid ${ANN.gid} --clear-groups sh`;
    const { script: hold } = holdLeaseCommand('shop', holderOf('first'), { rotation: true });
    const child = droplet.start(`exec unshare --mount sh -c '${script} -c "$1"' sh "$1"`, { home: ann.home }, [hold]);
    const said = await answer(child);
    const code = await end(child);
    expect([said, code === 0]).toEqual(['', false]);
    expect(await answerOf(droplet.hold(holderOf('next'), { user: ann }))).toBe('held');
  });
});

it('a lock process that cannot find the group of Docker keeps the folder to its user', async () => {
  const droplet = new Droplet(true);
  const child = droplet.hold(holderOf('first'), { before: 'getent() { return 2; }\n' });
  expect(await answer(child)).toBe('held');
  expect(statSync(droplet.locks).mode & 0o7777).toBe(0o700);
  const ended = once(child, 'exit');
  child.stdin.end();
  expect(await ended).toEqual([0, null]);
  await droplet.stop();
});
