import type { SFTPWrapper } from 'ssh2';
import { ShellError } from '../../errors.js';
import type { Clock, RemoteHost } from '../../ports.js';
import { lost, refused } from './channel.js';
import type { Link } from './link.js';
import { type Interruption, within } from './within.js';

export interface Upload {
  path: string;
  content: Buffer;
  mode: number;
  timeoutMs: number;
}

const CHUNK_BYTES = 32 * 1024;
/**
 * Writes under way at once. 512 KB keep a 100 ms line at 5 MB/s; more of it would queue in front of the keepalives and
 * make a slow uplink look dead.
 */
const WRITES_UNDER_WAY = 16;

/** Status codes of SFTP version 3. */
const NO_SUCH_FILE = 2;
const PERMISSION_DENIED = 3;
const FAILURE = 4;

/** Puts the bytes into a new file. Throws ShellError transfer, lost or timeout. */
export function uploadFile(link: Link, host: RemoteHost, file: Upload, clock: Clock): Promise<void> {
  const fail = (how: Interruption, reason: string) => {
    if (how === 'lost') return lost(host, 'unknown', `${reason}, while ${file.path} was uploaded`);
    const message = `The upload of ${file.path} to ${host.name} did not end within ${file.timeoutMs / 1000} s.`;
    return new ShellError('timeout', 'unknown', message, {
      droplet: host.name,
      hint: 'Check the network, then run again.',
    });
  };
  // SFTP's callbacks never come when the connection is lost in between: `within` does not wait for them.
  return within(link, clock, { timeoutMs: file.timeoutMs, fail }, async (stop) => {
    const sftp = await openSftp(link, host);
    sftp.on('error', () => {});
    stop.addEventListener('abort', () => sftp.end());
    if (stop.aborted) return sftp.end();
    try {
      await writeNewFile(sftp, await absolutePath(sftp, file.path), file);
    } catch (error) {
      throw transferFailure(error, file, host);
    }
  });
}

async function openSftp(link: Link, host: RemoteHost): Promise<SFTPWrapper> {
  try {
    return await link.ssh.requestSFTP();
  } catch (cause) {
    const error = cause instanceof Error ? cause : new Error(String(cause));
    if (!/subsystem|SFTP session/i.test(error.message)) throw refused(error, host);
    throw new ShellError('transfer', 'not-applied', `droplet ${host.name} offers no SFTP.`, {
      droplet: host.name,
      hint: 'Enable it in /etc/ssh/sshd_config there: Subsystem sftp internal-sftp',
      cause,
    });
  }
}

async function absolutePath(sftp: SFTPWrapper, path: string): Promise<string> {
  if (!path.startsWith('~/')) return path;
  const home = await call<string>((done) => sftp.realpath('.', done));
  return `${home.replace(/\/$/, '')}/${path.slice(2)}`;
}

async function writeNewFile(sftp: SFTPWrapper, path: string, { content, mode }: Upload): Promise<void> {
  // `wx`: created here, with its mode from the first moment; never an existing file or link that others can read.
  const create = () => call<Buffer>((done) => sftp.open(path, 'wx', { mode }, done));
  const handle = await create().catch(async (error) => {
    if (statusOf(error) !== FAILURE) throw error;
    // Version 3 has no code for "exists": most likely the rest of an upload that was cut off.
    await call((done) => sftp.unlink(path, done)).catch(() => {
      throw error;
    });
    return create();
  });
  // The umask took bits away from `open`.
  await call((done) => sftp.fsetstat(handle, { mode }, done));
  let offset = 0;
  const writer = async () => {
    while (offset < content.length) {
      const from = offset;
      const length = Math.min(CHUNK_BYTES, content.length - from);
      offset += length;
      await call((done) => sftp.write(handle, content, from, length, from, done));
    }
  };
  await Promise.all(Array.from({ length: WRITES_UNDER_WAY }, writer));
  await call((done) => sftp.close(handle, done));
}

function call<T = void>(start: (done: (error: Error | null | undefined, value?: T) => void) => unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => (error ? reject(error) : resolve(value as T)));
  });
}

function statusOf(error: unknown): number | undefined {
  return (error as { code?: number }).code;
}

function transferFailure(cause: unknown, { path }: Upload, { name }: RemoteHost): ShellError {
  const folder = path.slice(0, path.lastIndexOf('/')) || '/';
  const told: Record<number, [string, string]> = {
    [NO_SUCH_FILE]: [`there is no folder ${folder}`, 'Make the folder first.'],
    [PERMISSION_DENIED]: ['permission denied', `Give the SSH user write access to ${folder}.`],
    [FAILURE]: ['the droplet could not store it', `Is its disk full? Run there: df -h ${folder}`],
  };
  const message = cause instanceof Error ? cause.message : String(cause);
  const [why, hint] = told[statusOf(cause) ?? 0] ?? [message, 'Run again.'];
  return new ShellError('transfer', 'unknown', `${path} could not be uploaded to ${name}: ${why}.`, {
    droplet: name,
    hint,
    cause,
  });
}
