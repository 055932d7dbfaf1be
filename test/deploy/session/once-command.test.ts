/** A container that runs once, in real shells: Docker is a folder, and a container a process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Done, readLine } from '../../../src/deploy/lease/done-commands.js';
import { settleEnded } from '../../../src/deploy/release/once-functions.js';
import {
  onceCommand,
  onceContainer,
  readEnd,
  type Spoken,
  spokenLines,
} from '../../../src/deploy/session/once-command.js';
import { oneOffCommand } from '../../../src/deploy/session/one-off-commands.js';
import { aRecord } from '../../support/records.js';
import { answer, Droplet, type Hold, holderOf, end as release } from '../lease/lock-shell.js';

vi.setConfig({ testTimeout: 60_000 });

/** What the command asks of `docker`. A container runs in a session of its own, as below Docker's daemon. */
const DOCKER = `#!/bin/sh
containers=$DOCKER/containers
case "$1 $*" in
  ps*)
    key=.* id= ended=
    for filter; do
      case $filter in
        label=do-deploy.one-off=*) key=\${filter##*=} ;;
        id=*) id=\${filter#id=} ;;
        status=exited) ended=yes ;;
      esac
    done
    [ ! -e "$DOCKER/down" ] || { echo 'Cannot connect to the Docker daemon' >&2; exit 1; }
    for one in "$containers"/*; do
      [ -z "$id" ] || [ "\${one##*/}" = "$id" ] || continue
      [ -z "$ended" ] || [ "$(cat "$one/status" 2>/dev/null)" = exited ] || continue
      ! grep -qx "do-deploy.one-off=$key" "$one/labels" 2>/dev/null || echo "\${one##*/}"
    done ;;
  version*) cat "$DOCKER/version" 2>/dev/null || echo 28.2.2 ;;
  inspect*one-off*) sed -n 's/^do-deploy.one-off=//p' "$containers/$4/labels" ;;
  inspect*)
    cd "$containers/$4" 2>/dev/null || exit 1
    of() { sed -n "s/^do-deploy.$1=//p" labels; }
    echo "$(of number) $(of release) $(cat status) /$4 $(of run)" ;;
  logs*)
    cd "$containers/$4" || exit 1
    shown=0
    while :; do
      last=$(cat status 2>/dev/null)
      # What is printed after its size was read comes with the next look.
      size=$(($(wc -c <log)))
      tail -c +$((shown + 1)) log | head -c $((size - shown)) | sed 's/^/2026-11-21T07:45:00.123456789Z /'
      shown=$size
      [ "$last" = running ] || break
      sleep 0.05
    done
    [ ! -e "$DOCKER/lost" ] || { echo 'Error response from daemon: context canceled' >&2; exit 1; } ;;
  wait*)
    cd "$containers/$2" 2>/dev/null || exit 1
    while [ "$(cat status)" = running ]; do sleep 0.05; done
    [ "$(cat status)" = created ] && echo 0 || cat code ;;
  rm*)
    shift; [ "$1" != -v ] || shift
    [ "$(cat "$containers/$1/status")" != running ] || exit 1
    rm -r "$containers/$1" ;;
  compose*)
    echo "$*" >>"$DOCKER/calls"
    labels=
    while [ "$1" != run ]; do shift; done
    shift
    while :; do
      case $1 in
        --label) labels="$labels$2
"; shift 2 ;;
        --name) name=$2; shift 2 ;;
        --interactive=false) [ ! -e "$DOCKER/old" ] || { echo 'unknown flag: --interactive' >&2; exit 1; }; shift ;;
        -*) shift ;;
        *) break ;;
      esac
    done
    shift
    mkdir "$containers/$name" || { echo "Conflict. The container name is already in use" >&2; exit 1; }
    cd "$containers/$name"
    printf %s "$labels" >labels
    : >log
    echo created >status
    command -v "$1" >/dev/null || { echo "exec: $1: not found" >&2; exit 127; }
    echo running >status
    # Of its own, like Docker's: no lock of a client is inherited.
    setsid sh -c 'trap "" PIPE; "$@" >log 2>&1 </dev/null; echo $? >code; echo exited >status' sh "$@" </dev/null >/dev/null 2>&1 7>&- 8>&- &
    echo "$name" ;;
  *) echo "docker $*" >&2; exit 125 ;;
esac
`;

