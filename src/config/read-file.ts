/** Reading files of this machine: what can be wrong with them is a value, never a fault in do-deploy. */

import { closeSync, fstatSync, openSync, readSync, type Stats, statSync } from 'node:fs';
import { reasonOf } from '../errors.js';

/** Bound of deploy.yml and of env files: larger ones are a mistake, or meant to exhaust memory. */
export const MAX_FILE_BYTES = 1024 * 1024;

export interface FileFault {
  /** Continues "PATH ". */
  message: string;
  remedy: string;
}

const REASONS: Record<string, string> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ELOOP: 'too many symbolic links',
  ENAMETOOLONG: 'its name is too long',
  EMFILE: 'too many open files',
  ENFILE: 'too many open files',
  EIO: 'input/output error',
  ESTALE: 'the network file system lost it',
};

/** Whether the system refused a call about a file. */
export function isFileError(error: unknown): error is NodeJS.ErrnoException {
  return (
    error instanceof Error && 'syscall' in error && /^E[A-Z0-9]+$/.test((error as NodeJS.ErrnoException).code ?? '')
  );
}

/** @param path as a shell would take it from here */
export function describeFileError(error: unknown, path: string): FileFault {
  const code = isFileError(error) ? (error.code ?? '') : '';
  if (code === 'ENOENT' || code === 'ENOTDIR') return { message: 'does not exist', remedy: 'create it' };
  const reason = REASONS[code] ?? reasonOf(error);
  const message = `cannot be read: ${reason}${code in REASONS ? ` (${code})` : ''}`;
  return { message, remedy: `check its permissions: ls -ld ${path}` };
}

/** `a folder`, `a named pipe` and the like; undefined for a regular file. */
export function unusualKind(stat: Stats): string | undefined {
  if (stat.isFile()) return undefined;
  if (stat.isDirectory()) return 'a folder';
  if (stat.isFIFO()) return 'a named pipe';
  if (stat.isSocket()) return 'a socket';
  return 'a device';
}

/** The whole file, if it is a regular one of at most `MAX_FILE_BYTES`; undefined when there is none. */
export function readSmallFile(path: string): Buffer | FileFault | undefined {
  try {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    const kind = unusualKind(stat);
    // Opening a named pipe would wait for a writer.
    if (kind !== undefined) return { message: `is ${kind}, not a file`, remedy: 'name a regular file' };
    const { content, size } = readHead(path, MAX_FILE_BYTES + 1);
    if (Math.max(size, content.length) <= MAX_FILE_BYTES) return content;
    return { message: 'is larger than 1 MiB', remedy: 'check that it is the right file' };
  } catch (error) {
    return describeFileError(error, path);
  }
}

/** The beginning of a regular file, and its size and mode. Throws as node:fs does. */
export function readHead(path: string, bytes: number): { content: Buffer; size: number; mode: number } {
  const file = openSync(path, 'r');
  try {
    const { size, mode } = fstatSync(file);
    // Files of /proc say that they are empty.
    const buffer = Buffer.alloc(size === 0 ? bytes : Math.min(size, bytes));
    let length = 0;
    while (length < buffer.length) {
      const read = readSync(file, buffer, length, buffer.length - length, null);
      if (read === 0) break;
      length += read;
    }
    return { content: buffer.subarray(0, length), size, mode };
  } finally {
    closeSync(file);
  }
}
