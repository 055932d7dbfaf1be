import { defineCommand } from '../cli/define-command.js';
import { EXIT } from '../cli/exit-codes.js';
import { ConfigError } from '../config/problems.js';
import { asDeployError } from '../errors.js';
import { type EnvironmentLook, matchTags } from '../rollout/match-tags.js';

export default defineCommand({
  name: 'tags',
  topic: 'version',
  summary: 'List the tags in git, newest first, and where they run',
  examples: [
    ['tags', 'list the tags and the environments that run them'],
    ['tags --json', 'print them as JSON'],
  ],
  settings: 'none',
  async run(context) {
    const { environments, load, ports } = context;
    const [{ requireRepository }, { readStatus }] = await Promise.all([
      import('../cli/source.js'),
      import('../deploy/inspect/read-status.js'),
    ]);
    const tags = requireRepository(context).tags();
    const reasonOf = (error: unknown) =>
      error instanceof ConfigError
        ? error.problems.map(({ place, message }) => `${place} ${message}`).join('; ')
        : asDeployError(error).message;
    // An environment that cannot be read is listed with the reason; that is no failure.
    const looks = (await environments()).map(async (name): Promise<EnvironmentLook> => {
      try {
        const settings = await load({ environment: name, needs: 'fleet' });
        return { name, rows: await readStatus(await ports(settings), settings) };
      } catch (error) {
        return { name, rows: [], unknown: reasonOf(error) };
      }
    });
    return { exit: EXIT.ok, output: { type: 'tags', ...matchTags(tags, await Promise.all(looks)) } };
  },
});
