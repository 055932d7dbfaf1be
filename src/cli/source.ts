/** Settings waitForAll with the version that they are loaded from: what git knows of the project. */
import { openRepository } from '../adapters/git/repository.js';
import { VersionTree } from '../adapters/git/version-tree.js';
import { type LoadedSettings, loadSettings } from '../config/load.js';
import { describeVersion, findVersion, type Version } from '../deploy/release/version.js';
import { asDeployError, DeployError } from '../errors.js';
import type { Repository } from '../ports.js';
import type { CommitInfo } from '../rollout/model.js';
import type { CliContext } from './context.js';

export interface Source {
  settings: LoadedSettings;
  repository?: Repository;
  version: Version;
  commit?: CommitInfo;
  /** What the user should know about where the files come from. */
  notice?: { level: 'info' | 'warning'; message: string };
}

/**
 * Loads an environment's settings, with the files of the version that RELEASE names in git; else, or with
 * `workingTree`, with those that are here.
 */
export async function loadSource(
  options: { environment: string; config?: string; release?: string; workingTree: boolean },
  { cwd, env }: Pick<CliContext, 'cwd' | 'env'>,
): Promise<Source> {
  const { environment, config, release, workingTree } = options;
  let repository: Repository | undefined;
  let version: Version = { from: 'folder' };
  let unusable: DeployError | undefined;

  const openTree = (root: string) => {
    try {
      repository = openRepository(root, env);
    } catch (error) {
      unusable = asDeployError(error);
      // Whether RELEASE is in git can't be told: to guess would be to deploy the wrong files.
      if (release !== undefined && !workingTree) throw unusable;
    }
    version = findVersion(repository, workingTree ? undefined : release);
    if (version.from !== 'commit' || repository === undefined) return undefined;
    return new VersionTree(root, repository, version);
  };
  const settings = await loadSettings({
    cwd,
    env,
    environment,
    openTree,
    configPath: config,
  });
  if (unusable !== undefined) {
    if (settings.requireClean || settings.deployFrom !== undefined) throw unusable;
    const message = `Which commit this is can't be told: ${unusable.message}`;
    return { settings, version, notice: { level: 'warning', message } };
  }
  const { commit, notice } = describeVersion(version, repository, release, settings.files);
  return {
    settings,
    version,
    ...(repository && { repository }),
    ...(commit && { commit }),
    ...(notice !== undefined && { notice: { level: 'info', message: notice } }),
  };
}

/** Throws DeployError `no-repository`. */
export function requireRepository({ cwd, env }: Pick<CliContext, 'cwd' | 'env'>): Repository {
  const repository = openRepository(cwd, env);
  if (repository !== undefined) return repository;
  throw new DeployError('no-repository', `${cwd} is not in a git repository.`, {
    source: 'user',
    hint: 'Go to a clone of the project, with git installed.',
  });
}
