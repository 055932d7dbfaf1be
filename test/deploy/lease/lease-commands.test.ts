/** The lock's process, guard and status, as a droplet's shell runs them. */
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  asHolder,
  breakLeaseCommand,
  leaseStatusCommand,
  NOT_HOLDER,
  readHolder,
} from '../../../src/deploy/lease/lease-commands.js';
import { answer, answerOf, Droplet, end, holderOf } from './lock-shell.js';

let droplet: Droplet;
beforeEach(() => {
  droplet = new Droplet();
});
afterEach(() => droplet.stop());

const record = () => join(droplet.locks, 'app-shop.holder');
const oldFolder = () => join(droplet.root.home, 'do-deploy/shop/lease');

/** As versions before the shared lock folder take theirs. */
function holdAsOldVersion(run: string) {
  mkdirSync(oldFolder(), { recursive: true });
  return droplet.start(
    `cd ${oldFolder()}; exec 9>>lock; flock -n 9 || exit 75
    printf '%s\\n' '${JSON.stringify(holderOf(run))}' >holder; echo $$ >pid; echo held; read -r line 9>&-`,
  );
}

describe('the lock', () => {
  it('is one for all apps that leave rotation together, and one each for the others', async () => {
    const shop = droplet.hold(holderOf('shop’s'));
    expect(await answerOf(shop)).toBe('held');
    expect(await answerOf(droplet.hold(holderOf('another')))).toBe('busy shop’s');
    const blog = holderOf('blog’s', { app: 'blog' });
    expect(await answerOf(droplet.hold(blog)), 'behind the same balancer').toBe('busy shop’s');
    const alone = droplet.hold(blog, { rotation: false });
    expect(await answerOf(alone), 'a droplet by itself').toBe('held');
    await end(alone);
    expect(await end(shop)).toBe(0);
    expect(await answerOf(droplet.hold(blog)), 'after the end of the other').toBe('held');
  });

  it('is the same whichever user logs in', async () => {
    const user = droplet.addUser('deploy');
    expect(await answerOf(droplet.hold(holderOf('as root')))).toBe('held');
    expect(await answerOf(droplet.hold(holderOf('as deploy'), { user }))).toBe('busy as root');
  });

  it('is not taken while a run of an earlier version holds its own', async () => {
    const old = holdAsOldVersion('old');
    expect(await answer(old)).toBe('held');
    expect(await answerOf(droplet.hold(holderOf('new')))).toBe('busy old');
    await end(old);
    expect(await answerOf(droplet.hold(holderOf('new')))).toBe('held');
    expect(await answer(holdAsOldVersion('old again'))).toBe('');
  });

  it('is free when its process is killed, and names the next run', async () => {
    const first = droplet.hold(holderOf('first'));
    expect(await answerOf(first)).toBe('held');
    first.kill('SIGKILL');
    await once(first, 'exit');
    expect(await answerOf(droplet.hold(holderOf('second')))).toBe('held');
    expect(await answerOf(droplet.hold(holderOf('third')))).toBe('busy second');
  });

  it('never names the run before, while the one that holds it has not written its record yet', async () => {
    const before = droplet.hold(holderOf('before'));
    await answer(before);
    await end(before);
    const winner = droplet.start(
      `exec 9>>"$DO_DEPLOY_LOCK_DIR"/app-shop.lock; flock -n 9; echo held; read -r line 9>&-`,
    );
    expect(await answer(winner)).toBe('held');
    expect(await answerOf(droplet.hold(holderOf('loser')))).toBe('busy');
    expect(droplet.run(leaseStatusCommand('shop').script)).toMatchObject({ code: 0, stdout: 'held \n' });
  });

  it('names a run that writes its record a moment later', async () => {
    const loser = droplet.addUser('loser');
    const winner = droplet.hold(holderOf('winner'), { before: 'touch() { sleep 0.5; command touch "$@"; }\n' });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await answerOf(droplet.hold(holderOf('loser'), { user: loser }))).toBe('busy winner');
    expect(await answerOf(winner)).toBe('held');
  });

  it('keeps any name byte for byte, also one that echo would change', async () => {
    const who = String.raw`CORP\ann \c \0101 'x' "y" $HOME %s`;
    const first = droplet.hold(holderOf('first', { who }));
    expect(await answer(first)).toBe('held');
    expect(readHolder(await answer(droplet.hold(holderOf('second'))))).toEqual(holderOf('first', { who }));
    expect(readHolder(droplet.run(leaseStatusCommand('shop').script).stdout)?.who).toBe(who);
  });

  it.each([
    ['nothing can be written', "trap '' XFSZ; ulimit -f 0\n"],
    ['the record is another one after it was written', 'mv() { :; }\n'],
  ])('is not answered as held when %s', async (_, before) => {
    const child = droplet.hold(holderOf('first'), { before });
    expect(await answer(child)).not.toBe('held');
    expect(await end(child)).not.toBe(0);
  });
});

