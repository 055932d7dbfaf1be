import { readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NodeSSH } from 'node-ssh';
import type { FileEntry, Stats } from 'ssh2';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connectTo, KEY, openSftp, startDroplet } from './droplet-lab.js';

const NO_SUCH_FILE = 2;
const PERMISSION_DENIED = 3;
const FAILURE = 4;

async function session() {
  const droplet = await startDroplet();
  return { droplet, ...(await openSftp(await connectTo(droplet))) };
}

describe('SFTP on a droplet', () => {
  it('starts in the user’s home', async () => {
    const { droplet, call } = await session();
    expect(await call('realpath', '.')).toBe(droplet.home);
    expect(await call('realpath', 'new')).toBe(join(droplet.home, 'new'));
    await expect(call('realpath', 'new/deeper')).rejects.toMatchObject({ code: NO_SUCH_FILE });
    await call('writeFile', 'a.txt', 'hello');
    expect(readFileSync(join(droplet.home, 'a.txt'), 'utf8')).toBe('hello');
    expect(String(await call('readFile', join(droplet.home, 'a.txt')))).toBe('hello');
  });

  it('takes a big file in parallel pieces, with its mode', async () => {
    const { droplet, call } = await session();
    const big = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => i % 251));
    writeFileSync(join(droplet.folder, 'local'), big);
    await call('fastPut', join(droplet.folder, 'local'), 'remote', { mode: 0o600 });
    expect(readFileSync(join(droplet.home, 'remote')).equals(big)).toBe(true);
    expect(statSync(join(droplet.home, 'remote')).mode & 0o777).toBe(0o600);
    await call('fastGet', 'remote', join(droplet.folder, 'back'));
    expect(readFileSync(join(droplet.folder, 'back')).equals(big)).toBe(true);
  });

  it('makes, lists and removes folders and files', async () => {
    const { call } = await session();
    await call('mkdir', 'folder');
    await call('writeFile', 'folder/one', '1');
    await call('symlink', 'one', 'folder/link');
    const listed = await call<FileEntry[]>('readdir', 'folder');
    expect(listed.map(({ filename }) => filename).sort()).toEqual(['link', 'one']);
    expect((await call<Stats>('stat', 'folder')).isDirectory()).toBe(true);
    expect((await call<Stats>('lstat', 'folder/link')).isSymbolicLink()).toBe(true);
    expect((await call<Stats>('stat', 'folder/link')).size).toBe(1);
    expect(await call('readlink', 'folder/link')).toBe('one');
    await expect(call('rmdir', 'folder')).rejects.toMatchObject({ code: FAILURE });
    await call('unlink', 'folder/link');
    await call('rename', 'folder/one', 'two');
    await call('rmdir', 'folder');
    await call('setstat', 'two', { mode: 0o640 });
    expect((await call<Stats>('stat', 'two')).mode & 0o777).toBe(0o640);
  });

  it('says "No such file" in OpenSSH’s words', async () => {
    const { call } = await session();
    for (const attempt of [
      call('stat', 'x'),
      call('writeFile', 'x/y', ''),
      call('readdir', 'x'),
      call('unlink', 'x'),
    ]) {
      await expect(attempt).rejects.toMatchObject({ code: NO_SUCH_FILE, message: 'No such file' });
    }
  });

  it('does not rename onto a file, and knows no extensions', async () => {
    const { sftp, call } = await session();
    await call('writeFile', 'one', '1');
    await call('writeFile', 'two', '2');
    await expect(call('rename', 'one', 'two')).rejects.toMatchObject({ code: FAILURE, message: 'Failure' });
    expect(() => sftp.ext_openssh_rename('one', 'two', () => {})).toThrow('does not support');
  });

  it('does not leave the droplet’s folder', async () => {
    const { droplet, call } = await session();
    symlinkSync('/etc', join(droplet.home, 'escape'));
    for (const path of ['/etc/passwd', '../../x', 'escape/passwd']) {
      await expect(call('readFile', path)).rejects.toMatchObject({ code: PERMISSION_DENIED });
    }
    await expect(call('writeFile', 'escape/do-deploy-was-here', '')).rejects.toMatchObject({ code: PERMISSION_DENIED });
    await expect(call('mkdir', '/tmp/do-deploy-was-here')).rejects.toMatchObject({ code: PERMISSION_DENIED });
    await call('writeFile', join(droplet.folder, 'tmp', 'x'), '');
  });

  it('fails to write on a full disk', async () => {
    const { droplet, call } = await session();
    await droplet.setFaults({ diskFull: true });
    await expect(call('writeFile', 'x', 'text')).rejects.toMatchObject({ code: FAILURE, message: 'Failure' });
    await droplet.clearFaults();
    await call('writeFile', 'x', 'text');
  });

  it('lets node-ssh make missing folders', async () => {
    const droplet = await startDroplet();
    const ssh = new NodeSSH();
    await ssh.connect({ host: '127.0.0.1', port: droplet.sshPort, username: 'root', privateKey: KEY.private });
    // Without a listener of ours, a reset at the end would be nobody's.
    ssh.connection?.on('error', () => {});
    onTestFinished(() => ssh.dispose());
    writeFileSync(join(droplet.folder, 'local'), 'text');
    await ssh.putFile(join(droplet.folder, 'local'), 'not/yet/there');
    expect(readFileSync(join(droplet.home, 'not/yet/there'), 'utf8')).toBe('text');
  });
});