/** Notes the keeper: what it runs has its process id as their group. */
const SETSID =
  '#!/bin/sh\ncase $* in *await_end*) echo $$ >"$DOCKER/keeper" ;; esac\nexec "$(PATH=$REAL_PATH command -v setsid)" "$@"\n';

/** Runs, named as they are. */
const A = 'ann@laptop 1234 2026-11-21T07:45:00.000Z';
const B = 'CI  job 7 2026-11-21T07:46:00.000Z';

const NAME = onceContainer('shop', 'migrate');

function speak(...output: string[]): Spoken[] {
  const reader = spokenLines();
  return [...output.flatMap((chunk) => reader.read(Buffer.from(chunk))), ...reader.end()];
}

describe.skipIf(process.platform !== 'linux')('a container that runs once', () => {
  let droplet: Droplet;
  let docker: string;
  let held: Hold | undefined;
  const children: ChildProcess[] = [];

  beforeEach(() => {
    droplet = new Droplet();
    held = undefined;
    docker = join(droplet.folder, 'docker');
    mkdirSync(join(docker, 'containers'), { recursive: true });
    mkdirSync(join(droplet.folder, 'bin'));
    for (const [name, script] of Object.entries({ docker: DOCKER, setsid: SETSID })) {
      writeFileSync(join(droplet.folder, 'bin', name), script);
      chmodSync(join(droplet.folder, 'bin', name), 0o755);
    }
    for (const id of ['r1', 'r2']) mkdirSync(join(folder(), 'releases', id), { recursive: true });
  });
  afterEach(async () => {
    writeFileSync(path('go'), '');
    for (const child of children.splice(0)) child.kill('SIGKILL');
    await droplet.stop();
  });

  const folder = () => join(droplet.root.home, 'do-deploy/shop');
  const path = (name: string) => join(docker, name);
  const recorded = () =>
    readLine(existsSync(join(folder(), 'done/migrate')) ? readFileSync(join(folder(), 'done/migrate'), 'utf8') : '');
  const text = (name: string) => (existsSync(path(name)) ? readFileSync(path(name), 'utf8') : '');
  const containers = () => droplet.run(`ls "${path('containers')}"`).stdout;

  /** Another run takes the lease: the one before is dead. */
  async function lease(run: string): Promise<void> {
    if (held !== undefined) await release(held);
    held = droplet.hold(holderOf(run));
    expect(await answer(held)).toBe('held');
  }

  /** Prints all the time, until it is told to end. */
  const migration = (code = 0) => [
    'sh',
    '-c',
    `echo ran >>${path('ran')}; until [ -e ${path('go')} ]; do echo migrating || exit 9; sleep 0.05; done; echo done; exit ${code}`,
  ];

  function start(run: string, { words = migration(), release: of = 'r1', number = 1 } = {}) {
    const done: Done = { number, release: of };
    const command = onceCommand(aRecord(of), run, { service: 'app', words, once: { key: 'migrate', done } });
    const child = spawn('sh', ['-c', `(\n${command.script}\n)`], {
      env: {
        PATH: `${join(droplet.folder, 'bin')}:${process.env.PATH}`,
        HOME: droplet.root.home,
        DO_DEPLOY_LOCK_DIR: droplet.locks,
        DOCKER: docker,
        REAL_PATH: process.env.PATH,
      },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.push(child);
    const reader = spokenLines();
    const said: Spoken[] = [];
    const output = { stdout: '', stderr: '' };
    const add = (lines: readonly Spoken[]) => {
      said.push(...lines);
      output.stdout += lines.map(({ text }) => `${text}\n`).join('');
    };
    child.stdout.on('data', (chunk) => add(reader.read(chunk)));
    child.stdout.on('end', () => add(reader.end()));
    const spoken = () => said;
    child.stderr.on('data', (chunk) => (output.stderr += chunk));
    const ended = new Promise<{ code: number | null; stdout: string; stderr: string; end: ReturnType<typeof readEnd> }>(
      (resolve) => child.on('close', (code) => resolve({ code, ...output, end: readEnd(output.stderr) })),
    );
    return { child, output, spoken, ended };
  }

  const soon = { timeout: 20_000, interval: 20 };
  const printed = (one: ReturnType<typeof start>, words: string) =>
    vi.waitFor(() => expect(one.output.stdout).toContain(words), soon);
  /** Once its session has begun. */
  const killKeeper = () =>
    vi.waitFor(() => {
      const keeper = Number(text('keeper'));
      expect(keeper).toBeGreaterThan(1);
      process.kill(-keeper, 'SIGKILL');
    }, soon);
  const gone = () => vi.waitFor(() => expect(containers()).toBe(''), soon);

  it('prints its output while it runs, is recorded and leaves nothing', async () => {
    await lease(A);
    const one = start(A);
    await printed(one, 'migrating\n');
    expect(text('containers/shop-migrate-once/labels').trim().split('\n')).toEqual([
      'do-deploy.one-off=migrate',
      'do-deploy.release=r1',
      `do-deploy.run=${A}`,
      'do-deploy.number=1',
    ]);
    writeFileSync(path('go'), '');
    const end = await one.ended;
    expect(end).toMatchObject({ code: 0, end: 0 });
    expect(end.stdout).toMatch(/^(migrating\n)+done\n$/);
    expect(recorded()).toEqual({ number: 1, release: 'r1' });
    expect(containers()).toBe('');
    expect(await start(A).ended).toMatchObject({ code: 0, end: 'before', stdout: '' });
    expect(text('ran')).toBe('ran\n');
  });

  it('has its own exit code, also where another one has a meaning for do-deploy', async () => {
    await lease(A);
    writeFileSync(path('go'), '');
    for (const code of [3, 74, 76])
      expect(await start(A, { words: migration(code) }).ended).toMatchObject({ code: 0, end: code });
    expect(recorded()).toBeUndefined();
    expect(containers()).toBe('');
  });

  it.each(['SIGKILL', 'SIGTERM'] as const)(
    'goes on after %s of everything at the other end, and is recorded',
    async (signal) => {
      await lease(A);
      const one = start(A);
      await printed(one, 'migrating\n');
      process.kill(-(one.child.pid ?? 0), signal);
      await one.ended;
      writeFileSync(path('go'), '');
      await vi.waitFor(() => expect(recorded()).toEqual({ number: 1, release: 'r1' }), soon);
      await gone();
      await lease(B);
      expect(await start(B).ended).toMatchObject({ end: 'before' });
      expect(text('ran')).toBe('ran\n');
    },
  );

  it('is not started again by the next run, which shows all of it and takes its exit code', async () => {
    await lease(A);
    const first = start(A, { words: migration(4) });
    await printed(first, 'migrating\n');
    process.kill(-(first.child.pid ?? 0), 'SIGKILL');
    await lease(B);
    const second = start(B);
    await printed(
      second,
      'waiting for the container shop-migrate-once, which an earlier run has started for r1\nmigrating\n',
    );
    writeFileSync(path('go'), '');
    expect(await second.ended).toMatchObject({ code: 0, end: 4 });
    expect(text('ran')).toBe('ran\n');
    await gone();
    expect(await start(B).ended, 'it has failed, so it runs again').toMatchObject({ end: 0 });
    expect(text('ran')).toBe('ran\nran\n');
  });

  it('is recorded by the next run when its keeper was killed too', async () => {
    await lease(A);
    const first = start(A);
    await printed(first, 'migrating\n');
    process.kill(-(first.child.pid ?? 0), 'SIGKILL');
    await killKeeper();
    writeFileSync(path('go'), '');
    await vi.waitFor(() => expect(text('containers/shop-migrate-once/status')).toBe('exited\n'), soon);
    expect(recorded()).toBeUndefined();
    await lease(B);
    expect(await start(B).ended).toMatchObject({ code: 0, end: 'before' });
    expect(recorded()).toEqual({ number: 1, release: 'r1' });
    expect(text('ran')).toBe('ran\n');
    expect(containers()).toBe('');
  });

  it('that has failed with nobody left to see it runs again', async () => {
    await lease(A);
    const first = start(A, { words: migration(4) });
    await printed(first, 'migrating\n');
    process.kill(-(first.child.pid ?? 0), 'SIGKILL');
    await killKeeper();
    writeFileSync(path('go'), '');
    await vi.waitFor(() => expect(text('containers/shop-migrate-once/status')).toBe('exited\n'), soon);
    await lease(B);
    expect(await start(B).ended).toMatchObject({ code: 0, end: 0 });
    expect(text('ran')).toBe('ran\nran\n');
  });

  it('says which lines are the program’s own', async () => {
    await lease(A);
    writeFileSync(path('lost'), '');
    const one = start(A, { words: ['sh', '-c', 'echo; echo column exists; exit 4'] });
    expect(await one.ended).toMatchObject({ end: 4 });
    expect(one.spoken().filter(({ text }) => text !== '')).toEqual([
      { text: 'column exists', speaker: 'program' },
      { text: 'Error response from daemon: context canceled', speaker: 'docker' },
    ]);
    expect(speak('waiting for the end of another one-off container of this app\n2026-11-21T07:45:00.1Z \n')).toEqual([
      { text: 'waiting for the end of another one-off container of this app', speaker: 'do-deploy' },
      { text: '', speaker: 'program' },
    ]);
  });

  describe('on a Docker that reports 0 of a container whose end it has not seen', () => {
    beforeEach(() => writeFileSync(path('version'), '24.0.2\n'));

    it('has succeeded where its keeper has seen its end', async () => {
      await lease(A);
      writeFileSync(path('go'), '');
      expect(await start(A).ended).toMatchObject({ code: 0, end: 0 });
      expect(recorded()).toEqual({ number: 1, release: 'r1' });
    });

    it.each([
      ['24.0.2', 'ran\nran\n'],
      ['24.0.1-1', 'ran\nran\n'],
      ['', 'ran\nran\n'],
      ['24.0.3', 'ran\n'],
      ['24.0.20', 'ran\n'],
    ])('has not where nobody has: with %s', async (version, ran) => {
      writeFileSync(path('version'), `${version}\n`);
      await lease(A);
      const first = start(A);
      await printed(first, 'migrating\n');
      process.kill(-(first.child.pid ?? 0), 'SIGKILL');
      await killKeeper();
      writeFileSync(path('go'), '');
      await vi.waitFor(() => expect(text('containers/shop-migrate-once/status')).toBe('exited\n'), soon);
      await lease(B);
      const second = await start(B).ended;
      expect(second).toMatchObject({ code: 0, end: ran === 'ran\n' ? 'before' : 0 });
      expect(text('ran')).toBe(ran);
      expect(second.stdout.includes('cannot tell how the container shop-migrate-once has ended')).toBe(ran !== 'ran\n');
    });
  });

  describe('is recorded before compose removes it as an orphan', () => {
    const settle = () =>
      droplet.run(
        `export PATH="${join(droplet.folder, 'bin')}:$PATH" DOCKER="${docker}"; cd "${folder()}" && ${settleEnded('shop')}`,
      );
    async function leave(code: number): Promise<void> {
      await lease(A);
      const first = start(A, { words: migration(code) });
      await printed(first, 'migrating\n');
      process.kill(-(first.child.pid ?? 0), 'SIGKILL');
      await killKeeper();
      expect(settle(), 'it runs').toMatchObject({ code: 0 });
      expect(recorded()).toBeUndefined();
      writeFileSync(path('go'), '');
      await vi.waitFor(() => expect(text('containers/shop-migrate-once/status')).toBe('exited\n'), soon);
    }

    it('when it has succeeded', async () => {
      await leave(0);
      expect(settle()).toMatchObject({ code: 0 });
      expect(recorded()).toEqual({ number: 1, release: 'r1' });
    });

    it('not when it has failed, nor when nobody knows', async () => {
      await leave(4);
      expect(settle()).toMatchObject({ code: 0 });
      expect(recorded()).toBeUndefined();
      writeFileSync(path('containers/shop-migrate-once/code'), '0\n');
      writeFileSync(path('version'), '24.0.2\n');
      expect(settle()).toMatchObject({ code: 0 });
      expect(recorded()).toBeUndefined();
    });

    it('or nothing is left of the attempt: the disk is full', async () => {
      await leave(0);
      // The move fails, once its file is there.
      mkdirSync(join(folder(), 'done/migrate/in-its-way'), { recursive: true });
      writeFileSync(join(droplet.folder, 'bin/mv'), '#!/bin/sh\nexit 1\n');
      chmodSync(join(droplet.folder, 'bin/mv'), 0o755);
      expect(settle().code).not.toBe(0);
      expect(readdirSync(join(folder(), 'done'))).toEqual(['migrate']);
    });

    it('or nothing is changed: the record cannot be written', async () => {
      await leave(0);
      writeFileSync(join(folder(), 'done'), 'in its way');
      expect(settle().code).not.toBe(0);
    });
  });

  it('that was created and never started is no success', async () => {
    await lease(A);
    writeFileSync(path('go'), '');
    await start(A).ended;
    droplet.run(
      `rm -r "${folder()}/done"; cd "${path('containers')}" && mkdir shop-migrate-once && cd shop-migrate-once && echo created >status && : >log`,
    );
    writeFileSync(
      path('containers/shop-migrate-once/labels'),
      `do-deploy.one-off=migrate\ndo-deploy.release=r1\ndo-deploy.run=${B}\ndo-deploy.number=1\n`,
    );
    expect(await start(A).ended).toMatchObject({ end: 0 });
    expect(text('ran')).toBe('ran\nran\n');
  });

  it('does not overwrite what was recorded later, however late its shell comes', async () => {
    await lease(A);
    const late = start(A);
    await printed(late, 'migrating\n');
    mkdirSync(join(folder(), 'done'), { recursive: true });
    writeFileSync(join(folder(), 'done/migrate'), '8 r2\n');
    writeFileSync(path('go'), '');
    expect(await late.ended).toMatchObject({ end: 0 });
    expect(recorded()).toEqual({ number: 8, release: 'r2' });
  });

  it('of another release is waited for, and then the record is read again', async () => {
    await lease(A);
    const first = start(A);
    await printed(first, 'migrating\n');
    process.kill(-(first.child.pid ?? 0), 'SIGKILL');
    await lease(B);
    const second = start(B, { release: 'r2', words: ['sh', '-c', 'exit 5'] });
    await printed(second, 'migrating\n');
    writeFileSync(path('go'), '');
    expect(await second.ended, 'nothing was started under the old number').toMatchObject({ end: 'again' });
    expect(recorded()).toEqual({ number: 1, release: 'r1' });
    expect(await start(B, { release: 'r2', number: 2 }).ended).toMatchObject({ end: 0 });
    expect(recorded()).toEqual({ number: 2, release: 'r2' });
  });

  it('that Docker cannot start is no success, and leaves nothing', async () => {
    await lease(A);
    expect(await start(A, { words: ['/no/such/program'] }).ended).toMatchObject({
      end: 127,
      stdout: 'exec: /no/such/program: not found\n',
    });
    expect(containers()).toBe('');
    expect(recorded()).toBeUndefined();
  });

  it('is not started while Docker does not answer, nor without the lease', async () => {
    await lease(A);
    writeFileSync(path('down'), '');
    expect(await start(A).ended).toMatchObject({ code: 1, end: undefined });
    rmSync(path('down'));
    expect(await start(B).ended).toMatchObject({ code: 76, end: undefined });
    expect(text('calls')).toBe('');
  });

  it('runs with a compose that lacks --interactive', async () => {
    await lease(A);
    writeFileSync(path('old'), '');
    writeFileSync(path('go'), '');
    expect(await start(A).ended).toMatchObject({ end: 0 });
    expect(text('ran')).toBe('ran\n');
  });

  it('that was done for the release before something else was done runs again', async () => {
    await lease(A);
    writeFileSync(path('go'), '');
    await start(A).ended;
    expect(await start(A, { number: 3 }).ended).toMatchObject({ end: 0 });
    expect(recorded()).toEqual({ number: 3, release: 'r1' });
  });
});

it('one-off containers are run with the profiles of the release', () => {
  const script = (profiles?: string[]) =>
    oneOffCommand({ ...aRecord('r1'), profiles }, 'a', { service: 'app', words: ['x'] }).script;
  expect(script(['web', 'worker'])).toMatch(/export DEPLOY_ENV=\S+ IMAGE_TAG=\S+ COMPOSE_PROFILES=web,worker && /);
  expect(script()).not.toContain('COMPOSE_PROFILES');
});

it('other one-off containers have labels of do-deploy, too, but no name', () => {
  const { script } = oneOffCommand(aRecord('r1'), 'a', { service: 'app', words: ['echo', "it's"] });
  expect(script).toContain(
    '--label do-deploy.one-off= --label do-deploy.release=r1 --label do-deploy.run=a --rm app echo',
  );
  expect(NAME).toBe('shop-migrate-once');
});
