import { text } from '../cli/arguments.js';
import { defineCommand } from '../cli/define-command.js';
import { EXIT } from '../cli/exit-codes.js';
import { confirmOption, environment, rolloutExits, rolloutOptions, skipOptions } from '../cli/options.js';
import { versionWords } from '../reporters/phrases.js';

export default defineCommand({
  name: 'rollback',
  summary: 'Return to an earlier release that the droplets keep',
  description: 'The images are still on the droplets, so no registry is needed.',
  examples: [
    ['rollback production', 'return to the release before the current one'],
    ['rollback production v1.4.1', 'return to the latest release with this image tag'],
  ],
  positionals: {
    environment,
    release: text({ describe: 'The id or image tag of a release (default: the one before the current)' }),
  },
  options: { ...confirmOption, ...rolloutOptions, ...skipOptions },
  settings: 'fleet',
  exits: rolloutExits,
  async run({ args, settings, canAsk, ask, ports, roll }) {
    const { findReleaseToGoBackTo, rollback } = await import('../deploy/rollouts/rollback.js');
    let wanted = args.release;
    if (settings.confirm && canAsk && !args.yes) {
      const { infoOf } = await import('../deploy/release/stored-release.js');
      const found = await findReleaseToGoBackTo(await ports(settings), { settings, wanted });
      const question = `Roll ${args.environment} back to ${versionWords(infoOf(found))}, release ${found.id}?`;
      if (!(await ask(question))) {
        return { exit: EXIT.interrupted, output: { type: 'text', lines: ['Nothing was changed.'] } };
      }
      // Exactly the release that was confirmed, whatever is deployed meanwhile.
      wanted = found.id;
    }
    return await roll(settings, args, (on, options) => rollback(on, { ...options, wanted }));
  },
});
