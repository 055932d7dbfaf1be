import { describe, expect, it } from 'vitest';
import { clientOf, command, failureOf, startServer } from './ssh-fixture.js';

async function connected() {
  const server = await startServer();
  return { server, connection: await clientOf(server).connect() };
}

describe('a held process', () => {
  it('exchanges lines until its input is closed', async () => {
    const { connection } = await connected();
    const held = await connection.hold(command('echo held; while read -r line; do echo "got $line"; done; echo bye'));
    expect(await held.nextLine(10_000)).toBe('held');
    held.write('beat');
    held.write('größer');
    expect(await held.nextLine(10_000)).toBe('got beat');
    expect(await held.nextLine(10_000)).toBe('got größer');
    await held.close();
    expect(await held.nextLine(10_000)).toBe('bye');
    expect(await held.nextLine(10_000)).toBeUndefined();
    expect(await held.ended).toEqual({ code: 0, reason: 'it ended with exit code 0' });
  });

  it('reads its initial input, and a last line without a line break counts', async () => {
    const { connection } = await connected();
    const held = await connection.hold(command('read -r line; printf "%s" "$line"', { stdin: 'first\n' }));
    expect(await held.nextLine(10_000)).toBe('first');
    expect(await held.nextLine(10_000)).toBeUndefined();
  });

  it('reports its exit code and its error output', async () => {
    const { connection } = await connected();
    const held = await connection.hold(command('echo "no flock here" >&2; exit 69'));
    expect(await held.ended).toEqual({ code: 69, reason: 'it ended with exit code 69: no flock here' });
    held.write('too late');
  });

  it('is an error for the waiting reader when it prints nothing', async () => {
    const { connection } = await connected();
    const held = await connection.hold(command('cat'));
    expect(await failureOf(held.nextLine(50))).toMatchObject({ code: 'ssh-timeout', droplet: 'web-1' });
    held.write('awake');
    expect(await held.nextLine(10_000)).toBe('awake');
  });

  it('has no exit code when the connection is lost, and wakes a waiting reader', async () => {
    const { server, connection } = await connected();
    const held = await connection.hold(command('echo held; cat'));
    expect(await held.nextLine(10_000)).toBe('held');
    const waiting = held.nextLine(10_000);
    server.drop('reset');
    expect(await waiting).toBeUndefined();
    const { code, reason } = await held.ended;
    expect(code).toBeUndefined();
    expect(reason).toContain('the connection was lost');
    held.write('too late');
    await held.close();
  });

  it('is closed after one second when it ignores the end of its input', async () => {
    const { connection } = await connected();
    const held = await connection.hold(command('echo held; while :; do sleep 0.05; done'));
    expect(await held.nextLine(10_000)).toBe('held');
    await held.close();
    expect((await held.ended).code).toBeUndefined();
  });

  it('is ended when it prints without end', async () => {
    const { connection } = await connected();
    const held = await connection.hold(command('yes; exit 1'));
    const { code, reason } = await held.ended;
    expect({ code, reason }).toEqual({ code: undefined, reason: 'it printed far more than expected' });
    expect(await connection.run(command('echo ok'))).toMatchObject({ stdout: 'ok\n' });
  });

  it('does not count towards the sessions of commands', async () => {
    const { connection } = await connected();
    const held = await connection.hold(command('cat'));
    const results = await Promise.all(Array.from({ length: 9 }, () => connection.run(command('echo ok'))));
    expect(results.every(({ stdout }) => stdout === 'ok\n')).toBe(true);
    held.write('still here');
    expect(await held.nextLine(10_000)).toBe('still here');
  });
});
