/** Staging a release that some droplet holds: its files come from there, its images by digest from the registry. */

import type { Settings } from '../../config/settings.js';
import { DeployError, ShellError } from '../../errors.js';
import type { RemoteCommand } from '../../ports.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { command, releaseFolder, SECOND } from '../core/shell.js';
import type { Member } from '../droplet/member.js';
import { assemble, type FilesOnDroplet, readArchive } from '../release/archive.js';
import type { ReleaseFile } from '../release/draft.js';
import type { StoredRelease } from '../release/stored-release.js';
import { stagePinned } from './stage-release.js';

/** Parts of an archive at most: a release is files, not data. */
const MOST_PARTS = 100;

/** Throws DeployError release-damaged when the droplets waitForAll do not have the files as they were deployed. */
export async function stageExisting(
  ports: DeployPorts,
  settings: Settings,
  record: StoredRelease,
  { donors, to }: { donors: readonly Member[]; to: readonly Member[] },
): Promise<void> {
  const held: FilesOnDroplet[] = [];
  for (const donor of donors) {
    if (!donor.survey.releases.some((release) => release.id === record.id)) continue;
    const files = await fetchFiles(donor, record);
    if (files === undefined) continue;
    held.push({ files, ...(donor.survey.current === record.id && { sums: donor.survey.checksums }) });
    const draft = assemble(record, held);
    if (draft !== undefined) return await stagePinned(ports, settings, draft, record, to);
  }
  throw new DeployError(
    'release-damaged',
    `The droplets no longer have every file of release ${record.id} as it was deployed.`,
    {
      hint: `Deploy that version again: do-deploy ${record.environment} ${record.imageTag}`,
    },
  );
}

/** What the droplet has of the release's files; undefined when it is cut off. They may hold secrets: they stay in memory. */
async function fetchFiles(donor: Member, record: StoredRelease): Promise<ReleaseFile[] | undefined> {
  try {
    return await readParts(donor, record);
  } catch (error) {
    // Another droplet may have them.
    if (error instanceof ShellError) return undefined;
    throw error;
  }
}

async function readParts(donor: Member, record: StoredRelease): Promise<ReleaseFile[] | undefined> {
  const parts: Buffer[] = [];
  for (let part = 0; part < MOST_PARTS; part += 1) {
    const { code, stdout } = await donor.connection.run(fetchCommand(record.app, record.id, part));
    if (code !== 0) return undefined;
    const bytes = Buffer.from(stdout, 'base64');
    parts.push(bytes);
    if (bytes.length < ARCHIVE_PART_BYTES) return await readArchive(Buffer.concat(parts));
  }
  return undefined;
}

/** Bytes of an archive that are read with one command: in base64 they stay below what a command's answer may hold. */
export const ARCHIVE_PART_BYTES = 2 * 1024 * 1024;

/**
 * Prints a part of the archive of a release's files, in base64; '' past its end. Secrets in them stay in memory on the
 * way. The archive is made anew each time, and is the same as long as the files are.
 */
export function fetchCommand(app: string, release: string, part: number): RemoteCommand {
  const first = part * ARCHIVE_PART_BYTES + 1;
  return command(
    'fetch',
    { app, release, part },
    [
      'set -eu',
      `cd ${releaseFolder(app, release)}`,
      `sed 's/^[0-9a-f]* [ *]//' SHA256SUMS | tar -cf - -T - | gzip -1n | tail -c +${first} | head -c ${ARCHIVE_PART_BYTES} | base64`,
    ],
    { timeoutMs: 120 * SECOND },
  );
}
