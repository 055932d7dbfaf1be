/** The repository of push-to-deploy, and what its settings mean. */
import { resolve } from 'node:path';
import { BareRepository } from '../adapters/git/bare-repository.js';
import type { PushRules } from '../rollout/pushed-refs.js';
import type { CommandContext } from './define-command.js';
import { usage } from './usage-errors.js';

export interface PushSettings extends PushRules {
  /** IMAGE_TAG of a push to the branch is the commit's hash. */
  byCommit: boolean;
  /** Confirms a protected environment, by its name. */
  confirmEnvironment: string | undefined;
}

type Context = Pick<CommandContext, 'cwd' | 'env'>;

export function openPushRepository(path: string, { cwd, env }: Context): BareRepository {
  return BareRepository.open(resolve(cwd, path), env);
}

export function createPushRepository(path: string, branch: string, { cwd, env }: Context): BareRepository {
  return BareRepository.openOrCreate(resolve(cwd, path), branch, env);
}

export function savePushSettings(repository: BareRepository, settings: PushSettings): void {
  const { environment, branch, tags, byCommit, confirmEnvironment } = settings;
  repository.set('environment', environment);
  repository.set('branch', branch);
  repository.set('tags', tags);
  repository.set('byCommit', byCommit ? 'true' : undefined);
  repository.set('confirmEnvironment', confirmEnvironment);
}

/** Throws DeployError usage where the repository was not prepared. */
export function readPushSettings(repository: BareRepository): PushSettings {
  const [environment, branch] = [repository.setting('environment'), repository.setting('branch')];
  if (environment === undefined || branch === undefined) {
    throw usage(
      `${repository.path} says neither what is deployed, nor to where.`,
      `do-deploy hook install ${repository.path}`,
    );
  }
  return {
    environment,
    branch,
    tags: repository.setting('tags') ?? '',
    byCommit: repository.setting('byCommit') === 'true',
    confirmEnvironment: repository.setting('confirmEnvironment'),
  };
}