describe('a lock that is taken again', () => {
  const again = (run = 'first') => droplet.hold(holderOf(run), { again: true });

  beforeEach(async () => {
    const first = droplet.hold(holderOf('first'));
    await answer(first);
    await end(first);
  });

  it('is held as before when no other run had it', async () => {
    expect(await answerOf(again())).toBe('held');
  });

  it('is lost to a run that had it in between, and stays lost', async () => {
    const other = droplet.hold(holderOf('other'));
    await answer(other);
    await end(other);
    expect(await answerOf(again())).toBe('lost other');
    expect(await answerOf(again())).toBe('lost other');
    expect(readHolder(readFileSync(record(), 'utf8').split('\n')[0] ?? '')?.run).toBe('other');
  });

  it('is lost to a run of an earlier version, and to one of another app that shares the balancer', async () => {
    const old = holdAsOldVersion('old');
    await answer(old);
    await end(old);
    expect(await answerOf(again())).toBe('lost old');

    const third = droplet.hold(holderOf('third'));
    await answer(third);
    await end(third);
    const blog = droplet.hold(holderOf('blog’s', { app: 'blog' }));
    await answer(blog);
    await end(blog);
    expect(await answerOf(again('third'))).toBe('lost blog’s');
  });

  it.each([
    ['missing', () => rmSync(record())],
    ['empty', () => writeFileSync(record(), '')],
    ['cut short', () => writeFileSync(record(), '{"run":"first')],
    ['of a run whose name begins the same', () => writeFileSync(record(), '{"run":"first and more","who":"x"}\n')],
    [
      'a folder',
      () => {
        rmSync(record());
        mkdirSync(record());
      },
    ],
  ])('is lost when its record is %s', async (_, damage) => {
    damage();
    expect(await answer(again())).toMatch(/^lost /);
  });
});

describe('the line of a command that changes a droplet', () => {
  const guard = (run: string, user = droplet.root) => droplet.run(`set -eu\n${asHolder('shop', run)}\necho done`, user);
  const DONE = { code: 0, stdout: 'done\n', stderr: '' };
  const REFUSED = { code: NOT_HOLDER, stdout: '', stderr: 'another run has taken the lock\n' };
  const RUN = String.raw`deploy 20261121T074500Z-v1 CORP\ann "x" it's [a-z]*`;

  beforeEach(async () => {
    await answer(droplet.hold(holderOf(RUN)));
  });

  it('lets the holder pass', () => {
    expect(guard(RUN)).toEqual(DONE);
  });

  it.each(['deploy', RUN.slice(0, -1), `${RUN} more`, '', 'a', RUN.replace('[a-z]*', 'b')])('refuses %j', (run) => {
    expect(guard(run)).toEqual(REFUSED);
  });

  it('refuses a run that only stands somewhere in the record', () => {
    const text = JSON.stringify({ run: 'other', who: `","run":${JSON.stringify(RUN)},"`, release: '', since: '' });
    writeFileSync(record(), `${text}\n1\n\n`);
    expect(guard(RUN)).toEqual(REFUSED);
  });

  it.each(['shared', 'old'])('refuses when the %s record is missing, empty or another run’s', (which) => {
    const file = which === 'shared' ? record() : join(oldFolder(), 'holder');
    for (const damage of [() => writeFileSync(file, ''), () => rmSync(file)]) {
      damage();
      expect(guard(RUN)).toEqual(REFUSED);
    }
    writeFileSync(file, `${JSON.stringify(holderOf('other'))}\n`);
    expect(guard(RUN)).toEqual(REFUSED);
  });

  it('refuses when another app has taken the droplet’s rotation', () => {
    writeFileSync(join(droplet.locks, 'rotation.holder'), `${JSON.stringify(holderOf('other'))}\n`);
    expect(guard(RUN)).toEqual(REFUSED);
  });

  it('refuses when the lock folder is gone', () => {
    rmSync(droplet.locks, { recursive: true });
    expect(guard(RUN)).toEqual(REFUSED);
  });
});

