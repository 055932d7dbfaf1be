/** Command lines of the configuration on this machine: those of `secrets:`, and of gates. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { localCommands, runCommandLine, runEachOnce } from '../../src/adapters/command-line.js';
import type { LocalCommands } from '../../src/ports.js';

const OPTIONS = { cwd: '/', env: { PATH: process.env.PATH, GREETING: 'hello' }, timeoutMs: 60_000, maxBytes: 1000 };

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'do-deploy-command-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

it('a command runs in its folder and environment, without input', async () => {
  const cwd = folder();
  const end = await runCommandLine('cat; pwd; echo "$GREETING $HOME-"; echo oops >&2; exit 3', { ...OPTIONS, cwd });
  expect(end).toMatchObject({ kind: 'ended', code: 3, signal: null, stderr: 'oops\n' });
  expect('stdout' in end && end.stdout.toString()).toBe(`${cwd}\nhello -\n`);
});

it('a command that takes too long is killed with all that it started', async () => {
  const file = join(folder(), 'pid');
  const line = `sleep 600 & echo $! >${file}; echo half; wait`;
  const end = await runCommandLine(line, { ...OPTIONS, timeoutMs: 500 });
  expect(end).toMatchObject({ kind: 'timeout', stdout: Buffer.from('half\n') });
  const pid = readFileSync(file, 'utf8').trim();
  expect(spawnSync('ps', ['-o', 'stat=', '-p', pid], { encoding: 'utf8' }).stdout.trim()).toMatch(/^(Z.*)?$/);
});

/** What has left the group of the command, and its parent. */
const leaving = (folder: string) =>
  `setsid sh -c 'echo $$ >${folder}/session; exec sleep 600' & setsid -f sh -c 'echo $$ >${folder}/daemon; exec sleep 600'; until [ -s ${folder}/session ] && [ -s ${folder}/daemon ]; do sleep 0.05; done`;

async function expectGone(folder: string): Promise<void> {
  const pids = ['session', 'daemon'].map((name) => readFileSync(join(folder, name), 'utf8').trim());
  const states = () => pids.map((pid) => spawnSync('ps', ['-o', 'stat=', '-p', pid], { encoding: 'utf8' }).stdout);
  // A zombie waits for its parent.
  const running = () => states().filter((state) => /^[^Z\s]/.test(state));
  await expect.poll(running, { timeout: 20_000 }).toEqual([]);
}

describe.runIf(process.platform === 'linux')('a command that left children in sessions of their own', () => {
  it('is killed with them', async () => {
    const own = folder();
    expect(await runCommandLine(`${leaving(own)}; yes`, OPTIONS)).toMatchObject({ kind: 'too-large' });
    await expectGone(own);
  });

  it('is killed with them as a gate, when the rollout ends', async () => {
    const own = folder();
    const ended = new AbortController();
    const commands = localCommands('/', { PATH: process.env.PATH });
    const run = commands.run(`${leaving(own)}; touch ${own}/ready; sleep 600`, {
      variables: {},
      timeoutMs: 60_000,
      signal: ended.signal,
    });
    await expect.poll(() => existsSync(join(own, 'ready')), { timeout: 20_000 }).toBe(true);
    ended.abort();
    expect(await run).toMatchObject({ ok: false });
    await expectGone(own);
  });

  it.each([0, 1])('leaves none of them as a gate that has answered with exit code %i', async (code) => {
    const own = folder();
    const run = localCommands('/', { PATH: process.env.PATH }).run(`${leaving(own)}; exit ${code}`, {
      variables: {},
      timeoutMs: 60_000,
      signal: new AbortController().signal,
    });
    expect(await run).toEqual({ ok: code === 0, detail: `exit code ${code}` });
    await expectGone(own);
  });
});

it('a gate that has answered leaves no background process', async () => {
  const file = join(folder(), 'pid');
  const run = localCommands('/', { PATH: process.env.PATH }).run(`nohup sleep 600 & echo $! >${file}; echo fine`, {
    variables: {},
    timeoutMs: 60_000,
    signal: new AbortController().signal,
  });
  expect(await run).toEqual({ ok: true, detail: 'exit code 0: fine' });
  const pid = readFileSync(file, 'utf8').trim();
  const state = () => spawnSync('ps', ['-o', 'stat=', '-p', pid], { encoding: 'utf8' }).stdout.trim();
  await expect.poll(state, { timeout: 20_000 }).toMatch(/^(Z.*)?$/);
});

