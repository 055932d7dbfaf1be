import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { parseDropletFaults } from '../../src/sandbox/droplets/faults.js';
import { connectTo, ending, endOf, open, run, startDroplet } from './droplet-lab.js';
import { eventually } from './eventually.js';

describe('a droplet with a fault', () => {
  it('refuses connections, keeps open ones, and listens on the same port afterwards', async () => {
    const droplet = await startDroplet();
    const client = await connectTo(droplet);
    const port = droplet.sshPort;
    await droplet.setFaults({ ssh: 'refuse' });
    await expect(connectTo(droplet)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect((await run(client, 'echo alive')).stdout).toBe('alive\n');
    await droplet.clearFaults();
    expect(droplet.sshPort).toBe(port);
    await connectTo(droplet);
  });

  it('resets open connections', async () => {
    const droplet = await startDroplet();
    const client = await connectTo(droplet);
    const error = new Promise((resolve) => client.on('error', resolve));
    const ended = ending(await open(client, 'sleep 1000'));
    droplet.resetConnections();
    expect(await error).toMatchObject({ code: 'ECONNRESET' });
    expect((await ended).code).toBeNull();
    await connectTo(droplet);
  });

  it('falls silent, and resumes afterwards', async () => {
    const droplet = await startDroplet();
    const client = await connectTo(droplet);
    const channel = await open(client, 'read -r line; echo "heard $line"');
    const ended = ending(channel);
    await droplet.setFaults({ ssh: 'black-hole' });
    channel.write('hello\n');
    await expect(connectTo(droplet, { readyTimeout: 200 })).rejects.toMatchObject({ level: 'client-timeout' });
    await droplet.clearFaults();
    expect((await ended).stdout).toBe('heard hello\n');
  });

  it('does not notice a disconnect while it is silent', async () => {
    const droplet = await startDroplet();
    const client = await connectTo(droplet);
    const channel = await open(client, 'echo ready; cat >/dev/null; touch ended');
    await new Promise((resolve) => channel.once('data', resolve));
    await droplet.setFaults({ ssh: 'black-hole' });
    client.destroy();
    await droplet.setFaults({ ssh: 'up' });
    const again = await connectTo(droplet);
    await eventually(async () => (await run(again, 'ls ended')).code).toBe(0);
  });

  it('answers late', async () => {
    const droplet = await startDroplet();
    const client = await connectTo(droplet);
    await droplet.setFaults({ sshLatencyMs: 150 });
    const started = Date.now();
    await run(client, 'true');
    // Opening a channel and running the command take a round trip each.
    expect(Date.now() - started).toBeGreaterThanOrEqual(290);
  });

  it('starts commands late', async () => {
    const droplet = await startDroplet();
    const client = await connectTo(droplet);
    await droplet.setFaults({ execDelayMs: 200 });
    const started = Date.now();
    expect((await run(client, 'echo done')).stdout).toBe('done\n');
    expect(Date.now() - started).toBeGreaterThanOrEqual(190);
  });

  it('accepts no key', async () => {
    const droplet = await startDroplet();
    await droplet.setFaults({ authRefused: true });
    await expect(connectTo(droplet)).rejects.toMatchObject({ level: 'client-authentication' });
  });

  it('presents another host key, and its own again afterwards', async () => {
    const droplet = await startDroplet();
    const shown = async () => {
      let seen = '';
      await connectTo(droplet, {
        hostVerifier: (key: Buffer) => {
          seen = `ssh-ed25519 ${key.toString('base64')}`;
          return true;
        },
      });
      return seen;
    };
    await droplet.setFaults({ hostKeyChanged: true });
    const other = await shown();
    expect(other).not.toBe(droplet.hostKey);
    expect(await shown()).toBe(other);
    await droplet.clearFaults();
    expect(await shown()).toBe(droplet.hostKey);
  });

  it('has a full disk, which df reports', async () => {
    const droplet = await startDroplet();
    const client = await connectTo(droplet);
    await droplet.setFaults({ diskFull: true });
    const { code, stderr } = await run(client, 'echo text >file');
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/error|too large/i);
    const [, line = ''] = (await run(client, 'df -Pk .')).stdout.split('\n');
    expect(line.split(/ +/).slice(3, 5)).toEqual(['0', '100%']);
    await droplet.clearFaults();
    expect((await run(client, 'echo text >file && df -Pk .')).stdout).not.toContain('100%');
  });

  it('survives clients that disconnect at any moment', async () => {
    const droplet = await startDroplet();
    for (const words of ['', 'SSH-2.0-x\r\n', 'nonsense\r\n']) {
      const socket = connect(droplet.sshPort, '127.0.0.1', () =>
        socket.write(words || 'S', () => socket.resetAndDestroy()),
      );
      await endOf(socket);
    }
    const client = await connectTo(droplet);
    client.on('error', () => {});
    await open(client, 'yes');
    await new Promise((resolve) => client.sftp(resolve));
    // biome-ignore lint/complexity/useLiteralKeys: ssh2 offers no other way to break its connection.
    (client as unknown as { _sock: ReturnType<typeof connect> })['_sock'].resetAndDestroy();
    expect((await run(await connectTo(droplet), 'echo alive')).stdout).toBe('alive\n');
  });
});

describe('faults from the control endpoint', () => {
  it.each([
    [{ shh: 'up' }, '"shh"'],
    [{ ssh: 'down' }, 'at ssh'],
    [{ pull: 3 }, 'expected one of "ok"|"missing"|"denied"'],
    [{ diskFull: 'yes' }, 'expected boolean'],
    [{ sshLatencyMs: -1 }, 'at sshLatencyMs'],
  ])('%j is refused', (fault, said) => {
    expect(() => parseDropletFaults(fault)).toThrow(said);
  });

  it('are returned unchanged', () => {
    expect(parseDropletFaults({ ssh: 'refuse', pullDelayMs: 5 })).toEqual({ ssh: 'refuse', pullDelayMs: 5 });
  });
});
