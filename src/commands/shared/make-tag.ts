import type { CommandContext } from '../../cli/define-command.js';
import { commandLine, usage } from '../../cli/usage-errors.js';
import { performTag, planTag, type Tagged, type TagOptions } from '../../deploy/release/git-tag.js';
import { listPaths } from '../../deploy/release/version.js';
import type { Repository } from '../../ports.js';

/**
 * Shows what it would commit, asks if it must, and tags.
 * @param argv the command line with --yes, for a user who cannot be asked
 * @returns undefined: the answer was no
 */
export async function makeTag(
  { show, canAsk, ask }: Pick<CommandContext, 'show' | 'canAsk' | 'ask'>,
  repository: Repository,
  name: string,
  options: TagOptions & { yes: boolean },
  argv: readonly string[],
): Promise<(Tagged & { committed: string[] }) | undefined> {
  const plan = planTag(repository, name, options);
  const committed = plan.commits;
  if (committed.length > 0) {
    const asks = canAsk && !options.yes;
    if (!asks && !options.yes) {
      throw usage(
        `There are changes to commit first: ${listPaths(committed)}.`,
        `${commandLine(argv)} commits them as "version ${name}"`,
      );
    }
    show({ type: 'text', lines: [`To be committed as "version ${name}":`, ...committed.map((path) => `  ${path}`)] });
    if (asks && !(await ask(`Commit this and tag it ${name}?`))) return undefined;
  }
  const tagged = performTag(repository, plan);
  if (plan.empty) {
    show({ type: 'text', lines: [`There was nothing to commit: "version ${name}" is an empty commit.`] });
  }
  return { ...tagged, committed };
}
