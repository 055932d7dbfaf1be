import type { Settings } from '../config/settings.js';
import { infoOf, type StoredRelease } from '../deploy/release/stored-release.js';
import { findReleaseToGoBackTo, rollback } from '../deploy/rollouts/rollback.js';
import { versionWords } from '../reporters/phrases.js';
import type { RollbackInvocation } from './commands.js';
import { confirm, mustConfirm } from './confirm.js';
import type { CliContext } from './context.js';
import { EXIT } from './exit-codes.js';
import { createOutput } from './output.js';
import { runRollout } from './run-rollout.js';
import { settingsFor } from './settings-for.js';
import { wire } from './wire.js';

/** `do-deploy rollback ENVIRONMENT [RELEASE]`. Gives the exit code. */
export async function rollbackCommand(invocation: RollbackInvocation, context: CliContext): Promise<number> {
  const settings = await settingsFor(invocation, context, 'fleet');
  let wanted = invocation.release;
  if (mustConfirm(settings, invocation, context)) {
    const found = await findRelease(settings, invocation, context);
    // What was agreed to, and nothing that somebody deploys meanwhile.
    wanted = found.id;
    const question = `Roll ${invocation.environment} back to ${versionWords(infoOf(found))}, release ${found.id}?`;
    if (!(await confirm(question, context))) {
      context.stdout.write('Nothing was changed.\n');
      return EXIT.interrupted;
    }
  }
  return runRollout(settings, invocation, context, (ports, options) =>
    rollback(ports, { ...options, ...(wanted !== undefined && { wanted }) }),
  );
}

async function findRelease(
  settings: Settings,
  invocation: RollbackInvocation,
  context: CliContext,
): Promise<StoredRelease> {
  const reporter = createOutput(context, invocation, settings.secrets);
  try {
    const { release } = invocation;
    const ports = wire(settings, reporter, invocation);
    return await findReleaseToGoBackTo(ports, { settings, wanted: release });
  } finally {
    await reporter.close();
  }
}
