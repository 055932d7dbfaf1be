/** Stages a release from the droplets that hold it: its files come from them, its images by digest from the registry. */

import { DeployError, ShellError } from '../../errors.js';
import type { RemoteCommand } from '../../ports.js';
import { doDeploy, type Environment } from '../core/do-deploy.js';
import { command, releaseFolder, SECOND } from '../core/shell.js';
import { heldRelease, type Member } from '../droplet/member.js';
import { assemble, type FilesOnDroplet, readArchive } from '../release/archive.js';
import type { ReleaseDraft, ReleaseFile } from '../release/draft.js';
import type { StoredRelease } from '../release/stored-release.js';
import { logInTo } from './registry-login.js';
import { stagePinned } from './stage-release.js';
import type { Staging } from './staging.js';

/** A release holds files, not data: an archive may have this many parts. */
const MAX_PARTS = 100;

/** Bytes of an archive that one command prints: in base64 they stay below the limit for a command's output. */
const PART_BYTES = 2 * 1024 * 1024;

/** Throws what `fetchDraft` and staging throw. */
export async function stageFromDonors(
  given: Omit<Staging, 'draft' | 'login'>,
  release: StoredRelease,
  { donors, to }: { donors: readonly Member[]; to: readonly Member[] },
): Promise<void> {
  const draft = await fetchDraft(release, donors, given.settings);
  const login = await logInTo(given.ports, given.settings);
  await stagePinned({ ...given, draft, login }, release, to);
}

/** Throws DeployError release-damaged when the donors together lack files as they were deployed. */
export async function fetchDraft(
  release: StoredRelease,
  donors: readonly Member[],
  of: Environment,
): Promise<ReleaseDraft> {
  const found: FilesOnDroplet[] = [];
  for (const donor of donors) {
    const { survey } = donor;
    const files = heldRelease(donor, release.id) && (await fetchFiles(donor, release));
    if (files === undefined) continue;
    found.push({ files, sums: survey.current === release.id ? survey.checksums : undefined });
    const draft = assemble(release, found);
    if (draft !== undefined) return draft;
  }
  const message = `No droplet has every file of release ${release.id} as it was deployed, nor do they together.`;
  throw new DeployError('release-damaged', message, {
    hint: `Deploy that version again: ${doDeploy(of, 'deploy', release.imageTag)}`,
  });
}

/**
 * The release's files as they are on the droplet; undefined when they cannot be read: another droplet may have them. Only
 * in memory, because they may hold secrets.
 */
async function fetchFiles(donor: Member, { app, id }: StoredRelease): Promise<ReleaseFile[] | undefined> {
  const parts: Buffer[] = [];
  try {
    while (parts.length < MAX_PARTS) {
      const { code, stdout } = await donor.connection.run(fetchCommand(app, id, parts.length));
      if (code !== 0) return undefined;
      const part = Buffer.from(stdout, 'base64');
      parts.push(part);
      if (part.length < PART_BYTES) return await readArchive(Buffer.concat(parts));
    }
  } catch (error) {
    if (!(error instanceof ShellError)) throw error;
  }
  return undefined;
}

/**
 * Prints one part of the archive of a release's files in base64; nothing past its end. Every call packs the archive
 * again: it stays the same as long as the files do.
 */
function fetchCommand(app: string, release: string, part: number): RemoteCommand {
  const first = part * PART_BYTES + 1;
  return command(
    'fetch',
    { app, release, part },
    [
      'set -eu',
      `cd ${releaseFolder(app, release)}`,
      // As ./PATH: tar takes a line that begins with - for an option.
      `sed 's|^[0-9a-f]* [ *]|./|' SHA256SUMS | tar -cf - -T - | gzip -1n | tail -c +${first} | head -c ${PART_BYTES} | base64`,
    ],
    { timeoutMs: 120 * SECOND, reads: true },
  );
}
