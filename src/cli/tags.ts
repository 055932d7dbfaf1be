import { type LoadedSettings, listEnvironments, loadSettings } from '../config/load.js';
import { ConfigError } from '../config/problems.js';
import type { Secret } from '../config/secret.js';
import { readStatus } from '../deploy/inspect/read-status.js';
import { asDeployError } from '../errors.js';
import { type EnvironmentLook, matchTags } from '../rollout/match-tags.js';
import type { TagsInvocation } from './commands.js';
import type { CliContext } from './context.js';
import { EXIT } from './exit-codes.js';
import { createOutput } from './output.js';
import { requireRepository } from './source.js';
import { wire } from './wire.js';

/** `do-deploy tags`. An environment that can't be asked is told, and fails nothing. Gives the exit code. */
export async function tagsCommand(invocation: TagsInvocation, context: CliContext): Promise<number> {
  const tags = requireRepository(context).tags();
  const { cwd, env } = context;
  const project = { cwd, env, configPath: invocation.config };
  const secrets: Secret[] = [];
  const load = async (environment: string): Promise<LoadedSettings> => {
    const settings = await loadSettings({ ...project, environment, needs: 'fleet' });
    secrets.push(...settings.secrets);
    return settings;
  };
  const names = await listEnvironments(project);
  const loaded = await Promise.all(names.map(async (name) => ({ name, ...(await attempt(() => load(name))) })));
  const reporter = createOutput(context, invocation, secrets);
  const looks = await Promise.all(
    loaded.map(async ({ name, value, failure }): Promise<EnvironmentLook> => {
      if (value === undefined) return { name, rows: [], unknown: failure ?? '' };
      try {
        return { name, rows: await readStatus(wire(value, reporter, invocation), value) };
      } catch (error) {
        return { name, rows: [], unknown: asDeployError(error).message };
      }
    }),
  );
  const found = matchTags(tags, looks);
  reporter.printTags(found.tags, found.environments);
  await reporter.close();
  return EXIT.ok;
}

async function attempt<T>(task: () => Promise<T>): Promise<{ value?: T; failure?: string }> {
  try {
    return { value: await task() };
  } catch (error) {
    if (!(error instanceof ConfigError)) return { failure: asDeployError(error).message };
    return { failure: error.problems.map(({ place, message }) => `${place} ${message}`).join('; ') };
  }
}
