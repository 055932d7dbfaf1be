import { flag, text } from '../cli/arguments.js';
import { type CommandContext, defineCommand } from '../cli/define-command.js';
import { EXIT, exitCodeOfError } from '../cli/exit-codes.js';
import type { LoadedSettings } from '../config/load.js';
import { ConfigError, ProblemList } from '../config/problems.js';
import { asDeployError, type DeployError } from '../errors.js';
import type { Output } from '../reporters/output.js';
import type { StatusRow } from '../rollout/model.js';

export default defineCommand({
  name: 'status',
  topic: 'look',
  summary: "Show each droplet's rotation, release and health",
  description:
    'With --check it compares each droplet with the release of the fleet instead: files, images, containers,\nthe balancer, Docker, disk and clock. It changes nothing.',
  examples: [
    ['status', 'show the droplets of every environment'],
    ['status production --check', 'list what differs from the release; exit code 4 if anything does'],
  ],
  positionals: { environment: text({ describe: 'An environment of config/deploy.yml (default: all)' }) },
  options: { check: flag({ describe: 'List how droplets differ from their release' }) },
  settings: 'none',
  exits: { [EXIT.drift]: 'droplets differ from their release (status --check)' },
  async run(context) {
    const { check, environment } = context.args;
    const names = environment === undefined ? await context.environments() : [environment];
    const reads = await Promise.all(names.map((name) => readEnvironment(context, name, check)));
    const output = reads.flatMap((read) => read.output ?? []);
    const errors = mergeProblems(reads.flatMap((read) => read.error ?? []));
    const isUnknown = output.some((one) => one.type === 'status' && isUnreadable(one.rows));
    const differs = output.some((one) => one.type === 'drift' && one.differences.length > 0);
    const exit = differs ? EXIT.drift : isUnknown ? EXIT.failed : EXIT.ok;
    return { exit: errors.length > 0 ? Math.max(...errors.map(exitCodeOfError)) : exit, output, errors };
  },
});

/** Nothing is known of any droplet. */
function isUnreadable(rows: readonly StatusRow[]): boolean {
  return rows.length > 0 && rows.every(({ health }) => health === 'unknown');
}

/** What is wrong with one environment does not hide the others. */
async function readEnvironment(
  context: Pick<CommandContext, 'load' | 'ports' | 'args'>,
  environment: string,
  check: boolean,
): Promise<{ output?: Output; error?: DeployError }> {
  const { load, ports } = context;
  try {
    const settings = await load({ environment, needs: 'fleet' });
    return { output: check ? await driftOf(settings, ports) : await statusOf(settings, ports) };
  } catch (error) {
    return { error: asDeployError(error) };
  }
}

async function statusOf(settings: LoadedSettings, ports: CommandContext['ports']): Promise<Output> {
  const [{ readStatus }, { statusOutput }] = await Promise.all([
    import('../deploy/inspect/read-status.js'),
    import('./shared/status-output.js'),
  ]);
  return statusOutput(settings, await readStatus(await ports(settings), settings));
}

async function driftOf(settings: LoadedSettings, ports: CommandContext['ports']): Promise<Output> {
  const [{ checkFleet }, { driftOutput }] = await Promise.all([
    import('../deploy/inspect/check-drift.js'),
    import('./shared/status-output.js'),
  ]);
  return driftOutput(settings, await checkFleet(await ports(settings), settings));
}

/** Environments share most of their settings, and so their problems: each is shown once. */
function mergeProblems(errors: readonly DeployError[]): DeployError[] {
  const configErrors = errors.filter((error) => error instanceof ConfigError);
  const [first] = configErrors;
  if (first === undefined || configErrors.length < 2) return [...errors];
  const all = new ProblemList();
  for (const { problems } of configErrors) {
    for (const { place, message, remedy, kind } of problems) all.add(place, message, remedy, kind);
  }
  return [all.toError(first.subject), ...errors.filter((error) => !(error instanceof ConfigError))];
}
