import { flag, text } from '../cli/arguments.js';
import { type CommandContext, defineCommand } from '../cli/define-command.js';
import { EXIT } from '../cli/exit-codes.js';
import { environment, partOptions } from '../cli/options.js';
import { refuseFrozen } from '../cli/refuse-frozen.js';
import { usage } from '../cli/usage-errors.js';
import type { LoadedSettings } from '../config/load.js';
import { IMAGE_TAG } from '../config/names.js';
import { doDeploy } from '../deploy/core/do-deploy.js';
import { again } from '../deploy/session/continue-command.js';
import { DeployError } from '../errors.js';
import type { CommitInfo } from '../rollout/model.js';
import type { PlanFinding } from '../rollout/plan.js';
import { partOf } from './shared/part.js';

export default defineCommand({
  name: 'plan',
  topic: 'deploy',
  summary: 'Show what a deploy would do, and do nothing',
  description:
    'For each droplet the files, images and services that would change; then the order, who is out when, how long it takes,\nand what would be refused. It only reads: no lock, no upload, no tag, no pull.',
  examples: [
    ['plan production v1.4.2', 'what `production v1.4.2` would change; exit code 5 if anything'],
    ['plan production --rollback', 'what `rollback production` would change'],
  ],
  positionals: {
    environment,
    release: text({
      describe: 'As in a deploy, a value of IMAGE_TAG; with --rollback, the id or image tag of a release',
      pattern: { regexp: IMAGE_TAG, expected: 'an image tag: letters, digits and . _ -', example: 'v1.4.2' },
    }),
  },
  options: {
    rollback: flag({ describe: 'Plan the return to an earlier release instead' }),
    ...partOptions,
    allowDowntime: flag({ describe: 'Plan it with --allow-downtime' }),
    skipUnreachable: flag({ describe: 'Plan it without droplets that are off or do not answer' }),
    force: flag({ describe: 'Plan it with --force' }),
    workingTree: flag({ describe: 'Take the files of the working tree even if git has RELEASE' }),
  },
  rolls: true,
  settings: 'none',
  exits: { [EXIT.changes]: 'something is to be done (bootstrap --check, plan)' },
  async run(context) {
    const { args, ports } = context;
    const { release, rollback } = args;
    if (rollback && (args.canary !== false || args.droplets.length > 0)) {
      throw usage(
        'A rollback is of the whole fleet.',
        doDeploy(args, 'plan', ...(release ? [release] : []), '--rollback'),
      );
    }
    const part = partOf(args);
    const command = rollback ? ('rollback' as const) : ('deploy' as const);
    const source = rollback
      ? { settings: await context.load({ environment: args.environment, needs: 'fleet' }), findings: [] }
      : await sourceOf(context);
    const { settings } = source;
    const [{ planRollout }, { readComposeProject, readEnvText }, { namesSecret }] = await Promise.all([
      import('../deploy/plan/plan-rollout.js'),
      import('../config/compose-project.js'),
      import('../config/harmless.js'),
    ]);
    const imageTag = rollback ? '' : (release ?? settings.imageTag);
    const asked = { command, release: { id: '', imageTag: imageTag || (release ?? '') }, options: { settings, part } };
    const plan = await planRollout(await ports(settings), {
      settings,
      command,
      imageTag,
      commit: source.commit,
      force: args.force,
      ...(rollback && release !== undefined && { wanted: release }),
      ...(part && { part }),
      ...(args.skipUnreachable && { skip: 'fail' as const }),
      allowDowntime: args.allowDowntime,
      handlers: settings.handlers,
      read: { project: readComposeProject, variables: readEnvText, namesSecret },
      findings: [...source.findings, ...findingsOf(context, settings, again(asked, '--during-freeze'))],
    });
    return { exit: plan.changes ? EXIT.changes : EXIT.ok, output: { type: 'plan', ...plan } };
  },
});

type Planning = CommandContext<{ environment: string; release?: string; workingTree: boolean }, 'none'>;

interface Source {
  settings: LoadedSettings;
  commit?: CommitInfo;
  findings: PlanFinding[];
}

async function sourceOf(context: Planning): Promise<Source> {
  const [{ loadSource }, { checkPolicy }] = await Promise.all([
    import('../cli/source.js'),
    import('../deploy/release/version-policy.js'),
  ]);
  const { settings, repository, version, commit, notice } = await loadSource(context, context.args);
  const findings: PlanFinding[] = (settings.warnings ?? []).map((message) => ({
    kind: 'note',
    message,
  }));
  if (notice !== undefined) findings.push({ kind: 'note', message: notice.message });
  findings.push(...refusal(() => checkPolicy(settings, repository, version)));
  return { settings, ...(commit && { commit }), findings };
}

/**
 * What a deploy would refuse, or ask, before it contacts anything.
 * @param anyway the command line of the deploy in a freeze
 */
function findingsOf(
  { clock }: Planning,
  { environment, freeze, isProtected, handlers }: LoadedSettings,
  anyway: string,
): PlanFinding[] {
  const asks = handlers.flatMap(({ layer }) => layer?.confirms ?? []);
  return [
    ...refusal(() => refuseFrozen(environment, freeze ?? [], clock.now(), anyway)),
    ...(isProtected
      ? [
          {
            kind: 'note' as const,
            message: `${environment} is protected: its name has to be typed, or given with --confirm-environment ${environment}.`,
          },
        ]
      : []),
    ...[...new Set(asks)].map((name) => ({
      kind: 'note' as const,
      message: `${name} has to be confirmed, or given with --confirm ${name}.`,
    })),
  ];
}

function refusal(check: () => void): PlanFinding[] {
  try {
    check();
    return [];
  } catch (error) {
    if (!(error instanceof DeployError)) throw error;
    const { code, message, hint } = error;
    return [{ kind: 'refused', code, message, ...(hint && { hint }) }];
  }
}
