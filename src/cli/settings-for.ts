import { type LoadedSettings, type LoadOptions, loadSettings } from '../config/load.js';
import type { CliContext } from './context.js';

/** The settings of the environment that a command names, for one that deploys no files of its own. Throws DeployError. */
export function settingsFor(
  { environment, config }: { environment: string; config?: string | undefined },
  { cwd, env }: Pick<CliContext, 'cwd' | 'env'>,
  needs: LoadOptions['needs'] & string,
): Promise<LoadedSettings> {
  return loadSettings({ cwd, env, environment, needs, configPath: config });
}
