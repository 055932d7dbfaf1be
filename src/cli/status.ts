import { type LoadedSettings, listEnvironments, loadSettings } from '../config/load.js';
import { ConfigError, ProblemList } from '../config/problems.js';
import { asDeployError, type DeployError } from '../errors.js';
import type { StatusInvocation } from './commands.js';
import type { CliContext } from './context.js';
import { EXIT, exitCodeOfError } from './exit-codes.js';
import { createOutput } from './output.js';

/**
 * `do-deploy status [ENVIRONMENT]`: a table for each environment; with --check a line for each difference from the fleet's
 * release. Gives the exit code.
 */
export async function statusCommand(invocation: StatusInvocation, context: CliContext): Promise<number> {
  const { loaded, errors } = await loadAll(invocation, context);
  const secrets = loaded.flatMap((settings) => settings.secrets);
  const reporter = createOutput(context, invocation, secrets);
  let differs = false;

  if (loaded.length > 0) {
    const [{ wire }, { readStatus }, { checkFleet }] = await Promise.all([
      import('./wire.js'),
      import('../deploy/inspect/read-status.js'),
      import('../deploy/inspect/check-drift.js'),
    ]);
    for (const settings of loaded) {
      const { app, environment } = settings;
      try {
        const ports = wire(settings, reporter, invocation);
        if (invocation.check) {
          const drift = await checkFleet(ports, settings);
          reporter.printDrift({ app, environment, ...drift });
          differs ||= drift.differences.length > 0;
        } else {
          reporter.printStatus(await readStatus(ports, settings), `${app}: ${environment}`);
        }
      } catch (error) {
        errors.push(asDeployError(error));
      }
    }
  }
  await reporter.close();
  for (const error of errors) reporter.printError(error);
  if (errors.length > 0) return Math.max(...errors.map(exitCodeOfError));
  return differs ? EXIT.drift : EXIT.ok;
}

/** Settings of the environment that was named, or of all; what one of these lacks does not hide the others. */
async function loadAll(
  { environment, config }: StatusInvocation,
  { cwd, env }: CliContext,
): Promise<{ loaded: LoadedSettings[]; errors: DeployError[] }> {
  const project = { cwd, env, needs: 'fleet' as const, configPath: config };
  const names = environment === undefined ? await listEnvironments(project) : [environment];
  const loaded: LoadedSettings[] = [];
  const errors: DeployError[] = [];
  for (const name of names) {
    try {
      loaded.push(await loadSettings({ ...project, environment: name }));
    } catch (error) {
      errors.push(asDeployError(error));
    }
  }
  return { loaded, errors: mergeProblems(errors) };
}

/** Environments share most of their settings, and so their problems: each is told once. */
function mergeProblems(errors: readonly DeployError[]): DeployError[] {
  const configErrors = errors.filter((error) => error instanceof ConfigError);
  const [first] = configErrors;
  if (first === undefined || configErrors.length < 2) return [...errors];
  const all = new ProblemList();
  for (const { problems } of configErrors) {
    for (const { place, message, remedy } of problems) all.add(place, message, remedy);
  }
  return [all.toError(first.subject), ...errors.filter((error) => !(error instanceof ConfigError))];
}
