import { text } from '../cli/arguments.js';
import { defineCommand } from '../cli/define-command.js';
import { EXIT } from '../cli/exit-codes.js';
import {
  confirmOption,
  environment,
  freezeOption,
  migrateOption,
  protectedOption,
  rolloutExits,
  rolloutOptions,
  skipOptions,
} from '../cli/options.js';
import { versionWords } from '../reporters/phrases.js';
import { confirmation } from './shared/confirm.js';

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
  options: {
    ...confirmOption,
    ...rolloutOptions,
    ...freezeOption,
    ...protectedOption,
    ...skipOptions,
    ...migrateOption,
  },
  rolls: true,
  settings: 'fleet',
  exits: rolloutExits,
  async run(context) {
    const { args, settings, show, ports, roll } = context;
    const { findReleaseToGoBackTo, rollback } = await import('../deploy/rollouts/rollback.js');
    let wanted = args.release;
    const confirm = confirmation(context, settings);
    if (confirm !== undefined) {
      const { previewLines } = await import('./shared/preview.js');
      const { repositoryIfUsable } = await import('../cli/source.js');
      const { infoOf } = await import('../deploy/release/stored-release.js');
      const on = await ports(settings);
      const found = await findReleaseToGoBackTo(on, { settings, wanted });
      const repository = repositoryIfUsable(settings.root, context.env);
      show({ type: 'text', lines: await previewLines(on, settings, infoOf(found), repository) });
      const question = `Roll ${args.environment} back to ${versionWords(infoOf(found))}, release ${found.id}?`;
      if (!(await confirm(question))) {
        return { exit: EXIT.interrupted, output: { type: 'text', lines: ['Nothing was changed.'] } };
      }
      // Exactly the release that was confirmed, whatever is deployed meanwhile.
      wanted = found.id;
    }
    return await roll(settings, args, (on, options) => rollback(on, { ...options, wanted }));
  },
});