it('a command ends with its shell, though a daemon that it started keeps its output open', async () => {
  const file = join(folder(), 'pid');
  const end = await runCommandLine(`sleep 30 & echo $! >${file}; echo hello`, { ...OPTIONS, timeoutMs: 20_000 });
  const pid = Number(readFileSync(file, 'utf8'));
  onTestFinished(() => void process.kill(pid));
  expect(end).toMatchObject({ kind: 'ended', code: 0, stdout: Buffer.from('hello\n') });
  expect(() => process.kill(pid, 0)).not.toThrow();
});

it('a command that prints too much is killed', async () => {
  const end = await runCommandLine('yes', OPTIONS);
  expect(end.kind).toBe('too-large');
  expect('stdout' in end && end.stdout.length).toBe(1000);
});

it('a command that does not exist, or a folder that is gone, is an end of its own', async () => {
  await expect(runCommandLine('no-such-command', OPTIONS)).resolves.toMatchObject({ kind: 'ended', code: 127 });
  await expect(runCommandLine('true', { ...OPTIONS, cwd: '/no/such' })).resolves.toMatchObject({ kind: 'not-started' });
});

it('the same command runs once', async () => {
  const file = join(folder(), 'runs');
  const run = runEachOnce();
  const line = `echo run >>${file}; cat ${file}`;
  const ends = await Promise.all([run(line, OPTIONS), run(line, OPTIONS)]);
  ends.push(await run(line, OPTIONS));
  expect(ends.map((end) => 'stdout' in end && end.stdout.toString())).toEqual(['run\n', 'run\n', 'run\n']);
});

describe('commands of a rollout', () => {
  const run = async (line: string, options: Partial<Parameters<LocalCommands['run']>[1]> = {}) => {
    const given = { variables: {}, timeoutMs: 60_000, signal: new AbortController().signal, ...options };
    return await localCommands('/', { PATH: process.env.PATH, KEPT: 'yes' }).run(line, given);
  };

  it('get the environment that they may have, and variables besides', async () => {
    expect(await run('echo "$KEPT $ADDED $HOME$(pwd)"', { variables: { ADDED: 'too' } })).toEqual({
      ok: true,
      detail: 'exit code 0: yes too /',
    });
  });

  it('end with the last line of their output, or else of their standard error, cleaned', async () => {
    expect(await run('echo one; printf "\\033[31mtwo\\033[0m\\n\\n"; echo three >&2; exit 3')).toEqual({
      ok: false,
      detail: 'exit code 3: two',
    });
    expect(await run('echo three >&2; exit 1')).toEqual({ ok: false, detail: 'exit code 1: three' });
    expect(await run('false')).toEqual({ ok: false, detail: 'exit code 1' });
  });

  it('are ended with what they started, at the timeout and at the signal', async () => {
    expect(await run('sleep 600 & echo waiting; wait', { timeoutMs: 300 })).toEqual({
      ok: false,
      detail: 'it did not end within 0.3 s: waiting',
    });
    const ended = new AbortController();
    const running = run('sleep 600 & wait', { signal: ended.signal });
    ended.abort();
    expect(await running).toMatchObject({ ok: false });
    expect(await run('sleep 600', { signal: AbortSignal.abort() })).toMatchObject({ ok: false });
  });

  it.each(['no-such-command', './no-such-file', '/dev/null'])(
    'of which %s is none say that nothing was run',
    async (line) => {
      expect(await run(line)).toMatchObject({ ok: false, isUnusable: true });
      expect(await run('exit 125')).toEqual({ ok: false, detail: 'exit code 125' });
    },
  );

  it('may not print without end', async () => {
    expect(await run('yes')).toMatchObject({ ok: false, detail: expect.stringMatching(/^it printed more than 1 MiB/) });
  });
});
