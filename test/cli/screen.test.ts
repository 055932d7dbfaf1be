/** The process's standard streams: questions, and output that cannot be written. */
import { PassThrough, Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { OutputGone, Screen } from '../../src/cli/screen.js';

function terminal(isTTY: { stdin: boolean; stdout: boolean } = { stdin: true, stdout: true }) {
  const stdin = Object.assign(new PassThrough(), { isTTY: isTTY.stdin });
  const stdout = Object.assign(new PassThrough(), { isTTY: isTTY.stdout });
  return { stdin, stdout, screen: new Screen({ stdin, stdout, stderr: new PassThrough() }) };
}

describe('a question', () => {
  it.each([
    [true, true, true],
    [false, true, false],
    [true, false, false],
  ])('can be answered when stdin is a terminal: %s, and stdout: %s', (stdin, stdout, isInteractive) => {
    expect(terminal({ stdin, stdout }).screen.isInteractive).toBe(isInteractive);
  });

  it.each([
    ['y\n', true],
    ['YES\n', true],
    [' y \n', true],
    ['\n', false],
    ['n\n', false],
    ['yeah, no\n', false],
  ])('answered %j is %s', async (typed, answer) => {
    const { stdin, stdout, screen } = terminal();
    const asked = screen.ask('Deploy shop v2 to production?');
    stdin.write(typed);
    expect(await asked).toBe(answer);
    expect(String(stdout.read())).toContain('Deploy shop v2 to production? [y/N] ');
  });

  it.each([
    ['Ctrl-D', (stdin: PassThrough) => stdin.end()],
    ['Ctrl-C', (stdin: PassThrough) => stdin.write('\x03')],
  ])('answered by %s is no', async (_, type) => {
    const { stdin, screen } = terminal();
    const asked = screen.ask('Deploy?');
    type(stdin);
    expect(await asked).toBe(false);
  });
});

describe('a question that is withdrawn', () => {
  it.each(['before it was asked', 'while it waits'])('%s is answered no', async (when) => {
    const { screen } = terminal();
    const withdraw = new AbortController();
    if (when === 'before it was asked') withdraw.abort();
    const asked = screen.ask('Snapshot taken?', withdraw.signal);
    withdraw.abort();
    expect(await asked).toBe(false);
  });
});

describe('output that cannot be written', () => {
  const failing = (code: string) =>
    new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error(`write ${code}`), { code })),
    });
  const screenOn = (stdout: Writable, stderr: Writable = new PassThrough()) =>
    new Screen({ stdin: new PassThrough(), stdout, stderr });

  it('is reported at the end, once everything has been tried', async () => {
    const screen = screenOn(failing('ENOSPC'));
    screen.write('a');
    screen.write('b');
    expect(await screen.finish()).toMatchObject({ code: 'ENOSPC' });
  });

  it('is no failure when its reader went away, before or while it is written', async () => {
    const gone = new PassThrough();
    const screens = [screenOn(failing('EPIPE')), screenOn(gone)];
    gone.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    for (const screen of screens) {
      screen.write('a');
      screen.write('b');
      expect(await screen.finish()).toBeUndefined();
    }
  });

  it('on standard error is no failure: there is no place left to report it', async () => {
    const screen = screenOn(new PassThrough().resume(), failing('ENOSPC'));
    screen.writeError('a');
    expect(await screen.finish()).toBeUndefined();
  });
});

describe('the streams of a program that runs elsewhere', () => {
  function withKeys() {
    const modes: boolean[] = [];
    const { stdin, stdout, screen } = terminal();
    Object.assign(stdin, { setRawMode: (isRaw: boolean) => modes.push(isRaw) });
    return { modes, stdout, io: screen.programIO() };
  }

  it('give the terminal back once, with a drawing that was cut undone', () => {
    const { modes, stdout, io } = withKeys();
    const restore = io.takeKeys();
    expect(modes).toEqual([true]);
    restore({ wasCut: true });
    restore();
    expect(modes).toEqual([true, false]);
    expect(String(stdout.read())).toContain('\x1b[?1049l');
    const again = withKeys();
    again.io.takeKeys()({ wasCut: false });
    expect(again.modes).toEqual([true, false]);
    expect(again.stdout.read()).toBeNull();
  });

  it('give the terminal back at the end of the process, whatever ends it', () => {
    const before = process.listeners('exit');
    const { modes, io } = withKeys();
    io.takeKeys();
    const added = process.listeners('exit').filter((listener) => !before.includes(listener));
    expect(added).toHaveLength(1);
    for (const listener of added) listener(1);
    expect(modes).toEqual([true, false]);
    expect(process.listeners('exit')).toEqual(before);
  });

  it('let the program wait for a slow reader, and say when there is none', async () => {
    let release = () => {};
    const written: string[] = [];
    const slow = new Writable({
      highWaterMark: 4,
      write(chunk, _encoding, done) {
        written.push(String(chunk));
        release = done;
      },
    });
    const screen = new Screen({ stdin: new PassThrough(), stdout: slow, stderr: new PassThrough() });
    const io = screen.programIO();
    const waiting = io.stdout('12345');
    expect(waiting).toBeInstanceOf(Promise);
    release();
    await waiting;
    expect(written).toEqual(['12345']);
    const second = io.stdout('67890');
    slow.destroy();
    await expect(second).rejects.toThrow(OutputGone);
    expect(() => io.stdout('x')).toThrow(OutputGone);
  });
});
