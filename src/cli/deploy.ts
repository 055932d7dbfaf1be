import { checkBranch, checkPolicy } from '../deploy/release/version-policy.js';
import { describeCommit } from '../rollout/commit.js';
import type { DeployInvocation } from './commands.js';
import { confirm, mustConfirm } from './confirm.js';
import type { CliContext } from './context.js';
import { EXIT } from './exit-codes.js';
import { loadSource, requireRepository } from './source.js';

/** `do-deploy ENVIRONMENT [RELEASE]`. Gives the exit code. */
export async function deployCommand(invocation: DeployInvocation, context: CliContext): Promise<number> {
  const { environment, release, force } = invocation;
  if (invocation.createTag && release !== undefined && !(await tagFirst(release, invocation, context))) {
    context.stdout.write('Nothing was committed, tagged or deployed.\n');
    return EXIT.interrupted;
  }
  const { settings, repository, version, commit, notice } = await loadSource(invocation, context);
  checkPolicy(settings, repository, version);
  const imageTag = release ?? settings.imageTag;
  if (mustConfirm(settings, invocation, context)) {
    const of = commit === undefined ? '' : ` (${describeCommit(commit)})`;
    if (!(await confirm(`Deploy ${settings.app} ${imageTag}${of} to ${environment}?`, context))) {
      context.stdout.write('Nothing was deployed.\n');
      return EXIT.interrupted;
    }
  }
  // Imported only now: a wrong configuration is told at once.
  const [{ runRollout }, { deploy }, { reportTo }] = await Promise.all([
    import('./run-rollout.js'),
    import('../deploy/rollouts/deploy.js'),
    import('../deploy/core/report.js'),
  ]);
  return runRollout(settings, invocation, context, (ports, options) => {
    if (notice !== undefined) reportTo(ports)({ type: 'notice', ...notice });
    const origin = { releaseRef: release, ...(commit && { commit }) };
    return deploy(ports, { ...options, ...origin, imageTag, force });
  });
}

/** `--create-tag`: once it is known that the rest is in order. False: the answer was no. */
async function tagFirst(name: string, invocation: DeployInvocation, context: CliContext): Promise<boolean> {
  const { release: _, ...here } = invocation;
  const { settings, repository, version } = await loadSource({ ...here, workingTree: true }, context);
  checkBranch(settings, repository, version);
  const { makeTag, taggedLine } = await import('./tag.js');
  const options = { ...invocation, all: false };
  const tagged = await makeTag(repository ?? requireRepository(context), name, options, context);
  if (tagged !== undefined && !invocation.json) context.stdout.write(taggedLine(tagged));
  return tagged !== undefined;
}
