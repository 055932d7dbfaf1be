/** Staging a release that some droplet holds: its files come from there, its images by digest from the registry. */
import type { Settings } from '../config/settings.js';
import { DeployError, ShellError } from '../errors.js';
import type { DeployPorts } from './context.js';
import { assemble, type HeldFiles, type ReleaseFile, type ReleaseRecord, readArchive } from './release.js';
import { ARCHIVE_PART_BYTES, fetchCommand } from './remote/release-commands.js';
import type { Site } from './site.js';
import { stagePinned } from './staging.js';

/** Parts of an archive at most: a release is files, not data. */
const MOST_PARTS = 100;

/** Throws DeployError release-damaged when the droplets together do not have the files as they were deployed. */
export async function stageHeld(
  ports: DeployPorts,
  settings: Settings,
  record: ReleaseRecord,
  { donors, to }: { donors: readonly Site[]; to: readonly Site[] },
): Promise<void> {
  const held: HeldFiles[] = [];
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
async function fetchFiles(donor: Site, record: ReleaseRecord): Promise<ReleaseFile[] | undefined> {
  try {
    return await readParts(donor, record);
  } catch (error) {
    // Another droplet may have them.
    if (error instanceof ShellError) return undefined;
    throw error;
  }
}

async function readParts(donor: Site, record: ReleaseRecord): Promise<ReleaseFile[] | undefined> {
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
