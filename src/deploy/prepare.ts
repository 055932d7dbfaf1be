/** The user's own script, run for a release on each droplet before its images come. */
import { DeployError } from '../errors.js';
import { lastLine } from './images.js';
import type { ReleaseDraft } from './release.js';
import { prepareCommand } from './remote/release-commands.js';
import type { Site } from './site.js';

const PREPARE_WITHIN_MS = 15 * 60_000;

/** Throws DeployError prepare-failed: the droplet goes on serving what it serves. */
export async function prepareRelease(draft: ReleaseDraft, script: string, site: Site): Promise<undefined> {
  const { code, stderr, stdout } = await site.connection.run(prepareCommand(draft, script, PREPARE_WITHIN_MS));
  if (code === 0) return;
  const reason = lastLine(stderr.trim() === '' ? stdout : stderr);
  throw new DeployError('prepare-failed', `${script} failed on ${site.host.name} with exit code ${code}: ${reason}`, {
    droplet: site.host.name,
    hint: 'It runs in the folder of the release, with APP, DEPLOY_ENV and IMAGE_TAG. Correct it, then deploy again.',
  });
}
