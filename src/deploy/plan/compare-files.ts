/** Which files of a release differ from what a droplet has, without telling anything that is private. */
import type { PlannedFile } from '../../rollout/plan.js';
import { currentRelease, type Member } from '../droplet/member.js';
import { MAX_FILE_BYTES, MAX_FILES, readReleaseFiles, withoutBreaks } from './read-files.js';
import { unifiedDiff } from './unified-diff.js';
import type { ReadText, Wanted } from './wanted.js';

const MASK = '[secret]';

/** Of one file. */
const MAX_DIFF_LINES = 400;

export interface ComparedFiles {
  files: PlannedFile[];
  /** The text of a file of what runs now; undefined where there is none, or it was not read. */
  before: (path: string) => string | undefined;
}

/** Paths that only one side has, or that differ; images.yml is not among them. */
export function changedPaths(
  { survey: { found } }: Pick<Member, 'survey'>,
  { files }: Pick<Wanted, 'files'>,
): string[] {
  const paths = new Set([...found.keys(), ...files.keys()]);
  paths.delete('images.yml');
  return [...paths].filter((path) => found.get(path) !== files.get(path)).sort();
}

/** Throws ShellError. */
export async function compareFiles(
  member: Member,
  wanted: Wanted,
  read: ReadText,
  hide: ((envFile: string) => void) | undefined,
): Promise<ComparedFiles> {
  const changed = changedPaths(member, wanted);
  const { found } = member.survey;
  const current = currentRelease(member);
  const envFiles = new Set([...(current?.envFiles ?? []), ...wanted.run.envFiles]);
  const there = changed.filter((path) => found.has(path));
  // Env files first: compose files are only understood with them.
  const ordered = [...there.filter((path) => envFiles.has(path)), ...there.filter((path) => !envFiles.has(path))];
  const texts =
    current === undefined
      ? new Map()
      : await readReleaseFiles(member, { app: current.app, release: current.id }, ordered, envFiles);
  for (const path of envFiles) {
    const text = texts.get(path);
    if (text !== undefined && text !== 'private') hide?.(text.text);
  }
  const files = await Promise.all(
    changed.map(async (path, index): Promise<PlannedFile> => {
      const change = !found.has(path) ? 'added' : wanted.files.has(path) ? 'changed' : 'removed';
      const old = change === 'added' ? { text: '' } : texts.get(path);
      if (envFiles.has(path)) {
        const now = change === 'removed' ? '' : await wanted.read(path);
        if (old === undefined || old === 'private' || now === undefined) return { path, change, isPrivate: true };
        return {
          path,
          change,
          isPrivate: true,
          variables: compareNames(read.variables(old.text), read.variables(now)),
        };
      }
      if (old === 'private' || wanted.isPrivate(path)) return { path, change, isPrivate: true };
      // A removed file needs no lines to be understood.
      if (change === 'removed' || old === undefined || index >= MAX_FILES) return { path, change };
      const now = await wanted.read(path);
      const diff = now === undefined || isLong(old.text) || isLong(now) ? undefined : diffOf(old.text, now, read);
      return { path, change, ...(diff !== undefined && { diff }) };
    }),
  );
  const before = (path: string) => {
    const text = texts.get(path);
    return text === undefined || text === 'private' ? undefined : text.text;
  };
  return { files, before };
}

function isLong(text: string): boolean {
  return text.length >= MAX_FILE_BYTES || text.includes('\0') || text.includes('\uFFFD');
}

function diffOf(before: string, after: string, { namesSecret }: ReadText): string | undefined {
  const lines = unifiedDiff(before, withoutBreaks(after))
    .split('\n')
    .map((line) => masked(line, namesSecret));
  const more = lines.length - MAX_DIFF_LINES;
  return [...lines.slice(0, MAX_DIFF_LINES), ...(more > 0 ? [`… ${more} more lines`] : [])].join('\n');
}

/** `NAME: value` or `NAME=value`, also as an item of a list, behind the sign of a diff. */
const ASSIGNMENT = /^([+\- ]\s*(?:-\s+)?["']?([A-Za-z_][\w.-]*)["']?\s*[:=]\s*)(.+)$/;

/** Passwords that stand in the file itself: in an address, or as the value of a name that says so. Variables stay. */
function masked(line: string, namesSecret: ReadText['namesSecret']): string {
  const bare = line.replaceAll(/(:\/\/[^\s/@:'"]*:)[^\s@'"]+(?=@)/g, `$1${MASK}`);
  const [, head, name, value] = ASSIGNMENT.exec(bare) ?? [];
  if (head === undefined || name === undefined || value === undefined) return bare;
  return namesSecret(name) && !/^["']?\$/.test(value) ? `${head}${MASK}` : bare;
}

function compareNames(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>) {
  return {
    added: [...after.keys()].filter((name) => !before.has(name)).sort(),
    changed: [...after]
      .flatMap(([name, value]) => (before.has(name) && before.get(name) !== value ? [name] : []))
      .sort(),
    removed: [...before.keys()].filter((name) => !after.has(name)).sort(),
  };
}
