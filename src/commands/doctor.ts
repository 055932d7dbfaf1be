import { flag, text } from '../cli/arguments.js';
import { type CommandContext, defineCommand } from '../cli/define-command.js';
import { EXIT } from '../cli/exit-codes.js';
import { repositoryIfUsable } from '../cli/source.js';
import type { LoadedSettings } from '../config/load.js';
import { ConfigError, type Problem } from '../config/problems.js';
import type { DoctorFinding, DoctorReport } from '../rollout/doctor.js';
import { type Examined, repair } from './shared/repair.js';

export default defineCommand({
  name: 'doctor',
  topic: 'look',
  summary: 'Check everything that a deploy depends on',
  description:
    'The token, the balancer, firewalls, droplets, compose and env files, the registry, and what earlier runs have left.\nEach finding says what it is, why it matters and how to fix it. It changes nothing without --fix; docs/doctor.md\nlists all findings.',
  examples: [
    ['doctor production', 'check one environment; exit code 1 if there is an error'],
    ['doctor --json', 'check all environments, as JSON'],
    ['doctor production --fix', 'also correct what can be corrected safely'],
  ],
  positionals: { environment: text({ describe: 'An environment of config/deploy.yml (default: all)' }) },
  options: {
    fix: flag({
      describe: 'Correct what touches no container: permissions, .gitignore, records of droplets that serve',
    }),
  },
  rolls: true,
  settings: 'none',
  exits: { [EXIT.failed]: 'failed, or there are errors (doctor)' },
  async run(context) {
    const { environment, fix } = context.args;
    const names = environment === undefined ? await context.environments() : [environment];
    const output: DoctorReport[] = [];
    // One after the other: each has a budget of requests of its own.
    for (const name of names) {
      const examined = await examineOne(context, name);
      output.push(fix ? await repair(context, examined) : examined.report);
    }
    const isLeft = ({ severity, fixed }: DoctorFinding) => severity === 'error' && fixed !== true;
    const hasErrors = output.some(({ findings }) => findings.some(isLeft));
    return {
      exit: hasErrors ? EXIT.failed : EXIT.ok,
      output: output.map((report) => ({ type: 'doctor', ...report })),
    };
  },
});

async function examineOne(context: CommandContext, environment: string): Promise<Examined> {
  const [{ examine }, { readComposeProject }, { examineEnvFiles }] = await Promise.all([
    import('../deploy/doctor/examine.js'),
    import('../config/compose-project.js'),
    import('../config/examine-env-files.js'),
  ]);
  const { settings, problems } = await loadWhatIsRight(context, environment);
  const root = settings?.root ?? (await rootOf(context));
  const envFiles = examineEnvFiles(root, filesOf(settings), gitPaths(root, context));
  const report = await examine(settings && (await context.ports(settings)), {
    app: settings?.app ?? '',
    environment,
    settings,
    isWhole: problems.length === 0,
    problems,
    warnings: settings?.warnings ?? [],
    envFiles,
    readProject: readComposeProject,
  });
  return { report, settings, root };
}

/** All problems of a deploy, and the settings for what can be looked at nevertheless. */
async function loadWhatIsRight(
  { load }: Pick<CommandContext, 'load'>,
  environment: string,
): Promise<{ settings?: LoadedSettings; problems: readonly Problem[] }> {
  let problems: readonly Problem[] | undefined;
  for (const needs of ['release', 'images', 'fleet'] as const) {
    try {
      return { settings: await load({ environment, needs }), problems: problems ?? [] };
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      problems ??= error.problems;
    }
  }
  return { problems: problems ?? [] };
}

function filesOf(settings: LoadedSettings | undefined): LoadedSettings['files'] {
  return [...(settings?.files ?? []), ...(settings?.roles ?? []).flatMap(({ own }) => own?.files ?? [])];
}

async function rootOf({ cwd, env, args }: Pick<CommandContext, 'cwd' | 'env' | 'args'>): Promise<string> {
  if (args.config !== undefined) return cwd;
  const { findConfig } = await import('../config/find-config.js');
  return findConfig(cwd, env)?.root ?? cwd;
}

function gitPaths(root: string, { env }: Pick<CommandContext, 'env'>) {
  const repository = repositoryIfUsable(root, env);
  if (repository === undefined) return undefined;
  try {
    return { tracked: new Set(repository.trackedPaths()), untracked: new Set(repository.untrackedPaths()) };
  } catch {
    // What git cannot read is said by what needs git.
    return undefined;
  }
}
