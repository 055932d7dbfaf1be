/** Reads files of a release on a droplet, for a comparison. */
import type { RemoteCommand } from '../../ports.js';
import { BEGIN_SECTIONS, beginSection, readSections } from '../core/sections.js';
import { command, quote, releaseFolder } from '../core/shell.js';
import type { Member } from '../droplet/member.js';

/** Of one file, in bytes. */
export const MAX_FILE_BYTES = 64 * 1024;

/** Files that are read; more than a person reads. */
export const MAX_FILES = 40;

/** `private`: only its owner may read it, and it was not asked for all the same. */
export type FoundFile = { text: string } | 'private';

/**
 * By path; missing files have no entry. Line breaks at the beginning and end of a text are left out. Throws ShellError.
 * @param paths at most MAX_FILES are read
 * @param open paths of files that are read although they are private: env files
 */
export async function readReleaseFiles(
  { connection }: Pick<Member, 'connection'>,
  { app, release }: { app: string; release: string },
  paths: readonly string[],
  open: ReadonlySet<string>,
): Promise<Map<string, FoundFile>> {
  const wanted = paths.slice(0, MAX_FILES);
  if (wanted.length === 0) return new Map();
  const { stdout } = await connection.run(readFilesCommand(app, release, wanted, open));
  const sections = readSections(stdout);
  return new Map(
    wanted.flatMap((path, index): [string, FoundFile][] => {
      const section = sections.get(`file-${index}`);
      if (section === undefined || section === 'missing') return [];
      if (section === 'private') return [[path, 'private']];
      return [[path, { text: withoutBreaks(section.replace(/^text(\n|$)/, '')) }]];
    }),
  );
}

function readFilesCommand(
  app: string,
  release: string,
  paths: readonly string[],
  open: ReadonlySet<string>,
): RemoteCommand {
  return command(
    'read-files',
    { app, release, paths },
    [
      'set -u',
      ...BEGIN_SECTIONS,
      `cd ${releaseFolder(app, release)} || exit 0`,
      'show() {',
      '  if ! [ -f "$1" ]; then echo missing; return; fi',
      // The mode ends with 00 where nobody but the owner may read it.
      '  case $2$(stat -c %a "$1") in closed*00) echo private; return ;; esac',
      `  echo text; head -c ${MAX_FILE_BYTES} "$1"`,
      '}',
      ...paths.flatMap((path, index) => [
        beginSection(`file-${index}`),
        `show ${quote(`./${path}`)} ${open.has(path) ? 'open' : 'closed'}`,
      ]),
      'exit 0',
    ],
    { reads: true },
  );
}

export function withoutBreaks(text: string): string {
  let end = text.length;
  while (text[end - 1] === '\n') end -= 1;
  let start = 0;
  while (start < end && text[start] === '\n') start += 1;
  return text.slice(start, end);
}
