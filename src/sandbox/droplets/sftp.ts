import { type Dirent, constants as fsConstants, type Stats } from 'node:fs';
import * as fs from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import ssh2, { type Attributes, type SFTPWrapper } from 'ssh2';

const { STATUS_CODE, flagsToString } = ssh2.utils.sftp;

/** OpenSSH's own words for its status codes (sftp-server.c, status_messages); node-ssh looks for `No such file`. */
const MESSAGES: Record<number, string> = {
  [STATUS_CODE.OK]: 'Success',
  [STATUS_CODE.EOF]: 'End of file',
  [STATUS_CODE.NO_SUCH_FILE]: 'No such file',
  [STATUS_CODE.PERMISSION_DENIED]: 'Permission denied',
  [STATUS_CODE.FAILURE]: 'Failure',
  [STATUS_CODE.BAD_MESSAGE]: 'Bad message',
  [STATUS_CODE.OP_UNSUPPORTED]: 'Operation unsupported',
};

/** sftp-server.c, errno_to_portable; everything else, a full disk too, is a plain Failure. */
const ERRNO: Record<string, number> = {
  ENOENT: STATUS_CODE.NO_SUCH_FILE,
  ENOTDIR: STATUS_CODE.NO_SUCH_FILE,
  ELOOP: STATUS_CODE.NO_SUCH_FILE,
  EBADF: STATUS_CODE.NO_SUCH_FILE,
  EPERM: STATUS_CODE.PERMISSION_DENIED,
  EACCES: STATUS_CODE.PERMISSION_DENIED,
  EFAULT: STATUS_CODE.PERMISSION_DENIED,
  ENAMETOOLONG: STATUS_CODE.BAD_MESSAGE,
  EINVAL: STATUS_CODE.BAD_MESSAGE,
};

export interface SftpSettings {
  /** Relative paths start here. */
  home: string;
  /** Nothing outside of it is touched. Without symbolic links. */
  boundary: string;
  faults: { readonly diskFull: boolean };
}

interface OpenFile {
  file: fs.FileHandle;
}
interface OpenFolder {
  path: string;
  /** Not yet sent. */
  entries: Dirent[];
}

/** Serves SFTP version 3 as OpenSSH's sftp-server does, one request after the other. */
export function serveSftp(sftp: SFTPWrapper, settings: SftpSettings): void {
  new SftpSession(sftp, settings).serve();
}

class SftpSession {
  readonly #sftp: SFTPWrapper;
  readonly #settings: SftpSettings;
  readonly #open = new Map<number, OpenFile | OpenFolder>();
  #nextHandle = 0;
  #last: Promise<void> = Promise.resolve();

  constructor(sftp: SFTPWrapper, settings: SftpSettings) {
    this.#sftp = sftp;
    this.#settings = settings;
  }

