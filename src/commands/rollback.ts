import { text } from '../cli/arguments.js';
import { defineCommand } from '../cli/define-command.js';
import {
  changeOptions,
  confirmOption,
  environment,
  freezeOption,
  migrateOption,
  rolloutExits,
  skipOptions,
} from '../cli/options.js';
import { versionWords } from '../reporters/phrases.js';
import { ifConfirmed } from './shared/confirm.js';

export default defineCommand({
  name: 'rollback',
  topic: 'deploy',
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
    ...changeOptions,
    ...freezeOption,
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
    const question = async () => {
      const { previewLines } = await import('./shared/preview.js');
      const { repositoryIfUsable } = await import('../cli/source.js');
      const { infoOf } = await import('../deploy/release/stored-release.js');
      const on = await ports(settings);
      const found = await findReleaseToGoBackTo(on, { settings, wanted });
      const repository = repositoryIfUsable(settings.root, context.env);
      show({ type: 'text', lines: await previewLines(on, settings, infoOf(found), repository) });
      // Exactly the release that is confirmed, whatever is deployed meanwhile.
      wanted = found.id;
      return `Roll ${args.environment} back to ${versionWords(infoOf(found))}, release ${found.id}?`;
    };
    return await ifConfirmed(context, settings, question, () =>
      roll(settings, args, (on, options) => rollback(on, { ...options, wanted })),
    );
  },
});
