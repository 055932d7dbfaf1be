import { existsSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { connectTo, openSftp, startDroplet } from './droplet-lab.js';

const NO_SUCH_FILE = 2;
const PERMISSION_DENIED = 3;
const FAILURE = 4;
const OP_UNSUPPORTED = 8;

async function session() {
  const droplet = await startDroplet();
  return { droplet, ...(await openSftp(await connectTo(droplet))) };
}

describe('SFTP on a droplet', () => {
  it('starts in the home of the user', async () => {
    const { droplet, call } = await session();
    expect(await call('realpath', '.')).toBe(droplet.home);
    await call('writeFile', 'a.txt', 'hello');
    expect(readFileSync(join(droplet.home, 'a.txt'), 'utf8')).toBe('hello');
    await call('unlink', 'a.txt');
    expect(existsSync(join(droplet.home, 'a.txt'))).toBe(false);
  });

  it('writes pieces of a file in parallel, with its mode', async () => {
    const { droplet, call } = await session();
    const pieces = ['first ', 'second ', 'third'];
    const handle = await call<Buffer>('open', 'parts', 'wx', { mode: 0o600 });
    let offset = 0;
    const writes = pieces.map((text) => {
      const write = call('write', handle, Buffer.from(text), 0, text.length, offset);
      offset += text.length;
      return write;
    });
    await Promise.all(writes);
    await call('fsetstat', handle, { mode: 0o640 });
    await call('close', handle);
    expect(readFileSync(join(droplet.home, 'parts'), 'utf8')).toBe('first second third');
    expect(statSync(join(droplet.home, 'parts')).mode & 0o777).toBe(0o640);
    await expect(call('open', 'parts', 'wx')).rejects.toMatchObject({ code: FAILURE, message: 'Failure' });
  });

  it("reports missing files with OpenSSH's message", async () => {
    const { call } = await session();
    for (const attempt of [call('realpath', 'x'), call('writeFile', 'x/y', ''), call('unlink', 'x')]) {
      await expect(attempt).rejects.toMatchObject({ code: NO_SUCH_FILE, message: 'No such file' });
    }
  });

  it('refuses what it does not support', async () => {
    const { sftp, call } = await session();
    await expect(call('stat', '.')).rejects.toMatchObject({ code: OP_UNSUPPORTED });
    expect(() => sftp.ext_openssh_rename('one', 'two', () => {})).toThrow('does not support');
  });

  it('does not leave the folder of the droplet', async () => {
    const { droplet, call } = await session();
    symlinkSync('/etc', join(droplet.home, 'escape'));
    for (const path of ['/etc/do-deploy-was-here', '../../x', 'escape/do-deploy-was-here']) {
      await expect(call('writeFile', path, '')).rejects.toMatchObject({ code: PERMISSION_DENIED });
      await expect(call('unlink', path)).rejects.toMatchObject({ code: PERMISSION_DENIED });
    }
    await call('writeFile', join(droplet.folder, 'tmp', 'x'), '');
  });

  it('fails to write to a full disk', async () => {
    const { droplet, call } = await session();
    await droplet.setFaults({ diskFull: true });
    await expect(call('writeFile', 'x', 'text')).rejects.toMatchObject({ code: FAILURE, message: 'Failure' });
    await droplet.clearFaults();
    await call('writeFile', 'x', 'text');
  });
});
