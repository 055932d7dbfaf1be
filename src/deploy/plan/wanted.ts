/** What a droplet would get: the files here for a deploy, a release that it holds for a rollback. */
import { DeployError } from '../../errors.js';
import { heldRelease, type Member } from '../droplet/member.js';
import type { ComposeRun } from '../release/compose-run.js';
import { readChecksums } from '../release/digests.js';
import type { ReleaseDraft } from '../release/draft.js';
import type { StoredRelease } from '../release/stored-release.js';
import { MAX_FILE_BYTES, readReleaseFiles } from './read-files.js';

/** How the project's files are read; config/ knows. */
export interface ReadText {
  /** Of an env file: name → value. */
  variables(text: string): ReadonlyMap<string, string>;
  /** Whether the name of a variable says that its value is a secret. */
  namesSecret(name: string): boolean;
  /** The services of compose files, by name; undefined where they cannot be known without compose. */
  project(
    text: ComposeRun & { textOf(path: string): string | undefined },
  ): ReadonlyMap<string, ReadService> | undefined;
}

export interface ReadService {
  /** Absent if it is built. */
  image?: string;
  definition: string;
  envFiles: readonly string[];
  mountsRelease: boolean;
}

export interface Wanted {
  run: ComposeRun;
  /** path → SHA-256 */
  files: ReadonlyMap<string, string>;
  /** Undefined where it cannot be read. */
  read(path: string): Promise<string | undefined>;
  isPrivate(path: string): boolean;
  /** A release that droplets hold: its images are known. */
  release?: StoredRelease;
}

export function wantedOfDraft(draft: ReleaseDraft): Wanted {
  const files = new Map(draft.files.map((file) => [file.path, file]));
  return {
    run: draft,
    files: new Map(draft.files.map(({ path, sha256 }) => [path, sha256])),
    read: async (path) => {
      const file = files.get(path);
      return file === undefined || file.size > MAX_FILE_BYTES ? undefined : (await file.read()).toString('utf8');
    },
    isPrivate: (path) => ((files.get(path)?.mode ?? 0) & 0o077) === 0,
  };
}

/** Throws ShellError, or DeployError release-gone. */
export async function wantedOfRelease(member: Member, release: StoredRelease): Promise<Wanted> {
  const own = heldRelease(member, release.id);
  const { app, id, envFiles } = release;
  const place = { app, release: id };
  const sums = await readReleaseFiles(member, place, ['SHA256SUMS'], new Set(['SHA256SUMS']));
  const text = sums.get('SHA256SUMS');
  if (own === undefined || text === undefined || text === 'private') {
    throw new DeployError('release-gone', `Release ${id} is not on ${member.host.name}.`, { source: 'user' });
  }
  const files = readChecksums(text.text);
  return {
    run: own,
    files,
    release: own,
    read: async (path) => {
      const found = (await readReleaseFiles(member, place, [path], new Set(envFiles))).get(path);
      return found === undefined || found === 'private' ? undefined : found.text;
    },
    // The droplet itself says so.
    isPrivate: () => false,
  };
}

/** The texts of the files that compose reads to know its services. */
export async function readTexts({ run, read }: Wanted): Promise<Map<string, string>> {
  const paths = [...run.composeFiles, ...run.envFiles];
  const texts = await Promise.all(paths.map(async (path) => [path, await read(path)] as const));
  return new Map(texts.flatMap(([path, text]) => (text === undefined ? [] : [[path, text] as const])));
}
