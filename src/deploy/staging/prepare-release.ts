/** The project's own script, run for a release on each droplet before its images are pulled or built. */

import { DeployError } from '../../errors.js';
import type { RemoteCommand } from '../../ports.js';
import { errorLine } from '../core/output-lines.js';
import { command, quote, releaseFolder } from '../core/shell.js';
import type { Member } from '../droplet/member.js';
import { PARTIAL } from '../release/compose-run.js';
import type { ReleaseDraft } from '../release/draft.js';

const PREPARE_WITHIN_MS = 15 * 60_000;

/** Throws DeployError prepare-failed, or ShellError. */
export async function prepareRelease(draft: ReleaseDraft, script: string, member: Member): Promise<void> {
  const { code, stderr, stdout } = await member.connection.run(prepareCommand(draft, script));
  if (code === 0) return;
  const reason = errorLine(stderr.trim() === '' ? stdout : stderr);
  throw new DeployError('prepare-failed', `${script} failed on ${member.host.name} with exit code ${code}: ${reason}`, {
    droplet: member.host.name,
    hint: 'It runs in the folder of the release, with APP, DEPLOY_ENV and IMAGE_TAG. Fix it, then deploy again.',
  });
}

/** Runs the script in the release's folder: directly when it is executable, or else with sh. */
export function prepareCommand(draft: ReleaseDraft, script: string): RemoteCommand {
  const { app, environment, imageTag, id } = draft;
  return command(
    'prepare',
    { app, release: id, script },
    [
      'set -eu',
      `cd ${releaseFolder(app, id + PARTIAL)}`,
      `export APP=${quote(app)} DEPLOY_ENV=${quote(environment)} IMAGE_TAG=${quote(imageTag)}`,
      `if [ -x ${quote(script)} ]; then exec ${quote(`./${script}`)} </dev/null; else exec sh ${quote(script)} </dev/null; fi`,
    ],
    // Not repeatable: the script may still be running when the connection drops, and must not run twice.
    { timeoutMs: PREPARE_WITHIN_MS, repeatable: false, mayBeCut: true },
  );
}
