/** Settings together with the version that their files are from: what git knows of the project. */
import { openRepository } from '../adapters/git/repository.js';
import { VersionTree } from '../adapters/git/version-tree.js';
import type { LoadedSettings } from '../config/load.js';
import { describeVersion, findVersion, type Version } from '../deploy/release/version.js';
import { asDeployError, DeployError } from '../errors.js';
import type { Repository } from '../ports.js';
import type { CommitInfo } from '../rollout/model.js';
import type { CommandContext } from './define-command.js';

export interface Source {
  settings: LoadedSettings;
  repository?: Repository;
  version: Version;
  commit?: CommitInfo;
  /** Where the files come from, for the user. */
  notice?: { level: 'info' | 'warning'; message: string };
}

/**
 * Loads the settings of an environment, with the files of the version that `release` names in git. Without such a
 * version, or with `workingTree`, the files are those of the working tree.
 */
export async function loadSource(
  { env, load }: Pick<CommandContext, 'env' | 'load'>,
  { environment, release, workingTree }: { environment: string; release?: string; workingTree: boolean },
): Promise<Source> {
  let repository: Repository | undefined;
  let version: Version = { from: 'folder' };
  let unusable: DeployError | undefined;

  const openTree = (root: string) => {
    try {
      repository = openRepository(root, env);
    } catch (error) {
      unusable = asDeployError(error);
      // Whether RELEASE is in git is not known, and a guess could deploy the wrong files.
      if (release !== undefined && !workingTree) throw unusable;
    }
    version = findVersion(repository, workingTree ? undefined : release);
    if (version.from !== 'commit' || repository === undefined) return undefined;
    return new VersionTree(root, repository, version);
  };
  const settings = await load({ environment, openTree });
  if (unusable !== undefined) {
    if (settings.requireClean || settings.deployFrom !== undefined) throw unusable;
    const message = `The commit of the files is unknown: ${unusable.message}`;
    return { settings, version, notice: { level: 'warning', message } };
  }
  const ofRoles = (settings.roles ?? []).flatMap(({ own }) => own?.files ?? []);
  const files = new Map([...settings.files, ...ofRoles].map((file) => [file.path, file]));
  const { commit, notice } = describeVersion(version, repository, release, [...files.values()]);
  return {
    settings,
    version,
    repository,
    commit,
    notice: notice === undefined ? undefined : { level: 'info', message: notice },
  };
}

/** For what is good to know: undefined without a repository, and also if git cannot read it. */
export function repositoryIfUsable(root: string, env: CommandContext['env']): Repository | undefined {
  try {
    return openRepository(root, env);
  } catch {
    return undefined;
  }
}

/** Throws DeployError `no-repository`. */
export function requireRepository({ cwd, env }: Pick<CommandContext, 'cwd' | 'env'>): Repository {
  const repository = openRepository(cwd, env);
  if (repository !== undefined) return repository;
  throw new DeployError('no-repository', `${cwd} is not in a git repository.`, {
    source: 'user',
    hint: 'Change to a clone of the project, and install git if it is missing.',
  });
}