  serve(): void {
    const sftp = this.#sftp;
    sftp.on('error', () => {});
    sftp.on('close', () => void this.#last.then(() => this.#closeAll()));

    sftp.on('OPEN', (id: number, path: string, flags: number, attrs: Attributes) =>
      this.#answer(id, async () => {
        const mode = flagsToString(flags);
        if (mode === null) throw errno('EINVAL');
        const file = await fs.open(await this.#inside(path), mode, attrs.mode ?? 0o666);
        sftp.handle(id, this.#remember({ file }));
      }),
    );
    sftp.on('READ', (id: number, handle: Buffer, offset: number, length: number) =>
      this.#answer(id, async () => {
        const { bytesRead, buffer } = await this.#file(handle).read(
          Buffer.alloc(Math.min(length, 262_144)),
          0,
          undefined,
          offset,
        );
        if (bytesRead === 0) this.#status(id, STATUS_CODE.EOF);
        else sftp.data(id, buffer.subarray(0, bytesRead));
      }),
    );
    this.#on('WRITE', async (handle: Buffer, offset: number, data: Buffer) => {
      this.#needSpace();
      await this.#file(handle).write(data, 0, data.length, offset);
    });
    this.#on('CLOSE', async (handle: Buffer) => {
      const opened = this.#find(handle);
      this.#open.delete(handle.readUInt32BE(0));
      if ('file' in opened) await opened.file.close();
    });

    sftp.on('STAT', (id: number, path: string) => this.#answerStat(id, async () => fs.stat(await this.#inside(path))));
    sftp.on('LSTAT', (id: number, path: string) => this.#answerStat(id, async () => fs.lstat(await this.#link(path))));
    sftp.on('FSTAT', (id: number, handle: Buffer) => this.#answerStat(id, () => this.#file(handle).stat()));
    this.#on('SETSTAT', async (path: string, attrs: Attributes) => {
      const file = await fs.open(await this.#inside(path), fsConstants.O_RDONLY);
      await setAttributes(file, attrs).finally(() => file.close());
    });
    this.#on('FSETSTAT', (handle: Buffer, attrs: Attributes) => setAttributes(this.#file(handle), attrs));

    sftp.on('OPENDIR', (id: number, path: string) =>
      this.#answer(id, async () => {
        const folder = await this.#inside(path);
        const entries = await fs.readdir(folder, { withFileTypes: true });
        sftp.handle(id, this.#remember({ path: folder, entries }));
      }),
    );
    sftp.on('READDIR', (id: number, handle: Buffer) =>
      this.#answer(id, async () => {
        const opened = this.#find(handle);
        if ('file' in opened) throw errno('EINVAL');
        const some = opened.entries.splice(0, 100);
        if (some.length === 0) return this.#status(id, STATUS_CODE.EOF);
        sftp.name(id, await Promise.all(some.map((entry) => nameEntry(opened.path, entry.name))));
      }),
    );
    this.#on('MKDIR', async (path: string, attrs: Attributes) => {
      this.#needSpace();
      await fs.mkdir(await this.#link(path), attrs.mode ?? 0o777);
    });
    this.#on('RMDIR', async (path: string) => fs.rmdir(await this.#link(path)));
    this.#on('REMOVE', async (path: string) => fs.unlink(await this.#link(path)));
    this.#on('RENAME', async (from: string, to: string) => rename(await this.#link(from), await this.#link(to)));
    // Whatever its types say, ssh2 gives the link's own path first.
    this.#on('SYMLINK', async (link: string, target: string) => fs.symlink(target, await this.#link(link)));

    sftp.on('READLINK', (id: number, path: string) =>
      this.#answer(id, async () => this.#name(id, await fs.readlink(await this.#link(path)))),
    );
    sftp.on('REALPATH', (id: number, path: string) =>
      this.#answer(id, async () => {
        const asked = resolve(this.#settings.home, path);
        // What is not there yet has a path too, if its folder is there.
        this.#name(id, await fs.realpath(asked).catch(() => resolveLast(asked)));
      }),
    );
    sftp.on('EXTENDED', (id: number) => this.#status(id, STATUS_CODE.OP_UNSUPPORTED));
  }

  /** A request that is answered by its status alone. */
  #on<Args extends unknown[]>(event: string, act: (...args: Args) => Promise<unknown>): void {
    this.#sftp.on(event, (id: number, ...args: Args) =>
      this.#answer(id, async () => {
        await act(...args);
        this.#status(id, STATUS_CODE.OK);
      }),
    );
  }

  #answer(id: number, act: () => Promise<unknown>): void {
    this.#last = this.#last.then(async () => {
      try {
        await act();
      } catch (error) {
        this.#status(id, ERRNO[(error as NodeJS.ErrnoException).code ?? ''] ?? STATUS_CODE.FAILURE);
      }
    });
  }

  #answerStat(id: number, stat: () => Promise<Stats>): void {
    this.#answer(id, async () => this.#sftp.attrs(id, attributesOf(await stat())));
  }

  #status(id: number, code: number): void {
    this.#sftp.status(id, code, MESSAGES[code] ?? 'Unknown error');
  }

  #name(id: number, filename: string): void {
    this.#sftp.name(id, [{ filename, longname: filename, attrs: emptyAttributes }]);
  }

  #remember(opened: OpenFile | OpenFolder): Buffer {
    const number = this.#nextHandle;
    this.#nextHandle += 1;
    this.#open.set(number, opened);
    const handle = Buffer.alloc(4);
    handle.writeUInt32BE(number);
    return handle;
  }

  #find(handle: Buffer): OpenFile | OpenFolder {
    const opened = handle.length === 4 ? this.#open.get(handle.readUInt32BE(0)) : undefined;
    if (opened === undefined) throw errno('EBADF');
    return opened;
  }

  #file(handle: Buffer): fs.FileHandle {
    const opened = this.#find(handle);
    if (!('file' in opened)) throw errno('EINVAL');
    return opened.file;
  }

  #needSpace(): void {
    if (this.#settings.faults.diskFull) throw errno('ENOSPC');
  }

  /** The path with its links followed, which must end inside the droplet's folder. */
  async #inside(path: string): Promise<string> {
    const asked = resolve(this.#settings.home, path);
    const real = await fs.realpath(asked).catch(() => this.#link(path));
    this.#mustBeInside(real);
    return real;
  }

  /** The same without following the last link: for what concerns the link itself, or does not exist yet. */
  async #link(path: string): Promise<string> {
    const asked = resolve(this.#settings.home, path);
    const real = await resolveLast(asked);
    this.#mustBeInside(real);
    return real;
  }

  #mustBeInside(path: string): void {
    const way = relative(this.#settings.boundary, path);
    if (way === '..' || way.startsWith('../')) throw errno('EACCES');
  }

  async #closeAll(): Promise<void> {
    for (const opened of this.#open.values()) if ('file' in opened) await opened.file.close().catch(() => {});
    this.#open.clear();
  }
}

/** Follows all links but the last. */
async function resolveLast(path: string): Promise<string> {
  return join(await fs.realpath(dirname(path)), basename(path));
}

const emptyAttributes = { mode: 0, uid: 0, gid: 0, size: 0, atime: 0, mtime: 0 };

function attributesOf(stats: Stats): Attributes {
  const { mode, uid, gid, size } = stats;
  return { mode, uid, gid, size, atime: Math.floor(stats.atimeMs / 1000), mtime: Math.floor(stats.mtimeMs / 1000) };
}

async function nameEntry(folder: string, filename: string) {
  const stats = await fs.lstat(join(folder, filename));
  const longname = `${stats.isDirectory() ? 'd' : '-'} ${stats.size} ${filename}`;
  return { filename, longname, attrs: attributesOf(stats) };
}

/** Owner and group are left as they are: only root could change them. */
async function setAttributes(file: fs.FileHandle, attrs: Partial<Attributes>): Promise<void> {
  if (attrs.size !== undefined) await file.truncate(attrs.size);
  if (attrs.mode !== undefined) await file.chmod(attrs.mode & 0o7777);
  if (attrs.atime !== undefined && attrs.mtime !== undefined) await file.utimes(attrs.atime, attrs.mtime);
}

/** sftp-server does not rename onto something that exists. */
async function rename(from: string, to: string): Promise<void> {
  const taken = await fs.lstat(to).then(
    () => true,
    () => false,
  );
  if (taken) throw errno('EEXIST');
  await fs.rename(from, to);
}

function errno(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(code), { code });
}
