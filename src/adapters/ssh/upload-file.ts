import type { SFTPWrapper } from 'ssh2';
import { inWords } from '../../durations.js';
import { DeployError, ShellError } from '../../errors.js';
import type { Clock, RemoteCommand, RemoteHost, Upload } from '../../ports.js';
import { oneLine } from '../printable.js';
import { isRefusal, lost, refused } from './channel.js';
import type { Link } from './link.js';
import { lastLine } from './output.js';
import { quote } from './quote.js';
import { runCommand } from './run-command.js';
import { type Interruption, within } from './within.js';

const CHUNK_BYTES = 32 * 1024;
/**
 * Concurrent writes. 512 KB in flight allow 5 MB/s at a latency of 100 ms; more would queue in front of the keepalives and
 * make a slow uplink seem dead.
 */
const CONCURRENT_WRITES = 16;

/** Status codes of SFTP version 3. */
const NO_SUCH_FILE = 2;
const PERMISSION_DENIED = 3;
const FAILURE = 4;

/** Creates the file. Throws ShellError transfer, lost, timeout or unreachable. */
export async function uploadFile(link: Link, host: RemoteHost, file: Upload, clock: Clock): Promise<void> {
  const fail = (how: Interruption, reason: string) => {
    if (how === 'lost') return lost(host, 'unknown', `${reason}, while ${file.path} was uploaded`);
    const message = `The upload of ${file.path} to ${host.name} did not finish within ${inWords(file.timeoutMs)}.`;
    return new ShellError('timeout', 'unknown', message, {
      droplet: host.name,
      hint: 'Check the network, then run again.',
    });
  };
  // SFTP's callbacks never come when the connection is lost in between: `within` does not wait for them.
  const sent = await within(link, clock, { timeoutMs: file.timeoutMs, fail }, async (stop) => {
    const sftp = await openSftp(link, host);
    if (sftp === undefined) return false;
    sftp.on('error', () => {});
    stop.addEventListener('abort', () => sftp.end());
    if (stop.aborted) return true;
    try {
      await writeNewFile(sftp, await absolutePath(sftp, file.path), file);
      return true;
    } catch (error) {
      // Reading the content has failed.
      if (error instanceof DeployError) throw error;
      throw transferFailure(error, file, host);
    }
  });
  if (!sent) await uploadByCommand(link, host, file, clock);
}

/**
 * Undefined when the droplet has no working SFTP: it is disabled, or the login shell, which starts `sftp-server`, prints
 * something first (a banner in .bashrc).
 */
async function openSftp(link: Link, host: RemoteHost): Promise<SFTPWrapper | undefined> {
  try {
    return await link.ssh.requestSFTP();
  } catch (cause) {
    const error = cause instanceof Error ? cause : new Error(String(cause));
    if (isRefusal(error)) throw refused(error, host);
    return undefined;
  }
}

async function uploadByCommand(link: Link, host: RemoteHost, file: Upload, clock: Clock): Promise<void> {
  const { path, mode, content, timeoutMs } = file;
  const target = path.startsWith('~/') ? `"$HOME"/${quote(path.slice(2))}` : quote(path);
  const command: RemoteCommand = {
    name: `upload ${path}`,
    args: { path, mode },
    // `set -C`: the file is created here, readable by its owner alone; no link is followed.
    script: `set -eu; umask 077; rm -f -- ${target}; set -C; cat >${target}; chmod ${mode.toString(8)} -- ${target}`,
    stdin: content,
    timeoutMs,
    repeatable: true,
  };
  const { code, stderr } = await runCommand(link, host, command, clock);
  if (code === 0) return;
  const reason = oneLine(lastLine(stderr) || `exit code ${code}`);
  throw new ShellError('transfer', 'unknown', `${path} could not be uploaded to ${host.name}: ${reason}.`, {
    droplet: host.name,
    hint: `Check that the SSH user may write there, and that the disk is not full. Run there: df -h ${folderOf(path)}`,
  });
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
    // Version 3 has no code for "exists": most likely an earlier upload was cut off.
    await call((done) => sftp.unlink(path, done)).catch(() => {
      throw error;
    });
    return create();
  });
  // The umask took bits away from `open`.
  await call((done) => sftp.fsetstat(handle, { mode }, done));
  // The writers share one iterator, whose calls queue up: each gets the next chunk.
  const chunks = chunksOf(content);
  const writer = async () => {
    for (;;) {
      const { value, done } = await chunks.next();
      if (done) return;
      const { bytes, position } = value;
      await call((finished) => sftp.write(handle, bytes, 0, bytes.length, position, finished));
    }
  };
  try {
    await Promise.all(Array.from({ length: CONCURRENT_WRITES }, writer));
  } finally {
    await chunks.return(undefined);
  }
  await call((done) => sftp.close(handle, done));
}

async function* chunksOf(content: Upload['content']): AsyncGenerator<{ bytes: Buffer; position: number }> {
  let position = 0;
  for await (const piece of typeof content === 'function' ? content() : [content]) {
    for (let start = 0; start < piece.length; start += CHUNK_BYTES) {
      const bytes = piece.subarray(start, start + CHUNK_BYTES);
      yield { bytes, position };
      position += bytes.length;
    }
  }
}

function call<T = void>(start: (done: (error: Error | null | undefined, value?: T) => void) => unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => (error ? reject(error) : resolve(value as T)));
  });
}

function statusOf(error: unknown): number | undefined {
  return (error as { code?: number }).code;
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

function transferFailure(cause: unknown, { path }: Upload, { name }: RemoteHost): ShellError {
  const folder = folderOf(path);
  const known: Record<number, [reason: string, hint: string]> = {
    [NO_SUCH_FILE]: [`there is no folder ${folder}`, `Create it there: mkdir -p ${folder}`],
    [PERMISSION_DENIED]: ['permission denied', `Give the SSH user write access to ${folder}.`],
    [FAILURE]: ['the droplet could not store it', `Check whether its disk is full. Run there: df -h ${folder}`],
  };
  const message = cause instanceof Error ? oneLine(cause.message) : String(cause);
  const [reason, hint] = known[statusOf(cause) ?? 0] ?? [message, 'Run again.'];
  return new ShellError('transfer', 'unknown', `${path} could not be uploaded to ${name}: ${reason}.`, {
    droplet: name,
    hint,
    cause,
  });
}
