/** Staging a release that some droplet holds: its files come from there, its images by digest from the registry. */
import type { Settings } from '../config/settings.js';
import { DeployError, ShellError } from '../errors.js';
import type { DeployPorts } from './context.js';
import { type ReleaseDraft, type ReleaseRecord, readArchive } from './release.js';
import { ARCHIVE_PART_BYTES, fetchCommand } from './remote/release-commands.js';
import type { Site } from './site.js';
import { stagePinned } from './staging.js';

/** Parts of an archive at most: a release is files, not data. */
const MOST_PARTS = 100;

/** Throws DeployError release-damaged when no droplet has the files as they were deployed. */
export async function stageHeld(
  ports: DeployPorts,
  settings: Settings,
  record: ReleaseRecord,
  { donors, to }: { donors: readonly Site[]; to: readonly Site[] },
): Promise<void> {
  for (const donor of donors) {
    if (!donor.survey.releases.some((release) => release.id === record.id)) continue;
    const draft = await fetchRelease(donor, record);
    if (draft !== undefined) return await stagePinned(ports, settings, draft, record, to);
  }
  throw new DeployError('release-damaged', `No droplet has the files of release ${record.id} as they were deployed.`, {
    hint: `Deploy that version again: do-deploy ${record.environment} ${record.imageTag}`,
  });
}

/**
 * Undefined when the droplet's files are not those that were deployed, or its connection is lost: another one may have
 * them. They may hold secrets: they stay in memory.
 */
async function fetchRelease(donor: Site, record: ReleaseRecord): Promise<ReleaseDraft | undefined> {
  try {
    return await readRelease(donor, record);
  } catch (error) {
    if (error instanceof ShellError) return undefined;
    throw error;
  }
}

async function readRelease(donor: Site, record: ReleaseRecord): Promise<ReleaseDraft | undefined> {
  const parts: Buffer[] = [];
  for (let part = 0; part < MOST_PARTS; part += 1) {
    const { code, stdout } = await donor.connection.run(fetchCommand(record.app, record.id, part));
    if (code !== 0) return undefined;
    const bytes = Buffer.from(stdout, 'base64');
    parts.push(bytes);
    if (bytes.length < ARCHIVE_PART_BYTES) return await readArchive(record, Buffer.concat(parts));
  }
  return undefined;
}