describe('the status and the breaking of a lock', () => {
  const status = () => droplet.run(leaseStatusCommand('shop').script);
  const breakIt = () => droplet.run(breakLeaseCommand('shop', holderOf('break', { broke: true })).script);

  it('is free where nothing was ever deployed, and after a run', async () => {
    expect(status()).toMatchObject({ code: 0, stdout: 'free\n' });
    expect(breakIt()).toMatchObject({ code: 0, stdout: 'free\n' });
    const first = droplet.hold(holderOf('first'));
    await answer(first);
    expect(status().stdout).toBe(`held ${JSON.stringify(holderOf('first'))}\n`);
    await end(first);
    expect(status()).toMatchObject({ code: 0, stdout: 'free\n' });
  });

  it('fails when the lock cannot be read, rather than call it free', () => {
    mkdirSync(join(droplet.locks, 'app-shop.lock/x'), { recursive: true });
    rmSync(droplet.locks, { recursive: true });
    writeFileSync(droplet.locks, '');
    mkdirSync(join(oldFolder()), { recursive: true });
    writeFileSync(join(oldFolder(), 'lock'), '');
    const flock = 'flock() { return 66; }\n';
    expect(droplet.run(`${flock}${leaseStatusCommand('shop').script}`)).toMatchObject({ code: 66, stdout: '' });
  });

  it('ends the process that holds the lock, which the broken run cannot take again', async () => {
    const first = droplet.hold(holderOf('first'));
    await answer(first);
    const ended = once(first, 'exit');
    expect(breakIt()).toMatchObject({ code: 0, stdout: 'broken\n' });
    await ended;
    expect(status().stdout).toBe('free\n');
    expect(await answerOf(droplet.hold(holderOf('first'), { again: true }))).toBe('lost break');
  });

  it('ends a run of an earlier version', async () => {
    const old = holdAsOldVersion('old');
    await answer(old);
    expect(status().stdout).toContain('"run":"old"');
    const ended = once(old, 'exit');
    expect(breakIt().stdout).toBe('broken\n');
    await ended;
    expect(status().stdout).toBe('free\n');
  });

  it('never ends a process whose number a dead run has left behind', async () => {
    const bystander = droplet.start('echo held; read -r line');
    await answer(bystander);
    writeFileSync(record(), `${JSON.stringify(holderOf('dead'))}\n${bystander.pid}\n\n`);
    const winner = droplet.start(
      `exec 9>>"$DO_DEPLOY_LOCK_DIR"/app-shop.lock; flock -n 9; echo held; read -r line 9>&-`,
    );
    await answer(winner);
    expect(breakIt()).toMatchObject({ code: 1, stderr: expect.stringContaining('has just started') });
    expect(bystander.exitCode).toBeNull();
    expect(readFileSync(record(), 'utf8')).toContain('"run":"dead"');
    expect(existsSync(`${record()}.broken`)).toBe(false);
  });

  it('reads only the first line of a record', () => {
    appendFileSync(record(), `${JSON.stringify(holderOf('first'))}\n1\nrotation\n`);
    expect(status().stdout).toBe('free\n');
  });
});
