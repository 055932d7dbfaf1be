import * as fs from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import ssh2, { type Attributes, type SFTPWrapper } from 'ssh2';

const { STATUS_CODE, flagsToString } = ssh2.utils.sftp;

/** OpenSSH's messages for its status codes (sftp-server.c, status_messages). */
const MESSAGES: Record<number, string> = {
  [STATUS_CODE.OK]: 'Success',
  [STATUS_CODE.NO_SUCH_FILE]: 'No such file',
  [STATUS_CODE.PERMISSION_DENIED]: 'Permission denied',
  [STATUS_CODE.FAILURE]: 'Failure',
  [STATUS_CODE.OP_UNSUPPORTED]: 'Operation unsupported',
};

/** sftp-server.c, errno_to_portable; everything else, also a full disk, is a Failure. */
const ERRNO: Record<string, number> = {
  ENOENT: STATUS_CODE.NO_SUCH_FILE,
  ENOTDIR: STATUS_CODE.NO_SUCH_FILE,
  EBADF: STATUS_CODE.NO_SUCH_FILE,
  EPERM: STATUS_CODE.PERMISSION_DENIED,
  EACCES: STATUS_CODE.PERMISSION_DENIED,
};

/** Requests that are not supported. Without a listener, ssh2 would not answer them with OpenSSH's message. */
const UNSUPPORTED = 'READ STAT LSTAT FSTAT SETSTAT OPENDIR READDIR MKDIR RMDIR RENAME SYMLINK READLINK EXTENDED';

export interface SftpSettings {
  /** Where relative paths start. */
  home: string;
  /** Nothing outside of this folder is touched. Without symbolic links. */
  boundary: string;
  faults: { readonly diskFull: boolean };
}

/**
 * Serves SFTP version 3 like OpenSSH's sftp-server, one request after the other, as far as uploads need it: files can be
 * created, written and removed.
 */
export function serveSftp(sftp: SFTPWrapper, settings: SftpSettings): void {
  const files = new Map<number, fs.FileHandle>();
  let opened = 0;
  let last: Promise<void> = Promise.resolve();

  const status = (id: number, code: number) => sftp.status(id, code, MESSAGES[code]);
  /** Answers with what `act` sends, else with a status. */
  const on = <Args extends unknown[]>(request: string, act: (id: number, ...args: Args) => Promise<unknown>) =>
    sftp.on(request, (id: number, ...args: Args) => {
      last = last.then(async () => {
        try {
          await act(id, ...args);
        } catch (error) {
          status(id, ERRNO[(error as NodeJS.ErrnoException).code ?? ''] ?? STATUS_CODE.FAILURE);
        }
      });
    });
  const done = (id: number) => status(id, STATUS_CODE.OK);
  const fileOf = (handle: Buffer): fs.FileHandle => {
    const file = files.get(handle.readUInt32BE(0));
    if (file === undefined) throw errno('EBADF');
    return file;
  };

  sftp.on('error', () => {});
  sftp.on('close', () => void last.then(() => Promise.all([...files.values()].map((file) => file.close()))));
  on('OPEN', async (id, path: string, flags: number, attrs: Attributes) => {
    const file = await fs.open(await pathInside(settings, path), flagsToString(flags) ?? 'r', attrs.mode ?? 0o666);
    const handle = Buffer.alloc(4);
    handle.writeUInt32BE(++opened);
    files.set(opened, file);
    sftp.handle(id, handle);
  });
  on('WRITE', async (id, handle: Buffer, offset: number, data: Buffer) => {
    if (settings.faults.diskFull) throw errno('ENOSPC');
    await fileOf(handle).write(data, 0, data.length, offset);
    done(id);
  });
  on('FSETSTAT', async (id, handle: Buffer, { mode }: Partial<Attributes>) => {
    if (mode !== undefined) await fileOf(handle).chmod(mode & 0o7777);
    done(id);
  });
  on('CLOSE', async (id, handle: Buffer) => {
    const file = fileOf(handle);
    files.delete(handle.readUInt32BE(0));
    await file.close();
    done(id);
  });
  on('REMOVE', async (id, path: string) => {
    await fs.unlink(await pathInside(settings, path));
    done(id);
  });
  on('REALPATH', async (id, path: string) => {
    const filename = await fs.realpath(resolve(settings.home, path));
    sftp.name(id, [{ filename, longname: filename, attrs: { mode: 0, uid: 0, gid: 0, size: 0, atime: 0, mtime: 0 } }]);
  });
  for (const request of UNSUPPORTED.split(' ')) on(request, async (id) => status(id, STATUS_CODE.OP_UNSUPPORTED));
}

/** The absolute path, with the links of its folder followed; it must be below the boundary. */
async function pathInside({ home, boundary }: SftpSettings, path: string): Promise<string> {
  const asked = resolve(home, path);
  const real = join(await fs.realpath(dirname(asked)), basename(asked));
  if (relative(boundary, real).startsWith('..')) throw errno('EACCES');
  return real;
}

function errno(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(code), { code });
}
