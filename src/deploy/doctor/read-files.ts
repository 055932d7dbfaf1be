/** The files of a release as doctor needs them: all that compose may read, and the texts that checks look into. */
import type { Settings } from '../../config/settings.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import type { ReadText } from '../plan/wanted.js';
import { packFiles } from '../release/archive.js';
import { draftRelease, type ReleaseDraft, type ReleaseFile, releaseId } from '../release/draft.js';
import type { ComposeText } from '../staging/compose-places.js';

/** Larger files are data: compose reads none of them. */
const MAX_FILE_BYTES = 256 * 1024;

/** Of all files that are sent for a look. */
const MAX_BYTES = 8 * 1024 * 1024;

export interface ProjectFiles {
  draft: ReleaseDraft;
  archive: Buffer;
  /** Compose files, for places. */
  compose: ComposeText[];
  /** Texts of small files that are neither env files nor keys. */
  texts: ComposeText[];
  /** Images that compose files name, as far as they can be read without compose. */
  images: string[];
}

/** Throws DeployError local-file or file-changed. */
export async function readProjectFiles(
  { files, clock }: Pick<DeployPorts, 'files' | 'clock'>,
  settings: Settings,
  readProject: ReadText['project'],
): Promise<ProjectFiles> {
  const { imageTag } = settings;
  const now = clock.now();
  const origin = { createdAt: new Date(now).toISOString(), createdBy: '' };
  const draft = await draftRelease({ id: releaseId(now, imageTag), imageTag }, origin, settings, files);
  const sent = sentFiles(draft);
  const contents = new Map(
    await Promise.all(sent.map(async (file) => [file.path, (await file.read()).toString('utf8')] as const)),
  );
  const textsOf = (paths: readonly string[]) =>
    paths.flatMap((path) => {
      const text = contents.get(path);
      return text === undefined ? [] : [{ path, text }];
    });
  const open = sent.filter(({ mode }) => (mode & 0o077) !== 0).map(({ path }) => path);
  const project = readProject({ ...draft, textOf: (path) => contents.get(path) });
  return {
    draft,
    archive: await packFiles(sent),
    compose: textsOf(draft.composeFiles),
    texts: textsOf(open).filter(({ text }) => !text.includes('\0')),
    images: [...new Set([...(project?.values() ?? [])].flatMap(({ image }) => image ?? []))],
  };
}

/** What compose reads comes first. */
function sentFiles({ files, composeFiles, envFiles }: ReleaseDraft): ReleaseFile[] {
  const named = new Set([...composeFiles, ...envFiles]);
  const ordered = [...files].sort((one, other) => Number(named.has(other.path)) - Number(named.has(one.path)));
  let left = MAX_BYTES;
  return ordered.filter(({ size, path }) => {
    if (size > left || (size > MAX_FILE_BYTES && !named.has(path))) return false;
    left -= size;
    return true;
  });
}
