/** Writes all planned files, each whole or not at all, and none over a file that is there. */
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  constants,
  copyFileSync,
  linkSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describeFileError, isFileError } from '../config/read-file.js';
import { DeployError } from '../errors.js';
import type { PlannedFile } from './plan-files.js';

/** File systems without hard links. */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'];

/**
 * Everything is first written beside its place, so that a full disk or a folder without permission is found before any
 * file is in place.
 * @param root absolute
 * @throws DeployError `local-file`
 */
export function writeFiles(root: string, files: readonly PlannedFile[]): void {
  const drafts: { draft: string; target: string; file: PlannedFile }[] = [];
  let current = root;
  try {
    for (const file of files) {
      current = file.path;
      const target = file.extends === undefined ? join(root, file.path) : realpathSync(join(root, file.path));
      mkdirSync(dirname(target), { recursive: true });
      const draft = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}`);
      drafts.push({ draft, target, file });
      writeFileSync(draft, file.text, { flag: 'wx', mode: file.mode });
    }
    for (const { draft, target, file } of drafts) {
      current = file.path;
      if (file.extends === undefined) place(draft, target);
      else replace(draft, target, file.extends);
    }
  } catch (error) {
    if (error instanceof DeployError || !isFileError(error)) throw error;
    throw refusal(
      current,
      describeFileError(error, current).message.replace('cannot be read', 'cannot be written'),
      error,
    );
  } finally {
    for (const { draft } of drafts) rmSync(draft, { force: true });
  }
}

/** A link, unlike a rename, never replaces what is there. */
function place(draft: string, target: string): void {
  try {
    linkSync(draft, target);
  } catch (error) {
    if (!isFileError(error) || !NO_LINKS.includes(error.code ?? '')) throw error;
    copyFileSync(draft, target, constants.COPYFILE_EXCL);
  }
}

function replace(draft: string, target: string, known: string): void {
  if (readFileSync(target, 'utf8') !== known) throw refusal(target, 'has changed meanwhile');
  chmodSync(draft, statSync(target).mode & 0o7777);
  renameSync(draft, target);
}

function refusal(path: string, message: string, cause?: unknown): DeployError {
  return new DeployError('local-file', `${path} ${message}.`, {
    source: 'user',
    hint: `Check it with ls -ld ${path}, then run do-deploy init again: it leaves what is there.`,
    cause,
  });
}
