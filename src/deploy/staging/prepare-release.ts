/** The user's own script, run for a release on each droplet before its images come. */

import { DeployError } from '../../errors.js';
import type { RemoteCommand } from '../../ports.js';
import { lastLine } from '../core/output-lines.js';
import { command, quote, releaseFolder } from '../core/shell.js';
import type { Member } from '../droplet/member.js';
import { PARTIAL } from '../release/compose-run.js';
import type { ReleaseDraft } from '../release/draft.js';

const PREPARE_WITHIN_MS = 15 * 60_000;

/** Throws DeployError prepare-failed: the droplet goes on serving what it serves. */
export async function prepareRelease(draft: ReleaseDraft, script: string, member: Member): Promise<undefined> {
  const { code, stderr, stdout } = await member.connection.run(prepareCommand(draft, script, PREPARE_WITHIN_MS));
  if (code === 0) return;
  const reason = lastLine(stderr.trim() === '' ? stdout : stderr);
  throw new DeployError('prepare-failed', `${script} failed on ${member.host.name} with exit code ${code}: ${reason}`, {
    droplet: member.host.name,
    hint: 'It runs in the folder of the release, with APP, DEPLOY_ENV and IMAGE_TAG. Correct it, then deploy again.',
  });
}

/** Runs the release's own script in its folder: by its first line when it is executable, else by sh. */
export function prepareCommand(draft: ReleaseDraft, script: string, timeoutMs: number): RemoteCommand {
  const variables = { APP: draft.app, DEPLOY_ENV: draft.environment, IMAGE_TAG: draft.imageTag };
  return command(
    'prepare',
    { app: draft.app, release: draft.id, script },
    [
      'set -eu',
      `cd ${releaseFolder(draft.app, draft.id + PARTIAL)}`,
      `export ${Object.entries(variables)
        .map(([name, value]) => `${name}=${quote(value)}`)
        .join(' ')}`,
      `if [ -x ${quote(script)} ]; then exec ${quote(`./${script}`)} </dev/null; else exec sh ${quote(script)} </dev/null; fi`,
    ],
    // A script that is still running must not be started once more.
    { timeoutMs, repeatable: false, mayBeCut: true },
  );
}
