import { describe, expect, it } from 'vitest';
import type { Member } from '../../../src/deploy/droplet/member.js';
import { oneOffProgram } from '../../../src/deploy/operate/program-commands.js';
import { codeOfSignal, runProgram, signalOf } from '../../../src/deploy/operate/run-program.js';
import type { StoredRelease } from '../../../src/deploy/release/stored-release.js';
import type { Connection, ProgramEnd, ProgramStreams, RunningProgram } from '../../../src/ports.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const release = { id: 'r1', app: 'shop', environment: 'production', imageTag: 'v1' } as StoredRelease;
const placed = oneOffProgram(
  { ...release, composeFiles: [], envFiles: [], images: {}, services: [] } as unknown as StoredRelease,
  { service: 'app', words: ['x'], name: 'shop-app-run-1', who: 'ann', skipEntrypoint: false, terminal: undefined },
);

/** A droplet that writes down what is asked of it. */
function droplet(end: Promise<ProgramEnd>) {
  const log: string[] = [];
  let print: ProgramStreams['stdout'] = () => {};
  const program: RunningProgram = {
    resize: ({ columns, rows }) => void log.push(`resize ${columns}x${rows}`),
    signal: async (name) => void log.push(`signal ${name}`),
    abandon: () => void log.push('abandon'),
    ended: end,
  };
  const connection = {
    hold: async () => ({
      write: (line: string) => void log.push(line),
      nextLine: async () => 'watching',
      ended: new Promise(() => {}),
      close: async () => void log.push('close'),
    }),
    start: async (_: unknown, { stdout }: ProgramStreams) => {
      log.push('start');
      print = stdout;
      return program;
    },
    run: async ({ args }: { args: { signal?: string } }) => {
      log.push(`kill ${args.signal}`);
      return { code: 0, stdout: '', stderr: '' };
    },
  } as unknown as Connection;
  return { log, member: { connection } as Member, print: (text: string) => print(Buffer.from(text)) };
}

const streams = { stdout() {}, stderr() {} };

function wishing() {
  const [interrupted, aborted] = [new AbortController(), new AbortController()];
  const wishes = { interrupted: interrupted.signal, aborted: aborted.signal, begin() {} };
  return { interrupted, aborted, wishes };
}

describe('a program on a droplet', () => {
  it('is watched from before its start until after its end', async () => {
    const clock = new VirtualClock({ start: 0 });
    const { log, member } = droplet(clock.sleep(40_000).then(() => ({ code: 7 })));
    expect(await clock.run(runProgram(clock, member, placed, streams, wishing().wishes))).toBe(7);
    expect(log).toEqual(['beat', 'start', 'beat', 'beat', 'bye', 'close']);
  });

  it('gets the signal that interrupts, and is killed by the second', async () => {
    const clock = new VirtualClock({ start: 0 });
    const { log, member } = droplet(new Promise(() => {}));
    const { interrupted, aborted, wishes } = wishing();
    const story = async () => {
      const running = runProgram(clock, member, placed, streams, wishes);
      await clock.sleep(100);
      interrupted.abort('SIGTERM');
      await clock.sleep(100);
      aborted.abort('SIGINT');
      return await running;
    };
    expect(await clock.run(story())).toBe(130);
    expect(log.filter((line) => line !== 'beat')).toEqual([
      'start',
      'kill TERM',
      'kill KILL',
      'abandon',
      'bye',
      'close',
    ]);
  });

  it('has the exit code of a shell where a signal ended it', async () => {
    const clock = new VirtualClock({ start: 0 });
    const { member } = droplet(Promise.resolve({ signal: 'SIGTERM' }));
    expect(await clock.run(runProgram(clock, member, placed, streams, wishing().wishes))).toBe(143);
    expect([codeOfSignal('SIGINT'), signalOf('SIGHUP'), signalOf(new Error('x'))]).toEqual([130, 'HUP', 'TERM']);
  });

  it('follows the size of the terminal while it runs', async () => {
    const clock = new VirtualClock({ start: 0 });
    const { log, member } = droplet(clock.sleep(1_000).then(() => ({ code: 0 })));
    let changed = () => {};
    let columns = 80;
    const terminal = {
      type: 'xterm',
      size: () => ({ columns, rows: 24 }),
      onResize(listener: () => void) {
        changed = listener;
        return () => {
          changed = () => {};
        };
      },
    };
    const story = async () => {
      const running = runProgram(clock, member, placed, streams, wishing().wishes, terminal);
      await clock.sleep(10);
      columns = 120;
      changed();
      await running;
      changed();
    };
    await clock.run(story());
    expect(log.filter((line) => line.startsWith('resize'))).toEqual(['resize 120x24']);
  });
  it('repeats the size of the terminal once it prints: Docker may have told it too early', async () => {
    const clock = new VirtualClock({ start: 0 });
    const { log, member, print } = droplet(clock.sleep(1000).then(() => ({ code: 0 })));
    const terminal = { type: 'xterm', size: () => ({ columns: 80, rows: 24 }), onResize: () => () => {} };
    const story = async () => {
      const running = runProgram(clock, member, placed, streams, wishing().wishes, terminal);
      await clock.sleep(10);
      expect(log).not.toContain('resize 80x24');
      await print('# ');
      await print('x');
      await running;
    };
    await clock.run(story());
    expect(log.filter((line) => line.startsWith('resize'))).toEqual(['resize 80x25', 'resize 80x24']);
  });
});
