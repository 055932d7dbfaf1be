import { performTag, planTag, type Tagged, type TagOptions } from '../deploy/release/git-tag.js';
import { listPaths } from '../deploy/release/version.js';
import type { Repository } from '../ports.js';
import { shortHash } from '../rollout/commit.js';
import type { TagInvocation } from './commands.js';
import { confirm, mustConfirm } from './confirm.js';
import type { CliContext } from './context.js';
import { EXIT } from './exit-codes.js';
import { requireRepository } from './source.js';
import { usage } from './usage-errors.js';

/** `do-deploy tag NAME`. Gives the exit code. */
export async function tagCommand(invocation: TagInvocation, context: CliContext): Promise<number> {
  const { name, json } = invocation;
  const { stdout } = context;
  const tagged = await makeTag(requireRepository(context), name, invocation, context);
  if (tagged === undefined) {
    stdout.write('Nothing was committed or tagged.\n');
    return EXIT.interrupted;
  }
  const { commit, committed } = tagged;
  if (json) stdout.write(`${JSON.stringify({ schema: 2, type: 'tagged', name, commit, committed })}\n`);
  else stdout.write(taggedLine(tagged));
  return EXIT.ok;
}

export function taggedLine({ name, commit }: Tagged): string {
  return `${name} is commit ${shortHash(commit)}, here only: git push --follow-tags takes it to the remote.\n`;
}

/** Tells what it would commit, asks if it must, and tags. Undefined: the answer was no. */
export async function makeTag(
  repository: Repository,
  name: string,
  options: TagOptions & { yes: boolean; json: boolean },
  context: CliContext,
): Promise<(Tagged & { committed: string[] }) | undefined> {
  const plan = planTag(repository, name, options);
  const committed = plan.commits;
  const told = options.json ? context.stderr : context.stdout;
  if (committed.length > 0) {
    const asks = mustConfirm({ confirm: true }, options, context);
    if (!asks && !options.yes) {
      throw usage(
        `There are changes to commit first: ${listPaths(committed)}.`,
        `--yes commits them as "version ${name}"`,
      );
    }
    told.write(`To be committed as "version ${name}":\n${committed.map((path) => `  ${path}\n`).join('')}`);
    if (asks && !(await confirm(`Commit that, and tag it ${name}?`, context))) return undefined;
  }
  const tagged = performTag(repository, plan);
  if (plan.empty) told.write(`There was nothing to commit: "version ${name}" is an empty commit.\n`);
  return { ...tagged, committed };
}
